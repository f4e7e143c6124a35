"""minGRU and minLSTM against loops over tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.layers import make_layer, min_gru, min_lstm
from tests.helpers import assert_close, random, random_weights, weighted_sum

T, B, D, H = 4, 3, 2, 4
LENGTHS = np.array([T, 1, 2])


def sigmoid(x):
    return 1 / (1 + jnp.exp(-x))


def gru_step(gates, h):
    z = sigmoid(gates[:H])
    return (1 - z) * h + z * gates[H:]


def lstm_step(gates, h):
    f, i = sigmoid(gates[:H]), sigmoid(gates[H : 2 * H])
    return f / (f + i) * h + i / (f + i) * gates[2 * H :]


STEPS = {"min_gru": gru_step, "min_lstm": lstm_step}


def by_loop(step, params, x, h, reverse):
    y, ends = [[jnp.zeros(H)] * B for _ in range(T)], []
    for n in range(B):
        own = h[n]
        for t in range(LENGTHS[n])[:: -1 if reverse else 1]:
            own = step(x[t, n] @ params.input_kernel + params.bias, own)
            y[t][n] = own
        ends.append(own)
    return jnp.stack([jnp.stack(row) for row in y]), jnp.stack(ends)


@pytest.mark.parametrize(
    ("name", "reverse", "implementation"), [("min_gru", False, "associative_scan"), ("min_lstm", True, "loop")]
)
def test_values_and_gradients_equal_those_of_a_loop_over_tokens(name, reverse, implementation):
    layer = make_layer(name, H, reverse=reverse, implementation=implementation)
    given = random_weights(layer, D, 1), jnp.asarray(random(2, T, B, D)), jnp.asarray(random(3, B, H))

    def results_and_gradients(apply):
        loss = lambda *given: (weighted_sum(results := apply(*given)), results)
        return jax.jit(jax.value_and_grad(loss, (0, 1, 2), has_aux=True))(*given)

    found = results_and_gradients(lambda params, x, h: layer.apply(params, x, jnp.asarray(LENGTHS), None, h))
    expected = results_and_gradients(lambda params, x, h: by_loop(STEPS[name], params, x, h, reverse))
    assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_gates_that_both_round_to_zero_still_have_a_quotient():
    params = min_lstm(1).init(jax.random.key(0), 1)._replace(input_kernel=jnp.ones((1, 3)))
    bias = jnp.asarray([-100.0, -101.0, 1.0])
    y, _ = jax.jit(min_lstm(1).apply)(params._replace(bias=bias), jnp.zeros((1, 1, 1)), np.ones(1, int))
    assert_close(y, np.full((1, 1, 1), 1 / (1 + np.e), np.float32))


@pytest.mark.parametrize(("make", "enters"), [(min_gru, "update gate"), (min_lstm, "input gate")])
def test_gates_are_those_of_the_step(make, enters):
    layer = make(H)
    params, x = random_weights(layer, D, 1), random(2, T, B, D)
    gates = jax.jit(layer.gates)(params, x, LENGTHS)
    assert set(gates) == {"forget gate", enters, "candidate", "hidden state"}
    h = gates["hidden state"]
    assert_close(gates["forget gate"] + gates[enters], np.ones((T, B, H)))
    assert_close(h[1, 0], gates["forget gate"][1, 0] * h[0, 0] + (gates[enters] * gates["candidate"])[1, 0])
    alive = (np.arange(T)[:, None] < LENGTHS)[:, :, None]
    assert_close(jax.jit(layer.apply)(params, x, LENGTHS)[0], np.where(alive, h, 0))


@pytest.mark.parametrize("make", [min_gru, min_lstm])
def test_products_round_their_operands_alone(make):
    x, params = random(2, T, B, D), random_weights(make(H), D, 1)
    rounded = lambda array: np.asarray(jnp.asarray(array).astype("bfloat16").astype("float32"))
    found = jax.jit(make(H, matmul_dtype="bfloat16").apply)(params, x, LENGTHS)
    exact = params._replace(input_kernel=rounded(params.input_kernel))
    assert_close(found, jax.jit(make(H).apply)(exact, rounded(x), LENGTHS))
