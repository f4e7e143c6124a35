"""Each pooling equals a plain computation over each example's own tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.registry import POOLINGS
from tests.helpers import assert_close, assert_equal, random, weighted_sum

T, B, H, BACKWARD = 5, 4, 6, 2

# The same of one example's outputs [tokens, H].
PLAIN = {
    "last": lambda y: np.append(y[-1, : H - BACKWARD], y[0, H - BACKWARD :]),
    "first_last": lambda y: np.append(y[0], y[-1]),
    "mean": lambda y: y.mean(axis=0),
    "max": lambda y: y.max(axis=0),
    "mean_max": lambda y: np.append(y.mean(axis=0), y.max(axis=0)),
}

every_pooling = pytest.mark.parametrize("name", POOLINGS)


def outputs(lengths: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """Random outputs like a layer's: zero past an example's length."""
    y = random(0, T, B, H) + np.float32(shift)
    return np.where((np.arange(T)[:, None] < lengths)[:, :, None], y, 0)


@every_pooling
@given(
    lengths=st.lists(st.integers(1, T), min_size=B, max_size=B).map(np.array),
    shift=st.sampled_from([-9.0, 0.0, 9.0]),  # all negative, mixed and all positive outputs
)
def test_pooling_equals_plain_examples(name, lengths, shift):
    y = outputs(lengths, shift)
    expected = np.stack([PLAIN[name](y[:length, n]) for n, length in enumerate(lengths)])
    assert_close(POOLINGS[name](jnp.asarray(y), jnp.asarray(lengths), BACKWARD), expected)


@pytest.mark.parametrize("backward", [0, H])
def test_last_of_one_direction_alone(backward):
    lengths = np.array([1, 3, 5, 2])
    y = outputs(lengths)
    expected = y[0] if backward else y[lengths - 1, range(B)]
    assert_equal(POOLINGS["last"](jnp.asarray(y), jnp.asarray(lengths), backward), expected)


@every_pooling
def test_example_without_tokens_is_zero_and_has_no_gradient(name):
    lengths = np.array([3, 0, 5, 0])
    y, empty, lengths = jnp.asarray(outputs(lengths)), lengths == 0, jnp.asarray(lengths)
    pooled, gradient = jax.jit(lambda y: (POOLINGS[name](y, lengths, BACKWARD), slope(name, y, lengths)))(y)
    assert not np.any(pooled[empty])
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[:, ~empty]).max() > 0.1


def slope(name: str, y: jax.Array, lengths: jax.Array) -> jax.Array:
    return jax.grad(lambda y: weighted_sum(POOLINGS[name](y, lengths, BACKWARD)))(y)
