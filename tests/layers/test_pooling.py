"""Each pooling equals a plain computation over each example's own tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.layers import pooling
from lstm_jax.layers.pooling import AttentionParams, Pooling
from lstm_jax.registry import POOLINGS
from tests.helpers import assert_close, assert_equal, random, weighted_sum

T, B, H, BACKWARD = 5, 4, 6, 2

ATTENTION = AttentionParams(random(1, H, H), random(2, H), random(3, H))
WEIGHTS = {"attention": ATTENTION}


def attended(y: np.ndarray) -> np.ndarray:
    """Attention over one example's outputs [tokens, H], token by token (Yang et al. 2016, section 2.2)."""
    powers = []
    for h in y.astype(np.float64):
        u = np.tanh(h @ ATTENTION.kernel + ATTENTION.bias)
        powers.append(np.exp(u @ ATTENTION.context))
    return sum(power / sum(powers) * h for power, h in zip(powers, y, strict=True)).astype(np.float32)


# The same of one example's outputs [tokens, H].
PLAIN = {
    "last": lambda y: np.append(y[-1, : H - BACKWARD], y[0, H - BACKWARD :]),
    "first_last": lambda y: np.append(y[0], y[-1]),
    "mean": lambda y: y.mean(axis=0),
    "max": lambda y: y.max(axis=0),
    "mean_max": lambda y: np.append(y.mean(axis=0), y.max(axis=0)),
    "attention": attended,
}

every_pooling = pytest.mark.parametrize("name", POOLINGS)


def pooled(name: str, y, lengths) -> jax.Array:
    return POOLINGS[name].apply(WEIGHTS.get(name, ()), jnp.asarray(y), jnp.asarray(lengths), BACKWARD)


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
    assert_close(pooled(name, y, lengths), expected, atol=1e-5)


@pytest.mark.parametrize("backward", [0, H])
def test_last_of_one_direction_alone(backward):
    lengths = np.array([1, 3, 5, 2])
    y = outputs(lengths)
    expected = y[0] if backward else y[lengths - 1, range(B)]
    assert_equal(pooling.last(jnp.asarray(y), jnp.asarray(lengths), backward), expected)


@every_pooling
def test_example_without_tokens_is_zero_and_has_no_gradient(name):
    lengths = np.array([3, 0, 5, 0])
    y, empty, lengths = jnp.asarray(outputs(lengths)), lengths == 0, jnp.asarray(lengths)
    found, gradient = jax.jit(lambda y: (pooled(name, y, lengths), slope(name, y, lengths)))(y)
    assert not np.any(found[empty])
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[:, ~empty]).max() > 0.1


def slope(name: str, y: jax.Array, lengths: jax.Array) -> jax.Array:
    return jax.grad(lambda y: weighted_sum(pooled(name, y, lengths)))(y)


def attention_loss(params, y, lengths):
    return weighted_sum(pooling.attention(params, y, lengths, BACKWARD))


def test_gradients_of_attention_are_those_of_a_loop_over_tokens():
    """Gradients of the same sum, where each example is pooled token by token, without a mask."""
    lengths = np.array([1, T, 3, 2])
    y = jnp.asarray(outputs(lengths))

    def loop(params, y):
        rows = []
        for n, length in enumerate(lengths):
            powers = [jnp.exp(jnp.tanh(y[t, n] @ params.kernel + params.bias) @ params.context) for t in range(length)]
            rows.append(sum(power * y[t, n] for t, power in enumerate(powers)) / sum(powers))
        return weighted_sum(jnp.stack(rows))

    found = jax.grad(attention_loss, (0, 1))(ATTENTION, y, jnp.asarray(lengths))
    assert_close(found, jax.grad(loop, (0, 1))(ATTENTION, y), atol=1e-5)
    assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(found))


def test_attention_reads_no_padding_not_even_nan():
    lengths = np.array([2, 0, T, 3])
    clean = outputs(lengths)
    dirty = np.where((np.arange(T)[:, None] < lengths)[:, :, None], clean, np.nan)
    both = jax.jit(jax.value_and_grad(attention_loss, (0, 1)))
    assert_equal(both(ATTENTION, dirty, lengths), both(ATTENTION, clean, lengths))


@given(lengths=st.lists(st.integers(0, T), min_size=B, max_size=B).map(np.array), scale=st.sampled_from([0.1, 1e4]))
def test_shares_of_attention_add_up_to_one_over_the_tokens(lengths, scale):
    y = outputs(lengths) * np.float32(scale)
    shares = np.asarray(pooling.attention_shares(ATTENTION, jnp.asarray(y), jnp.asarray(lengths)))
    assert (shares >= 0).all()
    assert not shares[np.arange(T)[:, None] >= lengths].any()
    assert_close(shares.sum(axis=0), (lengths > 0).astype(np.float32), atol=1e-5)


def test_attention_begins_near_the_mean_with_weights_of_the_outputs_size():
    params = POOLINGS["attention"].init(jax.random.key(0), 64)
    assert [leaf.shape for leaf in params] == [(64, 64), (64,), (64,)]
    y, lengths = jnp.asarray(random(4, T, B, 64, scale=0.1)), jnp.array([1, 2, 3, T])
    assert 1e-3 < np.abs(pooling.attention_shares(params, y, lengths)[:, 3] - 1 / T).max() < 0.1


def test_a_plain_function_and_a_pooling_with_weights_can_be_registered():
    scaled = Pooling(lambda key, size: jnp.full(size, 2.0), lambda params, y, *rest: params * pooling.mean(y, *rest))
    try:
        pooling.register("own plain", lambda y, lengths, backward: y[0, :, backward:])
        pooling.register("own scaled", scaled)
        y, lengths = jnp.asarray(outputs(np.full(B, T))), jnp.full(B, T)
        plain = POOLINGS["own plain"]
        assert plain.init(jax.random.key(0), H) == ()
        assert_equal(plain.apply((), y, lengths, BACKWARD), y[0, :, BACKWARD:])
        assert POOLINGS["own scaled"] is scaled
    finally:
        POOLINGS.unregister("own plain")
        POOLINGS.unregister("own scaled")
