from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import layers
from lstm_jax.data import flat_corpus
from lstm_jax.data.labels import Classes
from lstm_jax.evaluation import attribution
from lstm_jax.evaluation.attribution import attributions
from lstm_jax.evaluation.predictions import lane_probabilities
from lstm_jax.layers.base import Layer
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.registry import LAYERS
from lstm_jax.training.restore import Trained, shapes_of
from tests.helpers import randomised
from tests.training.tiny import WORDS, tiny_config, toy_corpus

CORPUS = toy_corpus(4)


def network(lanes: int = 1, classes: int = 2, scale: float = 0.5, **fields) -> Trained:
    """A run with random weights, without a tokenizer."""
    config = tiny_config(ensemble=lanes, **fields)
    model = TextClassifier(config.model, WORDS, classes)
    variables = jax.tree.map(jnp.asarray, randomised(shapes_of(config, model, lanes), 1, scale))
    names = tuple(map(str, range(classes)))
    return Trained(config, model, variables, None, Classes(names, names), lanes, 0, Path())  # type: ignore[arg-type]


def contrast(logits, chosen: int):
    """The logit of a class minus the mean of the others."""
    return logits[chosen] - jnp.mean(jnp.delete(logits, chosen))


def reference(trained: Trained, tokens: np.ndarray, chosen: int, points: int = 500) -> np.ndarray:
    """The scores of one example by the midpoint rule, one point after the other, without padding; no linear part."""

    def output(variables, x):
        lengths = jnp.array([len(tokens)])
        y, _ = trained.model.apply(variables, x, lengths, method="encode")
        logits = trained.model.apply(variables, y, jnp.asarray(tokens)[:, None], lengths, method="classify")
        return contrast(logits[-1, 0] if logits.ndim == 3 else logits[0], chosen)

    total = np.zeros(len(tokens))
    for lane in range(trained.lanes):
        variables = jax.tree.map(lambda leaf, lane=lane: leaf[lane], trained.variables)
        x = trained.model.apply(variables, jnp.asarray(tokens)[:, None], method="embed")
        slope = lambda position, own=variables, x=x: jax.grad(output, argnums=1)(own, position * x)
        gradient = jnp.mean(jax.lax.map(jax.jit(slope), (jnp.arange(points) + 0.5) / points), axis=0)
        total += np.asarray(jnp.sum(gradient * x, axis=-1))[:, 0]
    return total / trained.lanes


def parts(corpus, values) -> list[np.ndarray]:
    """The values of each example."""
    return np.split(values, corpus.offsets[1:-1])


KINDS = {
    "lstm": {},
    "gru, two layers": {"model__layer": "gru", "model__layers": 2, "model__residual": True},
    "rnn, both directions": {"model__layer": "rnn_tanh", "model__bidirectional": True, "model__head": (5,)},
    "segments, maximum": {"model__segment": 3, "model__pooling": "mean_max"},
    "every, sigmoid": {"model__pooling": "every", "model__output": "sigmoid"},
    "ensemble": {"lanes": 2},
    "five classes": {"classes": 5, "model__train_embedding": False},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.long
def test_scores_agree_with_a_slow_reference(kind):
    trained = network(**{"model__pooling": "mean", **KINDS[kind]})
    found = attributions(trained, CORPUS)
    probabilities = lane_probabilities(trained, CORPUS)
    np.testing.assert_array_equal(found.classes, probabilities.mean(axis=0).argmax(axis=1))
    for tokens, own, chosen in zip(parts(CORPUS, CORPUS.tokens), parts(CORPUS, found.scores), found.classes):  # noqa: B905
        np.testing.assert_allclose(own, reference(trained, tokens, int(chosen)), atol=0.01)
    for n, chosen in enumerate(found.classes):
        logits = jnp.log(jnp.asarray(probabilities[:, n]))  # Up to a constant, which the contrast removes.
        wanted = np.mean([contrast(lane, int(chosen)) for lane in logits])
        np.testing.assert_allclose(found.output[n], wanted, atol=1e-4)
    sums = np.array([own.sum() for own in parts(CORPUS, found.scores)])
    np.testing.assert_allclose(sums, found.output - found.baseline + found.error, atol=1e-9)
    assert found.complete.all()


@pytest.fixture
def linear_layer():
    """The name of a layer without a state, whose outputs are linear in its inputs."""

    def make(hidden_size: int) -> Layer:
        def init(key, input_size):
            return jax.random.normal(key, (input_size, hidden_size))

        def apply(params, x, lengths, key=None, state=None):
            inside = jnp.arange(len(x))[:, None] < lengths[None]
            return jnp.where(inside[:, :, None], x @ params, 0.0), ()

        return Layer(init, apply)

    layers.register("straight", lambda size, reverse=False, **_: make(size))
    yield "straight"
    LAYERS.unregister("straight")


@pytest.mark.parametrize("wide", [0, 16])
def test_scores_of_a_linear_network_are_exact(linear_layer, wide):
    trained = network(classes=3, model__layer=linear_layer, model__pooling="mean", model__wide=wide)
    found = attributions(trained, CORPUS, np.array([0, 1, 2, 0]))
    params, frozen = (jax.tree.map(lambda leaf: leaf[0], trained.variables[name]) for name in ("params", "frozen"))
    (cell,), head = params["layers"]["cells"], params["output"]["kernel"]
    logits = params["embedding"] @ cell @ head  # Of each token by itself, without the bias.
    for n, (tokens, own) in enumerate(zip(parts(CORPUS, CORPUS.tokens), parts(CORPUS, found.scores), strict=True)):
        chosen = int(found.classes[n])
        wanted = np.array([contrast(logits[token], chosen) for token in tokens]) / len(tokens)
        if wide:
            batch, lengths = jnp.asarray(tokens)[:, None], jnp.array([len(tokens)])
            variables = {"params": params, "frozen": frozen}
            shares = trained.model.apply(variables, batch, lengths, method="linear_part")
            wanted = wanted / 2 + [contrast(share, chosen) for share in shares[:, 0]]
            assert np.abs(shares).max() > 0.05
        np.testing.assert_allclose(own, wanted, atol=1e-5)
    bias = (params["output"]["bias"] + frozen["wide"]["bias"]) / 2 if wide else params["output"]["bias"]
    np.testing.assert_allclose(found.baseline, [contrast(bias, int(c)) for c in found.classes], atol=1e-5)
    assert np.abs(found.error).max() < 1e-5
    assert set(found.points) == {attribution.FIRST_PANELS * attribution.PANEL_POINTS}


@pytest.mark.long
def test_examples_are_explained_alike_alone_and_among_others():
    trained = network(model__pooling="max", model__wide=8, train__buckets=3, train__batch_size=16)
    corpus = toy_corpus(40)
    together = attributions(trained, corpus)
    for n in (3, 17):
        alone = attributions(trained, flat_corpus.take(corpus, np.array([n])))
        np.testing.assert_allclose(alone.scores, parts(corpus, together.scores)[n], atol=1e-4)


def test_shares_of_attention_are_means_over_the_lanes_for_each_token():
    trained = network(lanes=2, model__pooling="attention", model__bidirectional=True)
    found = attribution.pooling_shares(trained, CORPUS)
    one_lane = [jax.tree.map(lambda leaf, n=n: leaf[n], trained.variables) for n in (0, 1)]
    shares = jax.jit(
        lambda own, tokens: trained.model.apply(own, tokens, jnp.full(1, len(tokens)), method="token_shares")
    )
    for n, (tokens, own) in enumerate(zip(parts(CORPUS, CORPUS.tokens), parts(CORPUS, found), strict=True)):
        assert own.sum() == pytest.approx(1, abs=1e-5)
        if n < 2:
            wanted = np.mean([shares(lane, tokens[:, None])[:, 0] for lane in one_lane], axis=0)
            np.testing.assert_allclose(own, wanted, atol=1e-5)
    assert attribution.pooling_shares(network(model__pooling="mean"), CORPUS) is None
    assert attribution.pooling_shares(network(model__pooling="every"), CORPUS) is None


def test_padding_that_the_network_reads_has_scores():
    padded = flat_corpus.pad_left(CORPUS, 14)
    found = attributions(network(model__pooling="mean"), padded)
    padding = found.scores[padded.tokens == 0]
    assert np.abs(padding).max() > 1e-4
    assert found.complete.all()


@pytest.mark.long
def test_more_points_are_taken_where_the_scores_do_not_add_up(monkeypatch):
    """Maximum pooling has kinks, and weights this large make steps."""
    trained, first = network(scale=1.5, model__pooling="max"), attribution.FIRST_PANELS * attribution.PANEL_POINTS
    found = attributions(trained, CORPUS)
    assert found.points.max() > first
    assert found.complete.all()
    for tokens, own, chosen in zip(parts(CORPUS, CORPUS.tokens), parts(CORPUS, found.scores), found.classes):  # noqa: B905
        np.testing.assert_allclose(own, reference(trained, tokens, int(chosen), 20_000), atol=0.06)
    monkeypatch.setattr(attribution, "MOST_POINTS", first + attribution.PANEL_POINTS)
    rough = attributions(trained, CORPUS)
    assert not rough.complete.all()
    assert set(rough.points[~rough.complete]) == {first + attribution.PANEL_POINTS}
    sums = np.array([own.sum() for own in parts(CORPUS, rough.scores)])
    np.testing.assert_allclose(rough.error, sums - (rough.output - rough.baseline), atol=1e-9)


def test_the_rule_of_a_panel_is_exact_for_polynomials_and_holds_both_ends():
    nodes, weights = attribution._lobatto(5)
    assert (nodes[0], nodes[-1]) == (0, 1)
    for power in range(8):
        np.testing.assert_allclose(weights @ nodes**power, 1 / (power + 1))
