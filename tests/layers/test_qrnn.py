"""Quasi-recurrent layers against a loop over tokens, zoneout, and the options that are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.config import Config, validate
from lstm_jax.errors import ConfigError
from lstm_jax.layers import make_layer, qrnn
from lstm_jax.layers.qrnn import QRNNState
from tests.helpers import assert_close, assert_equal, random, random_weights, randomised, weighted_sum

T, B, D, H = 4, 3, 2, 4
LENGTHS = np.array([T, 1, 2])
POOLINGS = {"f": (False, False), "fo": (True, False), "ifo": (True, True)}


def by_loop(params, x, state, window, output_gate, input_gate, reverse):
    """Outputs and final state, token by token and gate by gate."""
    y, cells, inputs = [[jnp.zeros(H)] * B for _ in range(T)], [], []
    for n in range(B):
        c, read = state.c[n], [*state.inputs[n]][::-1]
        for t in range(LENGTHS[n])[:: -1 if reverse else 1]:
            read.append(x[t, n])
            gates = params.bias + jnp.concatenate(read[: -1 - window : -1]) @ params.convolution_kernel
            z, f = jnp.tanh(gates[:H]), 1 / (1 + jnp.exp(-gates[H : 2 * H]))
            o = 1 / (1 + jnp.exp(-gates[2 * H : 3 * H])) if output_gate else 1.0
            i = 1 / (1 + jnp.exp(-gates[3 * H :])) if input_gate else 1 - f
            c = f * c + i * z
            y[t][n] = o * c
        cells.append(c)
        inputs.append(jnp.stack(read[::-1][: window - 1]) if window > 1 else state.inputs[n])
    return jnp.stack([jnp.stack(row) for row in y]), QRNNState(jnp.stack(cells), jnp.stack(inputs))


@pytest.mark.parametrize(
    ("pooling", "window", "reverse"),
    [
        ("f", 1, False),
        ("ifo", 3, True),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [("fo", 2, True), ("fo", 4, False)]),
    ],
)
def test_values_and_gradients_equal_those_of_a_loop_over_tokens(pooling, window, reverse):
    output_gate, input_gate = POOLINGS[pooling]
    layer = qrnn(H, window, output_gate, input_gate, reverse=reverse)
    params, x = random_weights(layer, D, 1), random(2, T, B, D)
    state = randomised(jax.eval_shape(layer.apply, params, x, LENGTHS)[1], 3)

    def loss(apply):
        def function(params, x, state):
            results = apply(params, x, state)
            return weighted_sum(results), results

        return jax.jit(jax.value_and_grad(function, (0, 1, 2), has_aux=True))(
            params, x, jax.tree.map(jnp.asarray, state)
        )

    found = loss(lambda params, x, state: layer.apply(params, x, jnp.asarray(LENGTHS), None, state))
    expected = loss(lambda *given: by_loop(*given, window, output_gate, input_gate, reverse))
    assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_implementations_agree():
    x, results = random(2, T, B, D), []
    for implementation in ("auto", "loop", "associative_scan"):
        layer = make_layer("qrnn", H, implementation=implementation, window=3)
        results.append(jax.jit(layer.apply)(random_weights(layer, D, 1), x, LENGTHS))
    assert_close(results[1], results[0])
    assert_close(results[2], results[0])


def test_products_round_their_operands_alone():
    x, params = random(2, T, B, D), random_weights(qrnn(H), D, 1)
    rounded = lambda array: np.asarray(jnp.asarray(array).astype("bfloat16").astype("float32"))
    found = jax.jit(qrnn(H, matmul_dtype="bfloat16").apply)(params, x, LENGTHS)
    exact = params._replace(convolution_kernel=rounded(params.convolution_kernel))
    assert_close(found[0], jax.jit(qrnn(H).apply)(exact, rounded(x), LENGTHS)[0])


def test_first_weights():
    params = qrnn(H, window=3).init(jax.random.key(0), D)
    assert params.convolution_kernel.shape == (3 * D, 3 * H)
    limit = np.sqrt(6 / (3 * D + H))  # Glorot's, with the fans of one gate.
    assert 0.8 * limit < np.abs(params.convolution_kernel).max() <= limit
    assert not params.bias.any()


def test_inputs_of_another_size_are_refused():
    layer = make_layer("qrnn", H)
    with pytest.raises(ValueError, match="with D = 3 its weights have the shapes"):
        jax.jit(layer.apply)(random_weights(layer, D, 1), random(2, T, B, 3), LENGTHS)


def test_gates_are_those_of_the_step():
    layer = qrnn(H, input_gate=True)
    params, x = random_weights(layer, D, 1), random(2, T, B, D)
    gates = jax.jit(layer.gates)(params, x, LENGTHS)
    assert set(gates) == {"input gate", "forget gate", "candidate", "output gate", "cell state"}
    c = np.zeros((B, H))
    for t in range(LENGTHS.min()):
        c = gates["forget gate"][t] * c + gates["input gate"][t] * gates["candidate"][t]
        assert_close(gates["cell state"][t], c)
    y, _ = jax.jit(layer.apply)(params, x, LENGTHS)
    alive = (np.arange(T)[:, None] < LENGTHS)[:, :, None]
    assert_close(y, np.where(alive, gates["output gate"] * gates["cell state"], 0))


MANY, STEPS, UNITS, RATE = 60, 8, 16, 0.3
KEYS = jax.random.split(jax.random.key(0), MANY)
ZONEOUT = qrnn(UNITS, output_gate=False, zoneout=RATE)
PARAMS = random_weights(ZONEOUT, D, 1)
X, FULL = random(2, STEPS, MANY, D), np.full(MANY, STEPS)
zoned = jax.jit(ZONEOUT.apply)


def test_zoneout_keeps_states_at_its_rate_and_changes_no_other():
    y = np.asarray(zoned(PARAMS, X, FULL, KEYS)[0])
    before = np.concatenate([np.zeros((1, MANY, UNITS)), y[:-1]])
    kept = y == before
    assert abs(kept.mean() - RATE) < 4 * np.sqrt(RATE * (1 - RATE) / kept.size)
    assert np.abs(np.corrcoef(kept.reshape(STEPS, -1))[np.triu_indices(STEPS, 1)]).max() < 4 / np.sqrt(MANY * UNITS)
    gates = jax.tree.map(np.asarray, jax.jit(ZONEOUT.gates)(PARAMS, X, FULL))
    stepped = gates["forget gate"] * before + (1 - gates["forget gate"]) * gates["candidate"]
    assert_close(y[~kept], stepped[~kept], atol=1e-5)


def test_zoneout_depends_on_neither_neighbours_nor_bucket_and_needs_keys():
    y, _ = zoned(PARAMS, X, FULL - 2, KEYS)
    own = slice(3, 5)
    alone, _ = zoned(PARAMS, X[: STEPS - 2, own], FULL[own] - 2, KEYS[own])
    assert_close(y[: STEPS - 2, own], alone)
    plain = qrnn(UNITS, output_gate=False)
    assert_equal(*(jax.jit(layer.apply)(PARAMS, X, FULL) for layer in (ZONEOUT, plain)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window of the layer 'qrnn' is 0; a gate sees at least 1 input"),
        ({"zoneout": 1.0}, "zoneout of the layer 'qrnn' is 1.0; it must be at least 0 and below 1"),
        ({"zoneout": -0.1}, "it must be at least 0"),
        ({"output_gate": 0, "input_gate": 1}, "none with an input gate alone; set output_gate=1"),
        ({"zoneout": 0.1, "input_gate": 1}, "cannot be combined"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(ConfigError, match=message):
        make_layer("qrnn", H, **options)
    config = Config()
    config.model.layer, config.model.layer_options = "qrnn", options
    with pytest.raises(ConfigError, match=f"config.model.layer_options: .*{message}"):
        validate(config)


def test_shapes_of_the_state():
    layer = qrnn(H, window=3)
    _, state = jax.eval_shape(layer.apply, random_weights(layer, D, 1), random(2, T, B, D), LENGTHS)
    assert (state.c.shape, state.inputs.shape) == ((B, H), (B, 2, D))
