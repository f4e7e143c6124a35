"""The diagonal LSTM: its loop beside the peephole LSTM with diagonal matrices, Newton's iterations beside its loop."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from lstm_jax.cells.peephole_lstm import PeepholeParams, peephole_lstm
from lstm_jax.errors import ConfigError
from lstm_jax.layers import diagonal_lstm, make_layer, scan
from lstm_jax.layers.diagonal_lstm import DiagonalParams
from tests import helpers
from tests.helpers import assert_close, assert_equal, difference, randomised, weighted_sum

T, B, D, H = 8, 3, 3, 4
LENGTHS = jnp.array([T, 5, 0])


def random(*given):
    return jnp.asarray(helpers.random(*given))


def weights(scale: float = 0.5) -> DiagonalParams:
    shapes = jax.eval_shape(lambda: diagonal_lstm(H).init(jax.random.key(0), D))
    return jax.tree.map(jnp.asarray, randomised(shapes, 1, scale))


def results(layer, params, x, state, wrap=lambda params: params):
    """Outputs and final state, and the gradients of a scalar of them."""

    def loss(params, x, state):
        y, end = layer.apply(wrap(params), x, LENGTHS, None, state)
        return weighted_sum((y, end)), (y, end)

    return jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(params, x, state)


def inputs():
    layer, x = diagonal_lstm(H), random(2, T, B, D)
    _, end = jax.eval_shape(layer.apply, weights(), x, LENGTHS)
    return x, jax.tree.map(jnp.asarray, randomised(end, 3))


def with_matrices(params: DiagonalParams) -> PeepholeParams:
    matrices = [jnp.diag(own) for own in jnp.split(params.diagonal, 4)]
    return PeepholeParams(params.input_kernel, jnp.concatenate(matrices, axis=1), params.bias, params.peephole)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_loop_equals_a_peephole_lstm_with_diagonal_matrices(reverse):
    x, state = inputs()
    found = results(diagonal_lstm(H, reverse=reverse, implementation="loop"), weights(), x, state)
    expected = results(scan(peephole_lstm(H), reverse), weights(), x, state, with_matrices)
    assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("scale", "reverse"),
    [(3.0, False), *(pytest.param(*own, marks=pytest.mark.slow) for own in ((0.5, False), (0.5, True), (3.0, True)))],
)
def test_newton_equals_the_loop_in_values_and_gradients(scale, reverse):
    x, state = inputs()
    layers = (diagonal_lstm(H, reverse=reverse, implementation=own) for own in ("newton", "loop"))
    found, expected = (results(layer, weights(scale), x, state) for layer in layers)
    assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_iterations_are_exact_up_to_their_number():
    x, state = inputs()
    full = jnp.full(B, T)
    expected, _ = diagonal_lstm(H, implementation="loop").apply(weights(3.0), x, full, None, state)
    for count in (2, T + 5):
        y, _ = jax.jit(diagonal_lstm(H, count, implementation="newton").apply)(weights(3.0), x, full, None, state)
        assert_close(y[:count], expected[:count], atol=1e-5)
        if count < T:
            assert difference(y[count:], expected[count:]) > 1e-3


def test_automatic_is_the_loop_on_cpus_and_newton_elsewhere():
    x, lengths = random(2, T, B, D), LENGTHS
    text = {}
    for platform in ("cpu", "tpu"):
        for own in ("auto", "loop", "newton"):
            lowered = jax.jit(diagonal_lstm(H, implementation=own).apply).trace(weights(), x, lengths)
            text[own] = lowered.lower(lowering_platforms=(platform,)).as_text().count("stablehlo.concatenate")
        assert (
            text["auto"]
            == text["loop" if platform == "cpu" else "newton"]
            != text["newton" if platform == "cpu" else "loop"]
        )


@pytest.mark.slow
def test_lanes_are_solved_side_by_side():
    x, state = inputs()
    layer = diagonal_lstm(H, implementation="newton")
    lanes = jax.tree.map(lambda *leaves: jnp.stack(leaves), weights(0.5), weights(3.0))
    both = jax.jit(jax.vmap(partial(layer.apply, x=x, lengths=LENGTHS, state=state)))(lanes)
    for n, scale in enumerate((0.5, 3.0)):
        assert_close(
            jax.tree.map(lambda leaf, n=n: leaf[n], both),
            layer.apply(weights(scale), x, LENGTHS, None, state),
            atol=1e-5,
        )


def test_what_a_picture_shows_gives_the_outputs():
    layer, x = make_layer("diagonal_lstm", H), random(2, T, B, D)
    y, _ = layer.apply(weights(), x, LENGTHS)
    seen = layer.gates(weights(), x, LENGTHS)
    assert_close(seen["output gate"] * jnp.tanh(seen["cell state"]), y)


def test_no_tokens_leave_the_state_as_it_is():
    x, state = inputs()
    for reverse in (False, True):
        y, end = diagonal_lstm(H, reverse=reverse, implementation="newton").apply(
            weights(), x[:0], LENGTHS * 0, None, state
        )
        assert y.shape == (0, B, H)
        assert_equal(end, state)


def test_negative_iterations_and_unknown_implementations_are_refused():
    with pytest.raises(ConfigError, match="-1 iterations cannot be made; set iterations to 0"):
        make_layer("diagonal_lstm", H, iterations=-1)
    with pytest.raises(ConfigError, match="no implementation 'newtons'; did you mean 'newton'"):
        diagonal_lstm(H, implementation="newtons")
