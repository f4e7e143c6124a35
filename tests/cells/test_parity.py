"""Our layers equal PyTorch's (recorded in tests/golden) and Flax's (run here)."""

from functools import cache, partial
from itertools import product
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.cells import lstm
from lstm_jax.cells.gru import GRUParams
from lstm_jax.cells.lstm import LSTMParams, LSTMState
from lstm_jax.cells.rnn import RNNParams
from lstm_jax.layers import Directions, bidirectional, scan, stack
from lstm_jax.registry import CELLS
from tests.helpers import assert_close, random, random_weights, weighted_sum

GOLDEN = Path(__file__).parents[1] / "golden" / "recurrent.npz"
KINDS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
CASES = list(product(KINDS, (1, 2), (1, 2)))
UNITS = 5


@cache
def stored() -> dict[str, np.ndarray]:
    with np.load(GOLDEN, allow_pickle=False) as file:
        return dict(file)


def golden(kind: str, layers: int, directions: int) -> dict[str, np.ndarray]:
    case = f"{kind}-{layers}-{directions}/"
    return {name.removeprefix(case): array for name, array in stored().items() if name.startswith(case)}


def our_weights(kind: str, matrix: np.ndarray):
    input_kernel, recurrent_kernel, (b_ih,), (b_hh,) = np.split(matrix.T, [-UNITS - 2, -2, -1])
    if kind == "lstm":
        return LSTMParams(input_kernel, recurrent_kernel, b_ih + b_hh)
    if kind == "gru":
        rz, n = slice(0, 2 * UNITS), slice(2 * UNITS, None)
        return GRUParams(input_kernel, recurrent_kernel, np.append(b_ih[rz] + b_hh[rz], b_ih[n]), b_hh[n])
    return RNNParams(input_kernel, recurrent_kernel, b_ih + b_hh)


def our_gradients(kind: str, matrix: np.ndarray):
    """Our gradients. PyTorch's two biases are summed, so each has the gradient of our bias."""
    input_kernel, recurrent_kernel, (b_ih,), (b_hh,) = np.split(matrix.T, [-UNITS - 2, -2, -1])
    if kind == "lstm":
        return LSTMParams(input_kernel, recurrent_kernel, b_ih)
    if kind == "gru":
        return GRUParams(input_kernel, recurrent_kernel, b_ih, b_hh[2 * UNITS :])
    return RNNParams(input_kernel, recurrent_kernel, b_ih)


def our_state(h: np.ndarray, c: np.ndarray | None):
    return h if c is None else LSTMState(c=c, h=h)


def our_states(arrays: dict[str, np.ndarray], name: str) -> list:
    h, c = arrays[f"{name}.h"], arrays.get(f"{name}.c")
    return [our_state(h[n], None if c is None else c[n]) for n in range(len(h))]


def nested(items: list, layers: int, directions: int):
    """Converts PyTorch's flat list of layers and directions into the tree of our layer."""
    pairs = [Directions(*items[n : n + 2]) for n in range(0, len(items), 2)] if directions == 2 else items
    return tuple(pairs) if layers > 1 else pairs[0]


def our_layer(kind: str, layers: int, directions: int):
    cell = CELLS[kind](UNITS)
    layer = scan(cell)
    if directions == 2:
        layer = bidirectional(layer, scan(cell, reverse=True))
    return stack([layer] * layers) if layers > 1 else layer


@cache
def computed(kind: str, layers: int, directions: int):
    """``(y, end), gradients`` of our layer on a golden case, and the same from the recording."""
    case = golden(kind, layers, directions)
    nest = partial(nested, layers=layers, directions=directions)
    matrices = [case[f"weights.{n}"] for n in range(layers * directions)]
    slopes = [case[f"gradient.weights.{n}"] for n in range(layers * directions)]
    layer = our_layer(kind, layers, directions)

    @jax.jit
    @partial(jax.value_and_grad, argnums=(0, 1, 2), has_aux=True)
    def run(params, x, state):
        y, end = layer.apply(params, x, jnp.asarray(case["lengths"]), state=state)
        products = jax.tree.map(jnp.multiply, (y, end), (case["loss.y"], nest(our_states(case, "loss"))))
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(products)), (y, end)

    params = nest([our_weights(kind, matrix) for matrix in matrices])
    (_, values), gradients = run(params, case["x"], nest(our_states(case, "initial")))
    expected = (case["y"], nest(our_states(case, "final")))
    expected_gradients = (
        nest([our_gradients(kind, slope) for slope in slopes]),
        case["gradient.x"],
        nest(our_states(case, "gradient.initial")),
    )
    return values, expected, gradients, expected_gradients


@pytest.mark.parametrize(("kind", "layers", "directions"), CASES)
def test_values_equal_pytorch(kind, layers, directions):
    values, expected, _, _ = computed(kind, layers, directions)
    assert_close(values, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("kind", "layers", "directions"), CASES)
def test_gradients_equal_pytorch(kind, layers, directions):
    _, _, gradients, expected = computed(kind, layers, directions)
    assert_close(gradients, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_biases_of_a_gate_have_one_gradient(kind):
    slopes = golden(kind, 1, 1)["gradient.weights.0"][: 2 * UNITS]  # of the GRU only r and z
    np.testing.assert_allclose(slopes[:, -2], slopes[:, -1], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_golden_cases_are_ragged_and_not_trivial(kind):
    case = golden(kind, 2, 2)
    steps = np.arange(len(case["x"]))[:, None] < case["lengths"]
    assert len(set(case["lengths"].tolist())) > 2
    assert not case["y"][~steps].any()
    assert case["y"][steps].std() > 0.1


def test_fresh_recording_equals_the_stored_one():
    pytest.importorskip("torch")
    from tests.golden.record import record

    fresh = record()
    assert fresh.keys() == stored().keys()
    for name, array in fresh.items():
        np.testing.assert_allclose(array, stored()[name], atol=1e-6, rtol=1e-6, err_msg=name)


def flax_params(params: LSTMParams) -> dict:
    kernels = zip(
        "ifgo",
        jnp.split(params.input_kernel, 4, axis=1),
        jnp.split(params.recurrent_kernel, 4, axis=1),
        jnp.split(params.bias, 4),
        strict=True,
    )
    cell = {}
    for gate, from_input, from_hidden, bias in kernels:
        cell[f"i{gate}"] = {"kernel": from_input}
        cell[f"h{gate}"] = {"kernel": from_hidden, "bias": bias}
    return {"params": {"cell": cell}}


@pytest.mark.slow
def test_lstm_equals_flax():
    lengths = jnp.array([6, 2, 4])
    tokens = (jnp.arange(6)[:, None] < lengths[None])[:, :, None]
    x = random(0, 6, 3, 4)
    cell = lstm(UNITS)
    params = random_weights(cell, 4, 1)
    peer = nn.RNN(nn.OptimizedLSTMCell(UNITS), time_major=True, return_carry=True)

    def ours(params, x):
        y, end = scan(cell).apply(params, x, lengths)
        return y, end

    def theirs(params, x):
        (c, h), y = peer.apply(flax_params(params), x, seq_lengths=lengths)
        return jnp.where(tokens, y, 0.0), LSTMState(c=c, h=h)

    @partial(jax.jit, static_argnums=2)
    @partial(jax.grad, argnums=(0, 1), has_aux=True)
    def both(params, x, run):
        results = run(params, x)
        return weighted_sum(results), results

    (gradients, values), (their_gradients, their_values) = (both(params, x, run) for run in (ours, theirs))
    assert_close(values, their_values, atol=1e-5, rtol=0)
    assert_close(gradients, their_gradients, atol=1e-4, rtol=1e-5)
