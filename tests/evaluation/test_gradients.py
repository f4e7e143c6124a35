"""Gradients over distance against finite differences and a direct computation."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.config import validate
from lstm_jax.data.batching import gather
from lstm_jax.evaluation import gradients
from lstm_jax.models.classifier import Network, TextClassifier
from lstm_jax.training.experiment import first_weights
from tests.training.tiny import CLASSES, WORDS, tiny_config, toy_corpus


def token_gradients(model, params, batch):
    return np.asarray(jax.jit(partial(gradients.token_gradients, Network(model)))(params, batch))


def network(pooling="last", **changes):
    config = tiny_config(model__pooling=pooling, model__hidden_size=4, model__embedding_size=3, **changes)
    model = TextClassifier(config.model, WORDS, CLASSES)
    return model, {"frozen": {}, **first_weights(model, {}, jnp.uint32(0))}


def test_a_tokens_gradient_is_the_rise_of_its_own_examples_loss():
    model, params = network()
    batch = jax.tree.map(jnp.asarray, gather(toy_corpus(), np.array([0, 1, 2, -1]), 16))
    found = token_gradients(model, params, batch)
    x, (example, token) = Network(model).embed(params, batch), (1, int(batch.lengths[1]) - 2)

    @jax.jit
    def loss(x):
        y, _ = Network(model).encode(params, x, batch)
        logits = Network(model).classify(params, y, batch)
        return -jax.nn.log_softmax(logits[example])[batch.labels[example]]

    step = 1e-2
    moved = [loss(x.at[token, example, d].add(step)) - loss(x.at[token, example, d].add(-step)) for d in range(3)]
    np.testing.assert_allclose(found[token, example], np.linalg.norm(moved) / (2 * step), rtol=0.02)
    there = np.arange(16)[:, None] < np.asarray(batch.lengths)
    assert (found[there] > 0).all()
    assert not found[~there].any()


def test_distance_is_counted_from_each_examples_last_token():
    values = np.arange(12.0).reshape(4, 3)
    found = gradients.by_distance(values, np.array([4, 1, 2]))
    np.testing.assert_array_equal(found[:, 0], [9, 6, 3, 0])
    np.testing.assert_array_equal(found[:, 1], [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(found[:, 2], [5, 2, np.nan, np.nan])


def test_a_curve_is_the_mean_over_examples_and_clipping_scales_each_batch():
    model, params = network()
    corpus, own = toy_corpus(20), Network(model)
    full = gradients.gradient_curve("a", model, params, corpus, 8, 1e9)
    assert full.factor == 1
    np.testing.assert_array_equal(full.clipped, full.mean)
    clip = full.total / 3
    curve = gradients.gradient_curve("a", model, params, corpus, 8, clip)
    np.testing.assert_array_equal(curve.mean, full.mean)
    plain, clipped = [], []
    for start in (0, 8, 16):
        numbers = np.arange(start, min(start + 8, 20))
        batch = jax.tree.map(jnp.asarray, gather(corpus, numbers, 16))

        def loss(trained, batch=batch):
            logits = own.logits({**params, "params": trained}, batch)
            return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(batch.labels)), batch.labels])

        leaves = jax.tree.leaves(jax.jit(jax.grad(loss))(params["params"]))
        total = np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in leaves))
        at_end = token_gradients(model, params, batch)[batch.lengths - 1, np.arange(len(numbers))]
        plain += at_end.tolist()
        clipped += (at_end * min(1, clip / total)).tolist()
    np.testing.assert_allclose(curve.mean[0], np.mean(plain), rtol=1e-5)
    np.testing.assert_allclose(curve.median[0], np.median(plain), rtol=1e-5)
    np.testing.assert_allclose(curve.clipped[0], np.mean(clipped), rtol=1e-4)
    assert 0 < curve.factor < 1


def test_tiny_gradients_are_not_rounded_to_zero():
    model, params = network()
    params["params"]["embedding"] *= 0
    cells = params["params"]["layers"]["cells"]
    params["params"]["layers"]["cells"] = tuple(own._replace(input_kernel=1e-28 * own.input_kernel) for own in cells)
    batch = jax.tree.map(jnp.asarray, gather(toy_corpus(), np.array([0]), 16))
    found = token_gradients(model, params, batch)
    assert 0 < found[int(batch.lengths[0]) - 1, 0] < 1e-27


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_config_with_another_kind_of_layer_is_valid(kind):
    config = tiny_config(model__pooling="max", model__bidirectional=True, model__implementation="custom_vjp")
    own = validate(gradients._with_layer(config, kind)).model
    assert (own.layer, own.pooling, own.bidirectional) == (kind, "last", False)
    assert own.implementation == ("custom_vjp" if kind == "lstm" else "auto")


def test_a_distance_without_numbers_has_no_mean_and_no_warning():
    means = gradients._mean_if_any(np.array([[1.0, np.nan, 3.0], [np.nan] * 3]))
    np.testing.assert_array_equal(means, [2.0, np.nan])
