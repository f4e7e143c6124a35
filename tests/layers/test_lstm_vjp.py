"""The custom VJP against ``jax.grad`` of the scan, and against finite differences."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.test_util import check_grads

from lstm_jax.cells import lstm
from lstm_jax.layers import bidirectional, lstm_vjp, scan, segmented, stack
from tests.helpers import (
    assert_close,
    assert_equal,
    difference,
    random,
    random_weights,
    randomised,
    slow_but,
    weighted_sum,
)

T, B, D, H = 6, 4, 3, 5
RAGGED = np.array([T, 0, 2, 4])
KEYS = jax.random.split(jax.random.key(0), B)
IMPLEMENTATIONS = {
    "scan": lambda reverse: scan(lstm(H), reverse),
    "custom_vjp": lambda reverse: lstm_vjp(H, reverse=reverse),
    "blocks of 2": lambda reverse: lstm_vjp(H, reverse=reverse, block=2, gatewise=True),
    "blocks of 4": lambda reverse: lstm_vjp(H, reverse=reverse, block=4),  # the last block is shorter
    "one block": lambda reverse: lstm_vjp(H, reverse=reverse, block=0),
}
# Compositions of layers, each from a function that makes the layer of one direction.
COMPOSED = {
    "forward": lambda one: one(False),
    "backward": lambda one: one(True),
    "both": lambda one: bidirectional(one(False), one(True)),
    "tower": lambda one: stack([bidirectional(one(False), one(True))] * 2, dropout=0.5, residual=True),
    "segments": lambda one: segmented(stack([one(False), one(True)]), 4),
}
some_lengths = st.lists(st.integers(0, T), min_size=B, max_size=B).map(np.array)


def loss_of(layer):
    """A scalar of all outputs and of the final state, and both of them."""

    def loss(params, x, state, lengths):
        results = layer.apply(params, x, lengths, KEYS, state)
        return weighted_sum(results), results

    return loss


@cache
def made(composition: str):
    """Random weights and a random first state, and each implementation's gradients and results as one function."""
    layers = {name: COMPOSED[composition](one) for name, one in IMPLEMENTATIONS.items()}
    params = random_weights(layers["scan"], D, 1)
    _, state = jax.eval_shape(layers["scan"].apply, params, random(0, T, B, D), RAGGED)
    compiled = [jax.jit(jax.grad(loss_of(layer), (0, 1, 2), has_aux=True)) for layer in layers.values()]
    return params, randomised(state, 2), *compiled


@pytest.mark.parametrize("composition", slow_but(COMPOSED, "forward", "backward"))
@given(lengths=some_lengths)
def test_results_and_gradients_equal_those_of_the_scan(composition, lengths):
    params, state, by_autodiff, *custom = made(composition)
    x = random(3, T, B, D)
    expected = by_autodiff(params, x, state, lengths)
    for by_vjp in custom:
        assert_close(by_vjp(params, x, state, lengths), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("block", [0, 4])
def test_products_of_rounded_operands_are_near_those_of_whole_ones(reverse, block):
    layers = [scan(lstm(H), reverse), lstm_vjp(H, reverse=reverse, matmul_dtype="bfloat16", block=block)]
    params, state = random_weights(layers[0], D, 1), randomised(lstm(H).initial_state(B), 2)
    x = random(3, T, B, D)
    exact, rounded = (jax.jit(jax.grad(loss_of(layer), (0, 1, 2), has_aux=True)) for layer in layers)
    expected, found = exact(params, x, state, RAGGED), rounded(params, x, state, RAGGED)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(found))
    assert_close(found, expected, atol=0.1, rtol=0.02)
    assert difference(found[0][0].input_kernel, expected[0][0].input_kernel) > 1e-4


@pytest.mark.parametrize("reverse", slow_but([False, True], True))
@pytest.mark.slow
def test_gradients_of_rounded_products_add_up_in_float32_by_custom_vjp_and_by_autodiff(reverse):
    steps = 300  # A sum over so many steps in bfloat16 would lose most of them.
    lengths, x = jnp.full(B, steps), jnp.asarray(random(3, steps, B, D))
    layers = [
        scan(lstm(H, matmul_dtype="bfloat16"), reverse),
        lstm_vjp(H, reverse=reverse, matmul_dtype="bfloat16"),
    ]
    params = random_weights(layers[0], D, 1)
    by_scan, by_vjp = (
        jax.jit(jax.grad(lambda p, layer=layer: layer.apply(p, x, lengths)[0].sum())) for layer in layers
    )
    expected, found = by_scan(params), by_vjp(params)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(expected))
    for one, other in zip(found, expected, strict=True):
        assert difference(one, other) < 2e-3 * np.abs(other).max()


@pytest.mark.parametrize("gatewise", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_what_padding_holds_touches_nothing(reverse, gatewise):
    layer = lstm_vjp(H, reverse=reverse, block=4, gatewise=gatewise)
    params, state = random_weights(layer, D, 1), randomised(lstm(H).initial_state(B), 2)
    x = random(3, T, B, D)
    spoilt = jnp.where((jnp.arange(T)[:, None] < RAGGED[None])[:, :, None], x, jnp.nan)
    run = jax.jit(jax.grad(loss_of(layer), (0, 1, 2), has_aux=True))
    assert_equal(run(params, spoilt, state, RAGGED), run(params, x, state, RAGGED))


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_equal_finite_differences(reverse):
    layer = lstm_vjp(H, reverse=reverse)
    with jax.enable_x64(True):
        params, x = random_weights(layer, D, 1), random(3, T, B, D)
        state = randomised(lstm(H).initial_state(B), 2)
        params, x, state = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (params, x, state))
        run = jax.jit(lambda params, x, state: layer.apply(params, x, jnp.asarray(RAGGED), None, state))
        assert run(params, x, state)[0].dtype == jnp.float64
        check_grads(run, (params, x, state), order=1, modes=["rev"], atol=1e-7, rtol=1e-7, eps=1e-5)


def test_weights_are_those_of_the_cell():
    for forget_bias in (1.0, 2.5):
        own = lstm_vjp(H, forget_bias).init(jax.random.key(1), D)
        assert_equal(own, lstm(H, forget_bias).init(jax.random.key(1), D))


def mapped(function):
    return lambda *trees: jax.lax.map(lambda each: function(*each), trees)


@pytest.mark.slow
@pytest.mark.parametrize("over_lanes", [jax.vmap, mapped], ids=["vmap", "map"])
def test_lanes_side_by_side_equal_each_alone(over_lanes):
    params, state, _, by_vjp, *_ = made("both")
    lanes = [randomised(params, seed) for seed in (10, 20, 30)]
    x, states = random(3, T, B, D), [randomised(state, seed) for seed in (40, 50, 60)]
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *zip(lanes, states, strict=True))
    found = jax.jit(over_lanes(lambda own, first: by_vjp(own, x, first, RAGGED)))(*together)
    for n, (own, first) in enumerate(zip(lanes, states, strict=True)):
        alone = by_vjp(own, x, first, RAGGED)
        assert_close(jax.tree.map(lambda leaf, n=n: leaf[n], found), alone, atol=1e-5, rtol=1e-5)
    assert difference(found[0][0].forward.bias[0], found[0][0].forward.bias[1]) > 0.1
