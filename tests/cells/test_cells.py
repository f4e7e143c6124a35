"""Each cell equals its slow reference and starts from the weights that its docstring promises."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from lstm_jax.cells import gru, layer_norm_lstm, lstm, peephole_lstm, rnn
from lstm_jax.cells.base import recurrent_kernel
from lstm_jax.cells.layer_norm_lstm import normalised
from lstm_jax.cells.lstm import LSTMParams, LSTMState, gates
from lstm_jax.cells.reference import gru_step, layer_norm_lstm_step, lstm_step, peephole_lstm_step, rnn_step
from lstm_jax.registry import CELLS
from tests.helpers import (
    assert_close,
    assert_equal,
    assert_fields_fit,
    difference,
    random,
    random_weights,
    randomised,
    slow_but,
    weighted_sum,
)

REFERENCES = {
    "lstm": lstm_step,
    "gru": gru_step,
    "rnn_tanh": rnn_step,
    "rnn_relu": partial(rnn_step, activation=jax.nn.relu),
    "peephole_lstm": peephole_lstm_step,
    "layer_norm_lstm": layer_norm_lstm_step,
}
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1, "peephole_lstm": 4, "layer_norm_lstm": 4}
LSTMS = {"lstm": lstm, "peephole_lstm": peephole_lstm, "layer_norm_lstm": layer_norm_lstm}
INPUTS, UNITS = 30, 20


def blocks(kernel: jax.Array, kind: str) -> list[np.ndarray]:
    return np.split(np.asarray(kernel), GATES[kind], axis=1)


def hidden(state) -> jax.Array:
    return state.h if isinstance(state, LSTMState) else state


def drawn(kind: str, batch: int, inputs: int, units: int, seed: int):
    """Random parameters, state and input of a cell."""
    cell = CELLS[kind](units)
    state = randomised(cell.initial_state(batch), seed + 1)
    return random_weights(cell, inputs, seed), state, random(seed + 2, batch, inputs)


@pytest.mark.parametrize("kind", CELLS)
@settings(max_examples=3, phases=[Phase.generate])  # no shrinking: every size compiles anew
@given(batch=st.integers(1, 4), inputs=st.integers(1, 5), units=st.integers(1, 5), seed=st.integers(0, 1000))
def test_step_equals_reference(kind, batch, inputs, units, seed):
    def slow(params, state, x):
        end = jax.vmap(REFERENCES[kind], (None, 0, 0))(params, state, x)
        return end, hidden(end)

    def loss(step, *inputs):
        results = step(*inputs)
        return weighted_sum(results), results

    @jax.jit
    def run(*inputs):
        steps = CELLS[kind](units).step, slow
        return [jax.grad(partial(loss, step), (0, 1, 2), has_aux=True)(*inputs) for step in steps]

    (gradients, values), (slow_gradients, slow_values) = run(*drawn(kind, batch, inputs, units, seed))
    assert_close(values, slow_values, atol=1e-6, rtol=1e-6)
    assert_close(gradients, slow_gradients, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", slow_but(LSTMS, "lstm"))
def test_gradient_equals_finite_differences(kind):
    with jax.enable_x64(True):
        inputs = jax.tree.map(jnp.float64, drawn(kind, 2, 2, 3, seed=3))
        check_grads(jax.jit(CELLS[kind](3).step), inputs, order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_gates_are_those_of_the_step():
    params, state, x = jax.tree.map(jnp.asarray, drawn("lstm", 2, 3, 4, seed=5))
    opened = gates(params, state, x)
    assert_fields_fit(opened)
    i, f, g, o = opened
    c = f * state.c + i * g
    end, y = lstm(4).step(params, state, x)
    assert_close(end, LSTMState(c=c, h=o * jnp.tanh(c)))
    assert_equal(y, end.h)
    assert all(((gate > 0) & (gate < 1)).all() for gate in (i, f, o))


@pytest.mark.parametrize("kind", LSTMS)
def test_what_an_lstm_shows_ends_in_its_state(kind):
    params, state, x = jax.tree.map(jnp.asarray, drawn(kind, 2, 3, 4, seed=5))
    cell = LSTMS[kind](4)
    seen, (end, _) = cell.gates(params, state, x), cell.step(params, state, x)
    assert list(seen) == ["input gate", "forget gate", "candidate", "output gate", "cell state"]
    i, f, g, o, c = seen.values()
    assert_close((c, c), (end.c, f * state.c + i * g))
    squashed = params.cell_gain[None] * normalised(c) + params.cell_bias[None] if kind == "layer_norm_lstm" else c
    assert_close(end.h, o * jnp.tanh(squashed))


def test_what_a_gru_shows_ends_in_its_state():
    params, h, x = jax.tree.map(jnp.asarray, drawn("gru", 2, 3, 4, seed=5))
    seen, (end, _) = gru(4).gates(params, h, x), gru(4).step(params, h, x)
    assert list(seen) == ["reset gate", "update gate", "candidate", "hidden state"]
    _, z, n, shown = seen.values()
    assert_close((shown, shown), (end, (1 - z) * n + z * h))
    assert CELLS["rnn_tanh"](4).gates is None


@pytest.mark.parametrize("kind", GATES)
def test_products_are_rounded(kind):
    params, state, x = jax.tree.map(jnp.asarray, drawn(kind, 2, 3, 4, seed=5))
    whole, rounded = (CELLS[kind](4, matmul_dtype=dtype).step(params, state, x)[1] for dtype in (None, "bfloat16"))
    assert 1e-5 < difference(whole, rounded) < 0.1


def test_peepholes_read_the_cell_state_before_and_after_the_step():
    params, state, x = jax.tree.map(jnp.asarray, drawn("peephole_lstm", 2, 3, 4, seed=5))
    cell = peephole_lstm(4)
    assert_equal(cell.init(jax.random.key(0), 3).peephole, np.zeros(12))
    closed = params._replace(peephole=jnp.zeros(12))
    assert_close(cell.step(closed, state, x), lstm(4).step(LSTMParams(*params[:3]), state, x))
    before, seen = cell.gates(closed, state, x), cell.gates(params, state, x)
    states = {"input gate": state.c, "forget gate": state.c, "output gate": seen["cell state"]}
    for n, (gate, c) in enumerate(states.items()):
        weight = params.peephole[None, 4 * n : 4 * n + 4]
        opened = jnp.log(before[gate] / (1 - before[gate])) + weight * c
        assert_close(seen[gate], jax.nn.sigmoid(opened), atol=1e-5)
    assert_equal(seen["candidate"], before["candidate"])


@pytest.mark.parametrize("size", [0.0, 1e-20, 0.1, 1 / 3, 1e4 + 1 / 3, -1e20])
@pytest.mark.parametrize("features", [1, 7, 512])
def test_equal_features_are_normalised_to_zero_with_finite_gradients(features, size):
    z = jnp.full((2, features), size, jnp.float32)
    value, gradient = jax.value_and_grad(lambda z: jnp.sum(normalised(z) * jnp.arange(features)[None]))(z)
    assert value == 0
    assert np.isfinite(gradient).all()


def test_normalised_features_have_mean_zero_and_variance_one_wherever_they_are():
    z = 3.0 * random(0, 4, 500)
    for shift in (0.0, 100.0, -1000.0):
        found = normalised(jnp.asarray(z + np.float32(shift)))
        np.testing.assert_allclose(found, (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True), atol=2e-4)


def test_layer_norm_starts_from_zeros_with_finite_gradients():
    cell = layer_norm_lstm(4)
    params, state, x = cell.init(jax.random.key(0), 3), cell.initial_state(2), jnp.zeros((2, 3))
    gradient = jax.jit(jax.grad(lambda *inputs: weighted_sum(cell.step(*inputs)), (0, 1, 2)))
    for inputs in (x, x + 1):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient(params, state, inputs)))


@pytest.mark.parametrize("kind", CELLS)
def test_params_and_states_have_the_shapes_that_they_declare(kind):
    cell = CELLS[kind](UNITS)
    params, state = cell.init(jax.random.key(0), INPUTS), cell.initial_state(3)
    assert_fields_fit(params, *([state] if isinstance(state, LSTMState) else []))


@pytest.mark.parametrize("kind", CELLS)
def test_first_state_is_zero(kind):
    state = CELLS[kind](UNITS).initial_state(3)
    assert_equal(state, jax.tree.map(lambda _: np.zeros((3, UNITS)), state))


@pytest.mark.parametrize("kind", [kind for kind in GATES if kind != "rnn_relu"])
def test_recurrent_blocks_are_orthogonal_and_distinct(kind):
    kernels = blocks(CELLS[kind](UNITS).init(jax.random.key(1), INPUTS).recurrent_kernel, kind)
    for kernel in kernels:
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(UNITS), atol=1e-5)
    for first, second in pairwise(kernels):
        assert difference(first, second) > 0.1


@pytest.mark.slow
def test_lanes_decompose_one_matrix_after_the_other():
    keys = jax.random.split(jax.random.key(0), 5)
    kernels = jax.jit(jax.vmap(lambda key: recurrent_kernel(key, 6, 4)))
    calls = [line for line in kernels.lower(keys).as_text().splitlines() if "geqrf" in line and "custom_call" in line]
    assert calls
    assert all('num_batch_dims = "0"' in call for call in calls)  # a batched decomposition may hang on two devices
    for key, kernel in zip(keys, kernels(keys), strict=True):
        assert_equal(kernel, recurrent_kernel(key, 6, 4))


def test_rectified_units_start_from_the_identity():
    params = rnn(UNITS, jax.nn.relu).init(jax.random.key(1), INPUTS)
    assert_equal(params.recurrent_kernel, np.eye(UNITS))


@pytest.mark.parametrize("kind", CELLS)
def test_input_blocks_fill_the_glorot_range_of_one_gate(kind):
    kernel = CELLS[kind](UNITS).init(jax.random.key(2), INPUTS).input_kernel
    bound = np.sqrt(6 / (INPUTS + UNITS))
    for block in blocks(kernel, kind):
        assert 0.95 * bound < np.abs(block).max() <= bound
        assert abs(block.mean()) < 0.1 * bound
        assert block.std() == pytest.approx(bound / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize("forget_bias", [1.0, 0.0, 2.5])
@pytest.mark.parametrize("kind", LSTMS)
def test_only_the_forget_gate_has_a_first_bias(kind, forget_bias):
    bias = LSTMS[kind](UNITS, forget_bias).init(jax.random.key(0), INPUTS).bias
    assert_equal(bias, np.repeat([0.0, forget_bias, 0.0, 0.0], UNITS))


def test_first_forget_bias_is_one():
    assert_equal(lstm(2).init(jax.random.key(0), 1).bias, np.repeat([0.0, 1.0, 0.0, 0.0], 2))


def test_biases_of_gru_and_rnn_start_at_zero():
    params = gru(UNITS).init(jax.random.key(0), INPUTS)
    assert_equal((params.bias, params.recurrent_bias), (np.zeros(3 * UNITS), np.zeros(UNITS)))
    assert_equal(rnn(UNITS).init(jax.random.key(0), INPUTS).bias, np.zeros(UNITS))


@pytest.mark.parametrize("kind", CELLS)
def test_first_weights_follow_the_key(kind):
    init = CELLS[kind](UNITS).init
    first, again, other = (init(jax.random.key(seed), INPUTS) for seed in (0, 0, 1))
    assert_equal(first, again)
    assert difference(first.input_kernel, other.input_kernel) > 0.1
