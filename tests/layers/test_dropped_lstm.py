"""Dropout inside the recurrence: masks, means, and a slow loop with the same masks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.cells import lstm
from lstm_jax.cells.lstm import LSTMParams, LSTMState
from lstm_jax.cells.reference import lstm_step
from lstm_jax.config import DropoutConfig, ModelConfig
from lstm_jax.errors import ConfigError
from lstm_jax.layers import dropped_lstm, make_layer, segmented, stack
from lstm_jax.layers.dropout import feature_dropout, fold_in
from lstm_jax.models.classifier import DropoutRates, TextClassifier
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

T, B, D, H = 6, 3, 5, 4
LENGTHS = jnp.array([T, 2, 4])
KEYS = jax.random.split(jax.random.key(3), B)
NAMES = ("variational_lstm", "weight_drop_lstm")
PARAMS = jax.tree.map(jnp.asarray, random_weights(lstm(H), D, 1))
X = jnp.asarray(random(0, T, B, D)).at[3:, 1].set(np.nan)  # Padding may hold anything.


def loop(params, x, masks, reverse):
    """Outputs and final states of a slow loop; ``masks`` are those of h, one per example."""
    state, y = LSTMState(jnp.zeros((B, H)), jnp.zeros((B, H))), [None] * T
    for t in range(T)[:: -1 if reverse else 1]:
        alive = (t < LENGTHS)[:, None]
        x_t = jnp.where(alive, x[t], 0.0)
        after = jax.vmap(lstm_step, (None, 0, 0))(params, LSTMState(state.c, state.h * masks), x_t)
        state = jax.tree.map(lambda new, old, alive=alive: jnp.where(alive, new, old), after, state)
        y[t] = jnp.where(alive, state.h, 0.0)
    return jnp.stack(y), state


def variational_loop(params, x, reverse):
    x = feature_dropout(fold_in(KEYS, 0), x, 0.25)
    return loop(params, x, feature_dropout(fold_in(KEYS, 1), jnp.ones((B, H)), 0.5), reverse)


def weight_drop_loop(params, x, reverse):
    keep = jax.random.bernoulli(dropped_lstm._batch_key(KEYS), 0.5, (H, 4 * H))
    return loop(params._replace(recurrent_kernel=2 * keep * params.recurrent_kernel), x, jnp.ones((B, H)), reverse)


def applied(layer, *arguments):
    return jax.jit(layer.apply)(*arguments)


LOOPS = {"variational_lstm": variational_loop, "weight_drop_lstm": weight_drop_loop}
OPTIONS = {"variational_lstm": {"input_dropout": 0.25}, "weight_drop_lstm": {}}


@pytest.mark.parametrize("reverse", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", slow_but(NAMES, "variational_lstm"))
def test_values_and_gradients_equal_a_slow_loop_with_the_same_masks(name, reverse):
    layer = make_layer(name, H, reverse=reverse, **OPTIONS[name])

    @partial(jax.jit, static_argnums=2)
    @partial(jax.grad, argnums=(0, 1), has_aux=True)
    def both(params, x, run):
        results = run(params, x)
        return weighted_sum(results), results

    fast = lambda params, x: layer.apply(params, x, LENGTHS, KEYS)
    (gradients, values), (slow_gradients, slow_values) = (
        both(PARAMS, X, run) for run in (fast, partial(LOOPS[name], reverse=reverse))
    )
    assert_close(values, slow_values)
    assert_close(gradients, slow_gradients, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("implementation", slow_but(["auto", "custom_vjp", "scan"], "auto"))
@pytest.mark.parametrize("name", NAMES)
def test_without_keys_or_rates_it_is_the_lstm(name, implementation):
    plain = make_layer("lstm", H, implementation=implementation, reverse=True, forget_bias=0.5)
    expected = applied(plain, PARAMS, X, LENGTHS)
    layer = make_layer(name, H, implementation=implementation, reverse=True, forget_bias=0.5)
    assert_equal(applied(layer, PARAMS, X, LENGTHS), expected)
    off = {"recurrent_dropout": 0} if name == "variational_lstm" else {"weight_dropout": 0}
    layer = make_layer(name, H, implementation=implementation, reverse=True, forget_bias=0.5, **off)
    assert_equal(applied(layer, PARAMS, X, LENGTHS, KEYS), expected)
    assert_equal(layer.init(jax.random.key(1), D), plain.init(jax.random.key(1), D))
    assert difference(applied(layer, PARAMS, X, LENGTHS)[0], 0) > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_over_masks_is_the_product_without_them(name):
    """With small weights a cell is linear in h, so means of results are results of means."""
    small = LSTMParams(jnp.zeros((D, 4 * H)), 1e-3 * PARAMS.recurrent_kernel, jnp.zeros(4 * H))
    state, x = LSTMState(jnp.zeros((1, H)), jnp.ones((1, H))), jnp.zeros((1, 1, D))
    layer = make_layer(name, H)
    once = lambda key: layer.apply(small, x, jnp.array([1]), key, state)[1].c[0]
    found = jax.jit(jax.vmap(once))(jax.random.split(jax.random.key(0), 4000)[:, None])
    expected = layer.apply(small, x, jnp.array([1]), None, state)[1].c[0]
    deviation = np.asarray(found).std(axis=0)
    assert (deviation > 1e-5).all()
    assert (np.abs(np.asarray(found).mean(axis=0) - expected) < 4 * deviation / np.sqrt(4000)).all()


def test_inputs_of_an_example_lose_the_same_features_at_every_step():
    layer = make_layer("variational_lstm", H, input_dropout=0.5, recurrent_dropout=0)
    dropped = feature_dropout(fold_in(KEYS, 0), X, 0.5)
    assert_equal(applied(layer, PARAMS, X, LENGTHS, KEYS), applied(make_layer("lstm", H), PARAMS, dropped, LENGTHS))


def test_the_mask_of_an_example_follows_its_own_key():
    layer = make_layer("variational_lstm", H)
    y, _ = applied(layer, PARAMS, X, LENGTHS, KEYS)
    alone, _ = applied(layer, PARAMS, X[:, 2:], LENGTHS[2:], KEYS[2:])
    assert_close(alone, y[:, 2:])
    other, _ = applied(layer, PARAMS, X, LENGTHS, KEYS.at[0].set(jax.random.key(9)))
    assert_equal(other[:, 1:], y[:, 1:])
    assert difference(other[:, 0], y[:, 0]) > 1e-3


def test_the_mask_of_weights_follows_the_keys_of_all_examples_in_any_order():
    layer = make_layer("weight_drop_lstm", H)
    y, _ = applied(layer, PARAMS, X, LENGTHS, KEYS)
    order = np.array([2, 0, 1])
    turned, _ = applied(layer, PARAMS, X[:, order], LENGTHS[order], KEYS[order])
    assert_equal(turned, y[:, order])
    other, _ = applied(layer, PARAMS, X, LENGTHS, KEYS.at[0].set(jax.random.key(9)))
    assert difference(other[:, 2], y[:, 2]) > 1e-3
    masks = [dropped_lstm._batch_key(jnp.tile(KEYS, count)) for count in (1, 2, 4)]  # As segments repeat them.
    assert len({tuple(map(int, jax.random.key_data(key))) for key in masks}) == 3


@pytest.mark.parametrize("name", slow_but(NAMES, "variational_lstm"))
def test_layers_of_a_stack_draw_their_own_masks_and_segments_share_them(name):
    own = make_layer(name, H, **OPTIONS[name])
    layer, params = stack([own, own]), (PARAMS, PARAMS._replace(input_kernel=PARAMS.recurrent_kernel))
    between, _ = applied(own, params[0], X, LENGTHS, fold_in(KEYS, 0))
    expected, _ = applied(own, params[1], between, LENGTHS, fold_in(KEYS, 2))
    assert_equal(applied(layer, params, X, LENGTHS, KEYS)[0], expected)
    repeated = jnp.tile(X[:2], (3, 1, 1))
    y, _ = applied(segmented(own, 2), PARAMS, repeated, jnp.full(B, T), KEYS)
    assert_close(y[2:], jnp.tile(y[:2], (2, 1, 1)))


@pytest.mark.parametrize(
    ("name", "option", "rate"),
    [
        ("variational_lstm", "input_dropout", 1),
        ("variational_lstm", "recurrent_dropout", -0.1),
        ("weight_drop_lstm", "weight_dropout", 1.5),
    ],
)
def test_rates_are_refused(name, option, rate):
    with pytest.raises(ConfigError, match=f"{option} is {rate}; a dropout rate must be at least 0 and less than 1"):
        make_layer(name, H, **{option: rate})


@pytest.mark.parametrize("name", slow_but(["lstm", *NAMES], "lstm", "variational_lstm"))
def test_a_classifier_drops_inside_its_layers_without_dropout_between_them(name):
    config = ModelConfig(embedding_size=D, hidden_size=H, layer=name, layers=2, dropout=DropoutConfig())
    model, tokens = TextClassifier(config, 9, 2), jnp.arange(6).reshape(3, 2) + 2
    variables = randomised(jax.eval_shape(model.init, jax.random.key(0), tokens, jnp.array([3, 2])), 1)
    rates = DropoutRates(*(jnp.zeros(()) for _ in DropoutRates._fields))
    run = partial(jax.jit(model.apply), variables, tokens, jnp.array([3, 2]))
    plain = run()
    assert (difference(run(KEYS[:2], rates), plain) > 1e-4) == (name != "lstm")
