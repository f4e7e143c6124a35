"""Guarantees of every layer: padding changes nothing, examples are independent, a carried state joins parts."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.cells import Cell, gru, lstm
from lstm_jax.cells.lstm import LSTMState
from lstm_jax.cells.reference import gru_step, layer_norm_lstm_step, lstm_step, peephole_lstm_step, rnn_step
from lstm_jax.layers import (
    bidirectional,
    diagonal_lstm,
    grid_lstm,
    lstm_vjp,
    make_layer,
    min_lstm,
    qrnn,
    scan,
    segmented,
    stack,
)
from lstm_jax.registry import CELLS
from tests.helpers import assert_close, assert_equal, random, random_weights, randomised, slow_but, weighted_sum

T, B, D, H = 6, 3, 5, 4
RAGGED = np.array([T, 2, 4])
REFERENCES = {
    "lstm": lstm_step,
    "gru": gru_step,
    "rnn_tanh": rnn_step,
    "rnn_relu": partial(rnn_step, activation=jax.nn.relu),
    "peephole_lstm": peephole_lstm_step,
    "layer_norm_lstm": layer_norm_lstm_step,
}
PAIR = stack([scan(lstm(H)), scan(gru(H))], dropout=0.5, residual=True)
BOTH = bidirectional(scan(lstm(H)), scan(gru(H), reverse=True))
FORWARD = {
    "lstm": scan(lstm(H)),
    "gru": scan(gru(H)),
    "custom_vjp": lstm_vjp(H),
    "stack": PAIR,
    "segmented": segmented(PAIR, 3),
    "peephole_lstm": make_layer("peephole_lstm", H),
    "layer_norm_lstm": make_layer("layer_norm_lstm", H),
    "variational_lstm": make_layer("variational_lstm", H, input_dropout=0.3),
    "weight_drop_lstm": make_layer("weight_drop_lstm", H),
    "qrnn": qrnn(H, window=3, input_gate=True),
    "min_lstm": min_lstm(H),
    "grid": grid_lstm(H),
    "newton": diagonal_lstm(H, implementation="newton"),
}
OTHER_LSTMS = ("peephole_lstm", "layer_norm_lstm", "variational_lstm", "weight_drop_lstm")
LAYERS = FORWARD | {
    "reverse": scan(lstm(H), reverse=True),
    "custom_vjp reverse": lstm_vjp(H, reverse=True),
    "qrnn reverse": qrnn(H, window=3, input_gate=True, reverse=True),
    "min_lstm reverse": min_lstm(H, reverse=True),
    "newton reverse": diagonal_lstm(H, reverse=True, implementation="newton"),
    "deep": stack([BOTH, BOTH], dropout=0.5, residual=True),
}
KEYS = jax.random.split(jax.random.key(0), B)

every_layer = pytest.mark.parametrize("name", slow_but(LAYERS, *(name for name in LAYERS if name not in OTHER_LSTMS)))
some_lengths = st.lists(st.integers(0, T), min_size=B, max_size=B).map(np.array)


class Made(NamedTuple):
    """A layer with random weights, a random state to start from, its functions compiled once."""

    params: Any
    state: Any
    apply: Callable
    gradient: Callable  # Gradients of a scalar of y and the final state, without dropout: params, x, first state.


@cache
def made(name: str) -> Made:
    layer = LAYERS[name]

    def loss(params, x, state, lengths):
        return weighted_sum(layer.apply(params, x, lengths, None, state))

    params = random_weights(layer, D, 1)
    _, state = jax.eval_shape(layer.apply, params, random(0, T, B, D), RAGGED)
    return Made(params, randomised(state, 2), jax.jit(layer.apply), jax.jit(jax.grad(loss, (0, 1, 2))))


def token_mask(lengths: np.ndarray, steps: int = T) -> np.ndarray:
    """``[T, B, 1]``, true where an example has a token."""
    return (np.arange(steps)[:, None] < lengths)[:, :, None]


def padded_with(value: float, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.where(token_mask(lengths), x, np.float32(value))


def examples(tree, which):
    """The state of the examples ``which``."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[which], tree)


@every_layer
@given(lengths=some_lengths, garbage=st.sampled_from([np.nan, np.inf, -1e30]))
def test_padding_reaches_no_result(name, lengths, garbage):
    params, state, apply, _ = made(name)
    x = random(3, T, B, D)
    clean, dirty = (apply(params, padded_with(p, x, lengths), lengths, KEYS, state) for p in (0.0, garbage))
    assert_equal(dirty, clean)
    assert not np.where(token_mask(lengths), 0.0, dirty[0]).any()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(dirty))


@pytest.mark.parametrize("name", slow_but(LAYERS, "lstm", "custom_vjp"))
@given(lengths=some_lengths)
def test_padding_reaches_no_gradient(name, lengths):
    params, state, _, gradient = made(name)
    x = random(3, T, B, D)
    clean, dirty = (gradient(params, padded_with(p, x, lengths), state, lengths) for p in (0.0, np.nan))
    assert_equal(dirty, clean)
    assert not np.where(token_mask(lengths), 0.0, dirty[1]).any()


@every_layer
def test_examples_without_tokens_keep_their_state(name):
    params, state, apply, _ = made(name)
    y, end = apply(params, random(3, T, B, D), np.zeros(B, int), KEYS, state)
    assert_equal(end, state)
    assert not np.any(y)


@every_layer
@given(lengths=some_lengths, order=st.permutations(range(B)).map(np.array))
def test_order_of_the_examples_changes_nothing(name, lengths, order):
    params, state, apply, _ = made(name)
    x = random(4, T, B, D)
    y, end = apply(params, x, lengths, KEYS, state)
    turned = apply(params, x[:, order], lengths[order], KEYS[order], examples(state, order))
    assert_close(turned, (y[:, order], examples(end, order)))


@pytest.mark.parametrize(
    "name", slow_but([name for name in LAYERS if name != "weight_drop_lstm"], "lstm", "custom_vjp")
)
@given(lengths=some_lengths)
def test_example_depends_on_neither_neighbours_nor_bucket(name, lengths):
    params, state, apply, _ = made(name)
    x = random(5, T + 2, B, D)
    y, end = apply(params, x[:T], lengths, KEYS, state)
    for n in range(B):
        own = slice(n, n + 1)
        longer, longer_end = apply(params, x[:, own], lengths[own], KEYS[own], examples(state, own))
        assert_close(longer[:T], y[:, own])
        assert not np.any(longer[T:])
        assert_close(longer_end, examples(end, own))


@pytest.mark.parametrize("name", slow_but(FORWARD, *(name for name in FORWARD if name not in OTHER_LSTMS)))
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


@pytest.mark.parametrize("name", ["lstm", "custom_vjp", "qrnn"])
@given(lengths=some_lengths)
def test_gradients_through_a_carried_state_equal_those_of_the_whole(name, lengths):
    params, start, _, gradient = made(name)
    x = random(6, T, B, D)
    parts = slopes(name, T // 2)(params, x, start, lengths)
    assert_close(parts, gradient(params, x, start, lengths), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_unrolled_equals_a_loop_over_tokens(kind, reverse):
    lengths, x = np.array([T, 0, 4]), random(7, T, B, D)
    cell = CELLS[kind](H)
    params = random_weights(cell, D, 1)
    results = jax.jit(scan(cell, reverse).apply)(params, x, lengths)
    step = jax.jit(REFERENCES[kind])
    y, ends = np.zeros((T, B, H)), []
    for n, length in enumerate(lengths):
        state = examples(cell.initial_state(B), n)
        for t in range(length)[:: -1 if reverse else 1]:
            state = step(params, state, x[t, n])
            y[t, n] = state.h if isinstance(state, LSTMState) else state
        ends.append(state)
    assert_close(results, (y, jax.tree.map(lambda *leaves: np.stack(leaves), *ends)))


@pytest.mark.parametrize(
    ("name", "turned"), [("lstm", "reverse"), ("qrnn", "qrnn reverse"), ("min_lstm", "min_lstm reverse")]
)
@given(lengths=some_lengths)
def test_reverse_equals_forward_over_reversed_examples(name, turned, lengths):
    params, state, backward, _ = made(turned)
    forward = made(name).apply
    x = random(8, T, B, D)
    steps = np.arange(T)[:, None]
    turn = np.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None]
    y, end = backward(params, x, lengths, KEYS, state)
    turned, expected_end = forward(params, np.take_along_axis(x, turn, axis=0), lengths, KEYS, state)
    assert_close(y, np.take_along_axis(np.asarray(turned), turn, axis=0))
    assert_close(end, expected_end)


def test_a_state_may_have_any_number_of_axes():
    """A matrix state with as many rows as examples would fit a mask along the wrong axis."""

    def step(params, state, x):
        matrix, count = state
        matrix = matrix + x[:, :, None] * x[:, None, :]
        return (matrix, count + 1), jnp.sum(matrix, axis=2) * params

    cell = Cell(lambda key, size: jnp.ones(()), lambda n: (jnp.zeros((n, B, B)), jnp.zeros(n, jnp.int32)), step)
    x, lengths = jnp.asarray(random(3, T, B, B)), jnp.asarray([n % (T + 1) for n in range(B)])
    y, (matrix, count) = scan(cell).apply(jnp.ones(()), x, lengths)
    assert count.tolist() == lengths.tolist()
    for n, length in enumerate(lengths):
        alone, (own, _) = scan(cell).apply(jnp.ones(()), x[:length, n : n + 1], lengths[n : n + 1])
        assert_close(y[:length, n], alone[:, 0])
        assert_close(matrix[n], own[0])


def test_a_state_without_a_row_per_example_is_refused():
    cell = Cell(lambda key, size: (), lambda n: jnp.zeros(H + 3), lambda params, state, x: (state, x))
    with pytest.raises(TypeError, match="every array of a state must be"):
        scan(cell).apply((), jnp.zeros((T, 4, D)), jnp.full(4, T))
