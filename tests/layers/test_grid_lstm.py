"""Grid LSTM beside a slow loop over the paper's equations: blocks of one to three dimensions, and time × depth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.errors import ConfigError
from lstm_jax.layers import grid_block, grid_lstm, make_layer
from lstm_jax.layers.grid_lstm import Side, TransformParams
from tests import helpers
from tests.helpers import assert_close, difference, randomised, weighted_sum

T, B, D, H = 3, 2, 3, 2
LENGTHS = jnp.array([T, 1])
DEPTH = 2


def random(*given, **options):
    return jnp.asarray(helpers.random(*given, **options))


def random_weights(layer):
    return jax.tree.map(jnp.asarray, helpers.random_weights(layer, D, 1))


def slow_transform(params, hiddens, m):
    """The LSTM along one dimension for one example, one gate at a time: equation 1."""
    seen = jnp.concatenate(hiddens)
    i, f, g, o = (seen @ params.kernel[:, k * H : (k + 1) * H] + params.bias[k * H : (k + 1) * H] for k in range(4))
    m = m / (1 + jnp.exp(-f)) + jnp.tanh(g) / (1 + jnp.exp(-i))
    return m, jnp.tanh(m / (1 + jnp.exp(-o)))


def slow_block(params, sides, first_to_last):
    """A block for one example; the dimensions of each group see the new hidden vectors of the groups before it."""
    sides = list(sides)
    for group in first_to_last:
        hiddens = [h for _, h in sides]
        for n in group:
            sides[n] = slow_transform(params[n], hiddens, sides[n][0])
    return sides


@pytest.mark.parametrize(
    ("dimensions", "priority", "order"),
    [
        (1, (), [[0]]),
        (2, (), [[0, 1]]),
        (2, (1,), [[0], [1]]),
        (3, (), [[0, 1, 2]]),
        (3, (1,), [[0, 2], [1]]),
        pytest.param(3, (2, 0), [[1], [2], [0]], marks=pytest.mark.slow),
    ],
)
def test_a_block_of_any_dimensions_equals_the_equations(dimensions, priority, order):
    params = [TransformParams(random(n, dimensions * H, 4 * H), random(10 + n, 4 * H)) for n in range(dimensions)]
    sides = [Side(random(20 + n, B, H), random(30 + n, B, H)) for n in range(dimensions)]

    def fast(params, sides):
        after = grid_block(params, sides, priority)
        return weighted_sum([tuple(side) for side in after]), after

    def slow(params, sides):
        each = [slow_block(params, [(m[n], h[n]) for m, h in sides], order) for n in range(B)]
        after = jax.tree.map(lambda *rows: jnp.stack(rows), *each)
        return weighted_sum(after), [Side(*side) for side in after]

    found, expected = (jax.jit(jax.grad(own, (0, 1), has_aux=True))(params, sides) for own in (fast, slow))
    assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_dimension_may_be_no_lstm():
    params = (
        TransformParams(random(0, 2 * H, 4 * H), random(1, 4 * H)),
        lambda hiddens: jnp.maximum(hiddens, 0)[:, :H],
    )
    sides = [Side(random(2 + n, B, H), random(4 + n, B, H)) for n in range(2)]
    _, other = grid_block(params, sides, priority=(1,))
    time, _ = grid_block((params[0], params[0]), sides)
    assert_close(other, Side(sides[1].m, jnp.maximum(time.h, 0)))


def slow_grid(params, x, state, reverse, priority, tied):
    """Time × depth for one example without padding, a token and a layer at a time."""
    order, y = [[0], [1]] if priority else [[0, 1]], [None] * len(x)
    state = list(state)
    for t in range(len(x))[:: -1 if reverse else 1]:
        entered = x[t] @ params.input_kernel + params.bias
        up = entered[:H], entered[H:]
        for n in range(DEPTH):
            state[n], up = slow_block(params.layers[0 if tied else n], [state[n], up], order)
        y[t] = up[1]
    return jnp.stack(y), tuple(state)


@pytest.mark.parametrize(
    ("reverse", "priority", "tied"), [(True, True, False), pytest.param(False, False, True, marks=pytest.mark.slow)]
)
def test_the_layer_equals_a_loop_over_tokens_and_layers(reverse, priority, tied):
    layer = grid_lstm(H, depth=DEPTH, tied=tied, priority=priority, reverse=reverse)
    params, x = random_weights(layer), random(2, T, B, D)
    assert len(params.layers) == (1 if tied else DEPTH)
    _, end = jax.eval_shape(layer.apply, params, x, LENGTHS)
    state = randomised(end, 3)

    def fast(params, x, state):
        y, end = layer.apply(params, x, LENGTHS, None, state)
        return weighted_sum((y, end)), (y, end)

    def slow(params, x, state):
        each = []
        for n, length in enumerate(LENGTHS.tolist()):
            own = jax.tree.map(lambda array, n=n: array[n], state)
            y, end = slow_grid(params, x[:length, n], map(tuple, own), reverse, priority, tied)
            each.append((jnp.pad(y, ((0, T - length), (0, 0))), tuple(Side(*side) for side in end)))
        y, end = (
            jnp.stack([y for y, _ in each], 1),
            jax.tree.map(lambda *rows: jnp.stack(rows), *[e for _, e in each]),
        )
        return weighted_sum((y, end)), (y, end)

    found, expected = (jax.jit(jax.grad(own, (0, 1, 2), has_aux=True))(params, x, state) for own in (fast, slow))
    assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("priority", [0, 1])
def test_what_a_picture_shows_gives_the_outputs(priority):
    layer = make_layer("grid_lstm", H, depth=2, priority=priority)
    params, x = random_weights(layer), random(2, T, B, D)
    (y, _), seen = layer.apply(params, x, LENGTHS), layer.gates(params, x, LENGTHS)
    assert_close(jnp.tanh(seen["depth: output gate"] * seen["depth: cell state"]), y)
    time = {name.removeprefix("time: "): array[:, 0] for name, array in seen.items()}
    state = np.zeros(H)
    for t in range(T):
        state = time["forget gate"][t] * state + time["input gate"][t] * time["candidate"][t]
        assert_close(time["cell state"][t], state)
    assert len(seen) == 10


def test_rounding_reaches_every_product():
    layer, rounded = grid_lstm(H), grid_lstm(H, matmul_dtype="bfloat16")
    params, x = random_weights(layer), random(2, T, B, D)
    (y, _), (near, _) = (own.apply(params, x, LENGTHS) for own in (layer, rounded))
    assert 1e-4 < difference(y, near) < 0.05


def test_a_grid_without_layers_is_refused():
    with pytest.raises(ConfigError, match="a grid of 0 layers cannot be made; set depth to 1 or more"):
        make_layer("grid_lstm", H, depth=0)
