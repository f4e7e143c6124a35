"""What layers show of their steps, beside a loop of their cells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.cells import gru, lstm
from lstm_jax.layers import Layer, lstm_vjp, make_layer, scan, segmented
from lstm_jax.layers.base import checked
from lstm_jax.layers.make import layers_with_gates
from lstm_jax.registry import CELLS
from tests.helpers import assert_close, assert_equal, random, random_weights

T, B, D, H = 6, 3, 5, 4
LENGTHS = jnp.array([T, 2, 4])
WITH_GATES = ("lstm", "gru", "peephole_lstm", "layer_norm_lstm", "variational_lstm", "weight_drop_lstm")
STATE = {"gru": "hidden state"}  # The others show a cell state.


def inputs() -> jax.Array:
    x = jnp.asarray(random(0, T, B, D))
    return jnp.where((jnp.arange(T)[:, None] < LENGTHS[None])[:, :, None], x, jnp.nan)


def weights(part):
    return jax.tree.map(jnp.asarray, random_weights(part, D, 1))


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("name", WITH_GATES)
def test_layers_show_what_a_loop_of_the_cell_shows(name, reverse):
    layer = make_layer(name, H, reverse=reverse)
    cell = CELLS[name if name in CELLS else "lstm"](H)
    params, x = weights(layer), inputs()
    seen = layer.gates(params, x, LENGTHS)
    both = jax.jit(lambda *inputs: (cell.gates(*inputs), cell.step(*inputs)[0]))
    for n, length in enumerate(LENGTHS.tolist()):
        state = cell.initial_state(1)
        for t in range(length)[:: -1 if reverse else 1]:
            expected, state = both(params, state, x[t, n : n + 1])
            assert_close({own: array[t, n] for own, array in seen.items()}, {own: a[0] for own, a in expected.items()})
            assert_close(seen[STATE.get(name, "cell state")][t, n], (state.c if name != "gru" else state)[0])
        assert not any(np.any(array[length:, n]) for array in seen.values())


def test_every_implementation_of_the_lstm_shows_the_same():
    params, x = weights(lstm(H)), inputs()
    expected = scan(lstm(H)).gates(params, x, LENGTHS)
    for layer in (lstm_vjp(H), make_layer("lstm", H), make_layer("weight_drop_lstm", H, implementation="scan")):
        assert_equal(layer.gates(params, x, LENGTHS), expected)


def test_what_is_shown_is_rounded_as_the_layer_rounds():
    params, x, alive = weights(lstm(H)), inputs(), (jnp.arange(T)[:, None] < LENGTHS[None])[:, :, None]
    layer = make_layer("lstm", H, matmul_dtype="bfloat16")
    seen, (y, _) = layer.gates(params, x, LENGTHS), layer.apply(params, x, LENGTHS)
    assert_close(jnp.where(alive, seen["output gate"] * jnp.tanh(seen["cell state"]), 0.0), y, rtol=1e-5)
    whole = make_layer("lstm", H).gates(params, x, LENGTHS)
    assert np.abs(seen["cell state"] - whole["cell state"]).max() > 1e-5


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_segments_begin_anew_in_what_is_shown(reverse):
    layer, params, x = scan(gru(H), reverse), weights(gru(H)), inputs()
    seen, (y, _) = segmented(layer, 4).gates(params, x, LENGTHS), segmented(layer, 4).apply(params, x, LENGTHS)
    assert_close(seen["hidden state"], y)


def test_layers_whose_gates_can_be_drawn_are_known():
    assert set(WITH_GATES) <= set(layers_with_gates())
    assert not {"rnn_tanh", "rnn_relu"} & set(layers_with_gates())
    assert scan(CELLS["rnn_tanh"](H)).gates is segmented(scan(CELLS["rnn_tanh"](H)), 2).gates is None


@pytest.mark.parametrize(
    "shown",
    [
        lambda params, x, lengths: {},
        lambda params, x, lengths: {"input gate": x[0]},
        lambda params, x, lengths: {"input gate": x, "state": x[:, :, :2]},
        lambda params, x, lengths: {"input gate": x[:2]},
    ],
    ids=["none", "one step", "two sizes", "two steps"],
)
def test_gates_of_other_shapes_are_refused(shown):
    layer = checked(Layer(lambda key, size: (), scan(lstm(H)).apply, shown))
    with pytest.raises(TypeError, match=r"gates must have one shape, \[T, B, H\] with T = 6, B = 3; found \{"):
        layer.gates((), inputs(), LENGTHS)
