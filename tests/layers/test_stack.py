"""Layers made of layers: the inputs of each, and the dropout between them."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.cells import gru, lstm
from lstm_jax.layers import Directions, Layer, bidirectional, scan, segmented, stack
from tests.helpers import assert_close, assert_equal, difference, random, random_weights

T, B, D, H = 6, 3, 5, 4
RAGGED = np.array([T, 2, 4])
KEYS = jax.random.split(jax.random.key(0), B)
BOTH = bidirectional(scan(lstm(H)), scan(gru(H), reverse=True))
LAYERS = {
    "stack": stack([scan(lstm(H)), scan(gru(H))], dropout=0.5, residual=True),
    "deep": stack([BOTH, BOTH], dropout=0.5, residual=True),
}


@cache
def made(name: str):
    """Random weights of a layer and its compiled function."""
    return random_weights(LAYERS[name], D, 1), jax.jit(LAYERS[name].apply)


def test_bidirectional_joins_its_two_layers():
    params = random_weights(BOTH, D, 1)
    x = random(9, T, B, D)
    y_forward, end_forward = jax.jit(scan(lstm(H)).apply)(params.forward, x, RAGGED)
    y_backward, end_backward = jax.jit(scan(gru(H), reverse=True).apply)(params.backward, x, RAGGED)
    expected = np.concatenate([y_forward, y_backward], axis=-1), Directions(end_forward, end_backward)
    assert_close(jax.jit(BOTH.apply)(params, x, RAGGED), expected)


@pytest.mark.parametrize("residual", [False, True])
def test_stack_feeds_each_layer_to_the_next(residual):
    layer = scan(lstm(H))
    tower, alone = stack([layer] * 3, residual=residual), jax.jit(layer.apply)
    params = random_weights(tower, D, 1)
    x = random(10, T, B, D)
    y1, end1 = alone(params[0], x, RAGGED)
    y2, end2 = alone(params[1], y1, RAGGED)
    y2 = y1 + y2 if residual else y2
    y3, end3 = alone(params[2], y2, RAGGED)
    y3 = y2 + y3 if residual else y3
    assert_close(jax.jit(tower.apply)(params, x, RAGGED), (y3, (end1, end2, end3)))


@given(lengths=st.lists(st.integers(0, T), min_size=B, max_size=B).map(np.array))
@pytest.mark.slow
def test_segmented_equals_its_layer_on_each_segment(lengths):
    params, alone = made("stack")
    x = random(15, T, B, D)
    y, _ = jax.jit(segmented(LAYERS["stack"], 3).apply)(params, x, lengths, KEYS)
    for first in (0, 3):
        expected, _ = alone(params, x[first : first + 3], np.clip(lengths - first, 0, 3), KEYS)
        assert_close(y[first : first + 3], expected)


def test_first_weights_differ_between_layers_and_directions():
    params = LAYERS["deep"].init(jax.random.key(0), D)
    kernels = [own.recurrent_kernel[:, :H] for pair in params for own in pair]
    assert all(difference(a, b) > 0.1 for n, a in enumerate(kernels) for b in kernels[:n])


# Dropout between layers.


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_follows_the_keys(name):
    params, apply = made(name)
    x = random(11, T, B, D)
    others = jax.random.split(jax.random.key(1), B)
    y, again, other = (apply(params, x, RAGGED, keys)[0] for keys in (KEYS, KEYS, others))
    assert_equal(y, again)
    assert all(difference(y[:, n], other[:, n]) > 0.01 for n in range(B))


def test_dropout_needs_both_a_key_and_a_rate():
    params, apply = made("stack")
    x = random(11, T, B, D)
    without_rate = stack([scan(lstm(H)), scan(gru(H))], dropout=0.0, residual=True)
    dropped, _ = apply(params, x, RAGGED, KEYS)
    no_key, _ = apply(params, x, RAGGED)
    no_rate, _ = jax.jit(without_rate.apply)(params, x, RAGGED, KEYS)
    assert_close(no_key, no_rate)
    assert difference(dropped, no_key) > 0.01


# The tests below look at dropout through layers that change nothing.

EXAMPLES, UNITS = 400, 8
EXAMPLE_KEYS = jax.random.split(jax.random.key(2), EXAMPLES)
transparent = Layer(init=lambda key, size: (), apply=lambda params, x, lengths, key=None, state=None: (x, ()))


@partial(jax.jit, static_argnames=("layers", "per_step"))
def dropped(x: jax.Array, keys: jax.Array, rate: float = 0.5, layers: int = 2, per_step: bool = False) -> jax.Array:
    """``x`` after ``layers - 1`` gaps between layers; the rate is traced."""
    tower = stack([transparent] * layers, rate, dropout_per_step=per_step)
    y, _ = tower.apply(((),) * layers, x, jnp.full(x.shape[1], len(x)), keys)
    return y


def test_first_layer_sees_every_feature():
    x = random(12, T, EXAMPLES, UNITS)
    assert_equal(dropped(x, EXAMPLE_KEYS, layers=1), x)


@pytest.mark.parametrize("per_step", [False, True])
def test_a_mask_is_shared_over_time_unless_every_step_draws_its_own(per_step):
    kept = np.asarray(dropped(np.ones((T, B, 50), np.float32), KEYS, per_step=per_step)) > 0
    assert len(np.unique(kept.reshape(T * B, 50), axis=0)) == (T * B if per_step else B)


def test_segments_change_no_mask_of_dropout():
    layer = segmented(stack([transparent] * 2, 0.5), 3)
    y, _ = jax.jit(layer.apply)(((), ()), np.ones((T, B, 50), np.float32), np.full(B, T), KEYS)
    assert len(np.unique(np.asarray(y).reshape(T * B, 50) > 0, axis=0)) == B


def test_each_gap_has_a_mask_of_its_own():
    ones = np.ones((T, EXAMPLES, UNITS), np.float32)
    twice_kept = np.asarray(dropped(ones, EXAMPLE_KEYS, layers=3))[0] > 0
    assert abs(twice_kept.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / (EXAMPLES * UNITS))


def test_every_layer_and_direction_has_keys_of_its_own():
    def listening(params, x, lengths, key=None, state=None):
        return x, jax.random.key_data(key)

    ear = Layer(transparent.init, listening)
    pair, nothing = bidirectional(ear, ear), Directions((), ())
    _, heard = stack([pair, pair], 0.5).apply((nothing, nothing), jnp.ones((T, B, D)), jnp.asarray(RAGGED), KEYS)
    keys = np.concatenate(jax.tree.leaves(heard))
    assert len(np.unique(keys, axis=0)) == len(keys) == 4 * B
