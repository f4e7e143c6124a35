"""What every layer promises: padding touches nothing, rows are alone, parts add up to the whole."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.cells import gru, lstm
from lstm_jax.cells.lstm import LSTMState
from lstm_jax.cells.reference import gru_step, lstm_step, rnn_step
from lstm_jax.layers import Directions, Layer, bidirectional, lstm_vjp, output_size, scan, segmented, stack
from lstm_jax.registry import CELLS
from tests.helpers import assert_close, assert_equal, difference, random, random_weights, randomised, weighted_sum

T, B, D, H = 6, 3, 5, 4
RAGGED = np.array([T, 2, 4])
REFERENCES = {
    "lstm": lstm_step,
    "gru": gru_step,
    "rnn_tanh": rnn_step,
    "rnn_relu": partial(rnn_step, activation=jax.nn.relu),
}
PAIR = stack([scan(lstm(H)), scan(gru(H))], dropout=0.5, residual=True)
BOTH = bidirectional(scan(lstm(H)), scan(gru(H), reverse=True))
FORWARD = {
    "lstm": scan(lstm(H)),
    "gru": scan(gru(H)),
    "custom_vjp": lstm_vjp(H),
    "stack": PAIR,
    "segmented": segmented(PAIR, 3),
}
LAYERS = FORWARD | {
    "reverse": scan(lstm(H), reverse=True),
    "by_vjp reverse": lstm_vjp(H, reverse=True),
    "deep": stack([BOTH, BOTH], dropout=0.5, residual=True),
}
KEYS = jax.random.split(jax.random.key(0), B)

every_layer = pytest.mark.parametrize("name", LAYERS)
some_lengths = st.lists(st.integers(0, T), min_size=B, max_size=B).map(np.array)


class Made(NamedTuple):
    """A layer with random weights, a random state to start from, its functions compiled once."""

    params: Any
    state: Any
    apply: Callable
    gradient: Callable  # of a scalar of y and the final state with respect to params, x and the first state; no dropout


@cache
def made(name: str) -> Made:
    layer = LAYERS[name]

    def loss(params, x, state, lengths):
        return weighted_sum(layer.apply(params, x, lengths, None, state))

    params = random_weights(layer, D, 1)
    _, state = jax.eval_shape(layer.apply, params, random(0, T, B, D), RAGGED)
    return Made(params, randomised(state, 2), jax.jit(layer.apply), jax.jit(jax.grad(loss, (0, 1, 2))))


def words(lengths: np.ndarray, steps: int = T) -> np.ndarray:
    """``[T, B, 1]``, true where a row has a word."""
    return (np.arange(steps)[:, None] < lengths)[:, :, None]


def padded_with(value: float, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.where(words(lengths), x, np.float32(value))


def rows(tree, which):
    """Those rows of a state."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[which], tree)


@every_layer
@given(lengths=some_lengths, garbage=st.sampled_from([np.nan, np.inf, -1e30]))
def test_padding_reaches_no_result(name, lengths, garbage):
    params, state, apply, _ = made(name)
    x = random(3, T, B, D)
    clean, dirty = (apply(params, padded_with(p, x, lengths), lengths, KEYS, state) for p in (0.0, garbage))
    assert_equal(dirty, clean)
    assert not np.where(words(lengths), 0.0, dirty[0]).any()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(dirty))


@every_layer
@given(lengths=some_lengths)
def test_padding_reaches_no_gradient(name, lengths):
    params, state, _, gradient = made(name)
    x = random(3, T, B, D)
    clean, dirty = (gradient(params, padded_with(p, x, lengths), state, lengths) for p in (0.0, np.nan))
    assert_equal(dirty, clean)
    assert not np.where(words(lengths), 0.0, dirty[1]).any()


@every_layer
def test_rows_without_words_keep_their_state(name):
    params, state, apply, _ = made(name)
    y, end = apply(params, random(3, T, B, D), np.zeros(B, int), KEYS, state)
    assert_equal(end, state)
    assert not np.any(y)


@every_layer
@given(lengths=some_lengths, order=st.permutations(range(B)).map(np.array))
def test_order_of_the_rows_changes_nothing(name, lengths, order):
    params, state, apply, _ = made(name)
    x = random(4, T, B, D)
    y, end = apply(params, x, lengths, KEYS, state)
    turned = apply(params, x[:, order], lengths[order], KEYS[order], rows(state, order))
    assert_close(turned, (y[:, order], rows(end, order)))


@every_layer
@given(lengths=some_lengths)
def test_row_depends_on_neither_neighbours_nor_bucket(name, lengths):
    params, state, apply, _ = made(name)
    x = random(5, T + 2, B, D)
    y, end = apply(params, x[:T], lengths, KEYS, state)
    for n in range(B):
        own = slice(n, n + 1)
        longer, longer_end = apply(params, x[:, own], lengths[own], KEYS[own], rows(state, own))
        assert_close(longer[:T], y[:, own])
        assert not np.any(longer[T:])
        assert_close(longer_end, rows(end, own))


@pytest.mark.parametrize("name", FORWARD)
@given(lengths=some_lengths)
def test_parts_with_a_carried_state_equal_the_whole(name, lengths):
    params, start, apply, _ = made(name)
    x, half = random(6, T, B, D), T // 2
    whole, end = apply(params, x, lengths, KEYS, start)
    first, state = apply(params, x[:half], np.minimum(lengths, half), KEYS, start)
    second, carried = apply(params, x[half:], np.maximum(lengths - half, 0), KEYS, state)
    assert_close(np.concatenate([first, second]), whole)
    assert_close(carried, end)


@cache
def slopes(name: str, half: int) -> Callable:
    """The gradient of a scalar of a sequence read in two parts, with respect to params, x and the first state."""

    def loss(params, x, start, lengths):
        first, state = LAYERS[name].apply(params, x[:half], jnp.minimum(lengths, half), KEYS, start)
        second, end = LAYERS[name].apply(params, x[half:], jnp.maximum(lengths - half, 0), KEYS, state)
        return weighted_sum((jnp.concatenate([first, second]), end))

    return jax.jit(jax.grad(loss, (0, 1, 2)))


@pytest.mark.parametrize("name", ["lstm", "custom_vjp"])
@given(lengths=some_lengths)
def test_gradients_through_a_carried_state_equal_those_of_the_whole(name, lengths):
    params, start, _, gradient = made(name)
    x = random(6, T, B, D)
    parts = slopes(name, T // 2)(params, x, start, lengths)
    assert_close(parts, gradient(params, x, start, lengths), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_unrolled_equals_a_loop_over_words(kind, reverse):
    lengths, x = np.array([T, 0, 4]), random(7, T, B, D)
    cell = CELLS[kind](H)
    params = random_weights(cell, D, 1)
    results = jax.jit(scan(cell, reverse).apply)(params, x, lengths)
    step = jax.jit(REFERENCES[kind])
    y, ends = np.zeros((T, B, H)), []
    for row, length in enumerate(lengths):
        state = rows(cell.initial_state(B), row)
        for t in range(length)[:: -1 if reverse else 1]:
            state = step(params, state, x[t, row])
            y[t, row] = state.h if isinstance(state, LSTMState) else state
        ends.append(state)
    assert_close(results, (y, jax.tree.map(lambda *leaves: np.stack(leaves), *ends)))


@given(lengths=some_lengths)
def test_reverse_equals_forward_over_turned_rows(lengths):
    params, state, backward, _ = made("reverse")
    forward = made("lstm").apply
    x = random(8, T, B, D)
    steps = np.arange(T)[:, None]
    turn = np.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None]
    y, end = backward(params, x, lengths, KEYS, state)
    turned, expected_end = forward(params, np.take_along_axis(x, turn, axis=0), lengths, KEYS, state)
    assert_close(y, np.take_along_axis(np.asarray(turned), turn, axis=0))
    assert_close(end, expected_end)


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


@given(lengths=some_lengths)
def test_segmented_equals_its_layer_on_each_piece(lengths):
    params, _, apply, _ = made("segmented")
    alone = made("stack").apply
    start = jax.tree.map(np.zeros_like, made("stack").state)
    x = random(15, T, B, D)
    y, _ = apply(params, x, lengths, KEYS, ())
    for first in (0, 3):
        expected, _ = alone(params, x[first : first + 3], np.clip(lengths - first, 0, 3), KEYS, start)
        assert_close(y[first : first + 3], expected)


def test_first_weights_fit_the_layers_and_differ():
    layer = LAYERS["deep"]
    params = layer.init(jax.random.key(0), D)
    assert [[own.input_kernel.shape[0] for own in pair] for pair in params] == [[D, D], [2 * H, 2 * H]]
    assert output_size(layer, params, D) == 2 * H
    kernels = [own.recurrent_kernel[:, :H] for pair in params for own in pair]
    assert all(difference(a, b) > 0.1 for n, a in enumerate(kernels) for b in kernels[:n])


@pytest.mark.parametrize("name", ["stack", "deep"])
def test_dropout_follows_the_keys(name):
    params, state, apply, _ = made(name)
    x = random(11, T, B, D)
    others = jax.random.split(jax.random.key(1), B)
    y, again, other = (apply(params, x, RAGGED, keys, state)[0] for keys in (KEYS, KEYS, others))
    assert_equal(y, again)
    assert all(difference(y[:, row], other[:, row]) > 0.01 for row in range(B))


def test_dropout_needs_both_a_key_and_a_rate():
    params, state, apply, _ = made("stack")
    x = random(11, T, B, D)
    without_rate = stack([scan(lstm(H)), scan(gru(H))], dropout=0.0, residual=True)
    dropped, _ = apply(params, x, RAGGED, KEYS, state)
    no_key, _ = apply(params, x, RAGGED, None, state)
    no_rate, _ = jax.jit(without_rate.apply)(params, x, RAGGED, KEYS, state)
    assert_close(no_key, no_rate)
    assert difference(dropped, no_key) > 0.01


# What dropout does to the input of a layer, seen through layers that change nothing.

ROWS, UNITS = 400, 8
ROW_KEYS = jax.random.split(jax.random.key(2), ROWS)
transparent = Layer(init=lambda key, size: (), apply=lambda params, x, lengths, key=None, state=None: (x, ()))


@partial(jax.jit, static_argnames=("layers", "per_step"))
def dropped(x: jax.Array, keys: jax.Array, rate: float = 0.5, layers: int = 2, per_step: bool = False) -> jax.Array:
    """``x`` after ``layers - 1`` gaps between layers; the rate is traced."""
    tower = stack([transparent] * layers, rate, dropout_per_step=per_step)
    y, _ = tower.apply(((),) * layers, x, jnp.full(x.shape[1], len(x)), keys)
    return y


def test_first_layer_sees_every_feature():
    x = random(12, T, ROWS, UNITS)
    assert_equal(dropped(x, ROW_KEYS, layers=1), x)


def test_rate_of_zero_drops_nothing():
    x = random(12, T, ROWS, UNITS)
    assert_equal(dropped(x, ROW_KEYS, 0.0), x)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropout_keeps_the_expectation(rate):
    x = 1.0 + random(13, T, ROWS, UNITS) ** 2
    scale = np.asarray(dropped(x, ROW_KEYS, rate)) / x
    kept = scale > 0
    np.testing.assert_allclose(scale[kept], 1 / (1 - rate), rtol=1e-5)
    spread = np.sqrt(rate * (1 - rate) / (ROWS * UNITS))
    assert abs(kept[0].mean() - (1 - rate)) < 4 * spread


def test_dropout_mask_is_shared_over_time_and_differs_between_rows():
    kept = np.asarray(dropped(np.ones((T, B, 50), np.float32), KEYS)) > 0
    assert (kept == kept[0]).all()
    assert len(np.unique(kept[0], axis=0)) == B


def test_dropout_per_step_draws_a_mask_for_every_word():
    kept = np.asarray(dropped(np.ones((T, B, 50), np.float32), KEYS, per_step=True)) > 0
    assert len(np.unique(kept.reshape(T * B, 50), axis=0)) == T * B


def test_segments_change_no_mask_of_dropout():
    layer = segmented(stack([transparent] * 2, 0.5), 3)
    y, _ = jax.jit(layer.apply)(((), ()), np.ones((T, B, 50), np.float32), np.full(B, T), KEYS)
    assert len(np.unique(np.asarray(y).reshape(T * B, 50) > 0, axis=0)) == B


@pytest.mark.parametrize("per_step", [False, True])
def test_dropout_mask_depends_on_neither_neighbours_nor_bucket(per_step):
    kept = dropped(np.ones((T, B, 50), np.float32), KEYS, per_step=per_step)
    for n in range(B):
        own = slice(n, n + 1)
        longer = dropped(np.ones((2 * T, 1, 50), np.float32), KEYS[own], per_step=per_step)
        assert_equal(longer[:T], kept[:, own])


def test_each_gap_has_a_mask_of_its_own():
    twice_kept = np.asarray(dropped(np.ones((T, ROWS, UNITS), np.float32), ROW_KEYS, layers=3))[0] > 0
    assert abs(twice_kept.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / (ROWS * UNITS))


def test_every_layer_and_direction_has_row_keys_of_its_own():
    def listening(params, x, lengths, key=None, state=None):
        return x, jax.random.key_data(key)

    ear = Layer(transparent.init, listening)
    pair, nothing = bidirectional(ear, ear), Directions((), ())
    _, heard = stack([pair, pair], 0.5).apply((nothing, nothing), jnp.ones((T, B, D)), jnp.asarray(RAGGED), KEYS)
    keys = np.concatenate(jax.tree.leaves(heard))
    assert len(np.unique(keys, axis=0)) == len(keys) == 4 * B
