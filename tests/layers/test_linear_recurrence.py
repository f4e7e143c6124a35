"""The linear recurrence against a loop in NumPy: values, derivatives, platforms."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from lstm_jax.errors import ConfigError
from lstm_jax.layers.linear_recurrence import IMPLEMENTATIONS, linear_recurrence
from tests.helpers import assert_close, assert_equal, random, weighted_sum

B, H = 2, 3

every_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
both_ways = pytest.mark.parametrize("reverse", [False, True])


def arguments(steps: int):
    return tuple(map(jnp.asarray, (random(0, steps, B, H, scale=0.7), random(1, steps, B, H), random(2, B, H))))


@every_implementation
@both_ways
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_states_equal_those_of_a_loop(steps, implementation, reverse):
    a, b, h = arguments(steps)
    found = jax.jit(linear_recurrence, static_argnums=(3, 4))(a, b, h, implementation, reverse)
    expected = np.zeros((steps, B, H), np.float32)
    for t in range(steps)[:: -1 if reverse else 1]:
        h = expected[t] = a[t] * h + b[t]
    assert_close(found, expected)


@pytest.mark.parametrize("implementation", ["loop", "associative_scan"])
@both_ways
def test_derivatives_equal_those_of_a_scan(implementation, reverse):
    """Second derivatives too: the gradient is a linear recurrence itself."""

    def scanned(a, b, first):
        return jax.lax.scan(lambda h, own: (own[0] * h + own[1],) * 2, first, (a, b), reverse=reverse)[1]

    @partial(jax.jit, static_argnums=0)
    def derivatives(function, *given):
        gradient = jax.grad(lambda *own: weighted_sum(jnp.sin(function(*own))), (0, 1, 2))
        return jax.jvp(gradient, given, arguments(4))

    function = partial(linear_recurrence, implementation=implementation, reverse=reverse)
    given = tuple(0.5 + each for each in arguments(4))
    assert_close(derivatives(function, *given), derivatives(scanned, *given), atol=1e-5, rtol=1e-5)


@every_implementation
def test_lanes(implementation):
    a, b, first = arguments(5)
    function = jax.jit(partial(linear_recurrence, implementation=implementation))
    found = jax.jit(jax.vmap(function, (0, None, 0)))(jnp.stack([a, 2 * a]), b, jnp.stack([first, -first]))
    alone = [function(a, b, first), function(2 * a, b, -first)]
    assert_close(found, np.stack(alone))


def test_auto_is_the_loop_on_cpus_alone():
    shapes = [jax.ShapeDtypeStruct(each.shape, jnp.float32) for each in arguments(6)]

    def lowered(implementation: str, platform: str) -> str:
        function = jax.jit(partial(linear_recurrence, implementation=implementation))
        return export.export(function, platforms=[platform])(*shapes).mlir_module()

    assert "stablehlo.while" in lowered("auto", "cpu")
    for platform in ("cuda", "tpu"):
        assert "stablehlo.while" not in lowered("auto", platform)
        assert "stablehlo.while" in lowered("loop", platform)
    assert "stablehlo.while" not in lowered("associative_scan", "cpu")


def test_programs_for_any_size_take_the_loop():
    steps, batch = export.symbolic_shape("T, B")
    shapes = [jax.ShapeDtypeStruct(each, jnp.float32) for each in [(steps, batch, H)] * 2 + [(batch, H)]]
    program = export.export(jax.jit(linear_recurrence), platforms=["cpu", "tpu"])(*shapes)
    assert_close(program.call(*arguments(4)), jax.jit(linear_recurrence)(*arguments(4)))


def test_a_step_of_one_and_zero_keeps_the_state_exactly():
    a, b, first = arguments(4)
    a, b = a.at[2:].set(1), b.at[2:].set(0)
    for implementation in IMPLEMENTATIONS:
        h = jax.jit(partial(linear_recurrence, implementation=implementation))(a, b, first)
        assert_equal(h[2:], np.broadcast_to(h[1], (2, B, H)))


def test_an_unknown_implementation():
    with pytest.raises(ConfigError, match="no implementation 'lop'; did you mean 'loop'"):
        linear_recurrence(*arguments(2), "lop")
