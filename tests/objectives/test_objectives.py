"""Objectives against their definitions, and several of them in one step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import objectives
from lstm_jax.config import Config, hparams
from lstm_jax.data.batching import Batch, gather
from lstm_jax.errors import ConfigError
from lstm_jax.models.classifier import Network, TextClassifier
from lstm_jax.objectives.adversarial import worst_noise
from lstm_jax.objectives.base import COUNTED
from lstm_jax.objectives.classification import (
    classification_sums,
    cross_entropy,
    mean_over_targets,
    token_targets,
)
from lstm_jax.objectives.label_smoothing import smoothed_cross_entropy
from lstm_jax.registry import OBJECTIVES
from lstm_jax.training.experiment import PER_STEP, evaluated_variables, experiment
from tests.helpers import assert_close
from tests.training.tiny import CLASSES, STEPS, WORDS, tiny_config, toy_corpus

B = 8


def batch():
    found = jax.tree.map(jnp.asarray, gather(toy_corpus(), np.array([0, 1, 2, 3, 4, 5, -1, -1]), 16))
    return found._replace(total=jnp.float32(6))


def made(**changes):
    config = tiny_config(model__dropout__embedding=0.0, optimizer__name="sgd", optimizer__learning_rate=0.5, **changes)
    run = experiment(config, TextClassifier(config.model, WORDS, CLASSES), STEPS)
    state = run.init(3, {path: jnp.float32(value) for path, value in hparams(config).items()})
    return config, run, state


def loss_of(name, state, config, **given):
    network = Network(TextClassifier(config.model, WORDS, CLASSES))
    objective = OBJECTIVES[name]
    params = {**evaluated_variables(state), "own": {}}
    hparams = {**objective.hparams, **given}
    return objective.loss(network, params, {"labelled": batch()}, {"labelled": None}, hparams)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_labels_are_a_mixture_with_the_uniform_distribution(smoothing):
    logits = np.random.default_rng(0).normal(size=(5, B, 3)).astype(np.float32)
    labels = jnp.arange(B) % 3
    target = (1 - smoothing) * np.eye(3)[labels] + smoothing / 3
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -(target * log_probabilities).sum(-1)
    assert_close(smoothed_cross_entropy(jnp.asarray(logits), labels, smoothing), expected, atol=1e-5)
    assert_close(smoothed_cross_entropy(jnp.asarray(logits[0]), labels, smoothing), expected[0], atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("pooling", ["max", "every"])
def test_no_smoothing_is_classification(pooling):
    config, _, state = made(model__pooling=pooling)
    plain, smoothed = loss_of("classification", state, config), loss_of("label_smoothing", state, config, smoothing=0.0)
    assert_close(smoothed, plain)


@pytest.mark.long
@pytest.mark.parametrize("layer", ["lstm", "gru"])
def test_adversarial_noise_is_where_the_loss_rises_most(layer):
    """Finite differences: along the noise the loss rises as fast as the gradient's norm, elsewhere more slowly."""
    config, _, state = made(model__layer=layer)
    network, data = Network(TextClassifier(config.model, WORDS, CLASSES)), batch()
    params = evaluated_variables(state)
    deviation = np.asarray(network.table(params)).std(axis=0)
    x = network.embed(params, data)

    def losses(noise):
        y, _ = network.encode(params, x + deviation[None, None] * noise, data)
        found = network.classify(params, y, data)
        return -jax.nn.log_softmax(found)[jnp.arange(B), data.labels] * data.weights

    gradient = jax.grad(lambda noise: losses(noise).sum())(jnp.zeros_like(x))
    step = 1e-2
    noise = worst_noise(gradient, step)
    norms = np.sqrt(np.square(noise).sum(axis=(0, 2)))
    np.testing.assert_allclose(norms[:6], step, rtol=1e-5)
    np.testing.assert_array_equal(norms[6:], 0)
    there = np.arange(16)[:, None] < np.asarray(data.lengths)
    assert not np.asarray(noise)[~there].any()
    rise = (losses(noise) - losses(-noise)) / 2
    np.testing.assert_allclose(rise[:6], step * np.sqrt(np.square(gradient).sum(axis=(0, 2)))[:6], rtol=0.05)
    rng = np.random.default_rng(0)
    for _ in range(5):
        other = rng.normal(size=noise.shape) * there[:, :, None]
        other *= step / np.maximum(np.sqrt(np.square(other).sum(axis=(0, 2), keepdims=True)), 1e-9)
        assert ((losses(other) - losses(-other)) / 2 <= rise + 1e-5)[:6].all()
    worse, _ = loss_of("adversarial", state, config, epsilon=step)
    assert_close(worse, losses(noise).sum() / 6, atol=1e-5)


@pytest.mark.slow
def test_no_noise_is_classification():
    config, _, state = made()
    assert_close(loss_of("adversarial", state, config, epsilon=0.0), loss_of("classification", state, config))


@pytest.mark.long
def test_a_step_weighs_several_objectives_and_leaves_out_those_of_weight_0():
    def stepped(**weights):
        given = {name: {"weight": weight} for name, weight in weights.items()}
        _, run, state = made(objectives=given)
        after, sums = jax.jit(run.step)(state, {"labelled": batch()})
        return jax.tree.map(lambda new, old: new - old, after.params, state.params), sums

    one, plain = stepped(classification=1.0)
    other, _ = stepped(adversarial=1.0)
    both, sums = stepped(classification=0.5, adversarial=2.0)
    assert_close(both, jax.tree.map(lambda a, b: 0.5 * a + 2.0 * b, one, other), atol=1e-5)
    assert sums["loss/classification"] == plain["loss"]
    np.testing.assert_allclose(
        sums["loss"], 0.5 * sums["loss/classification"] + 2 * sums["loss/adversarial"], rtol=1e-5
    )
    assert set(plain) == {"loss", "correct", "examples", "tokens", "steps", *PER_STEP}
    again, left_out = stepped(classification=1.0, adversarial=0.0)
    assert_close(again, one, atol=0, rtol=0)
    assert set(left_out) == set(plain)


def test_parameters_of_an_objectives_own_are_trained_and_evaluation_does_without_them():
    def loss(network, params, batches, keys, hparams):
        value, sums = OBJECTIVES["classification"].loss(network, params, batches, keys, hparams)
        return value + jnp.square(params["own"]["offset"] - hparams["goal"]), sums

    objectives.register("with_an_offset", loss, init=lambda key, module: {"offset": jnp.zeros(())}, goal=1.0)
    try:
        _, run, state = made(objectives={"with_an_offset": {"weight": 1.0}})
        after, _ = jax.jit(run.step)(state, {"labelled": batch()})
        assert after.params["objectives"]["with_an_offset"]["offset"] == 1.0  # 0.5 times the gradient, 2.
        assert np.isfinite(run.evaluate(evaluated_variables(after), batch())["loss"])
    finally:
        OBJECTIVES.unregister("with_an_offset")


def broken(change):
    def loss(network, params, batches, keys, hparams):
        return change(*OBJECTIVES["classification"].loss(network, params, batches, keys, hparams))

    return loss


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value, sums: value, "must return"),
        (lambda value, sums: (value, [sums["loss"]]), "must return"),
        (lambda value, sums: (value[None], sums), "'the loss': (1,)"),
        (lambda value, sums: (value, {**sums, "correct": jnp.ones(B)}), "'correct': (8,)"),
        (lambda value, sums: (value, {"loss": value}), "correct, examples, tokens is missing"),
        (lambda value, sums: (value, {}), "loss, correct, examples, tokens is missing"),
    ],
)
def test_an_objective_that_breaks_the_contract_is_named(change, said):
    objectives.register("broken", broken(change))
    try:
        _, run, state = made(objectives={"broken": {"weight": 1.0}})
        with pytest.raises(TypeError, match="'broken'") as raised:
            jax.eval_shape(run.step, state, {"labelled": batch()})
        assert said in str(raised.value)
    finally:
        OBJECTIVES.unregister("broken")


def test_other_sums_of_an_objective_are_named_by_it_and_counts_are_those_of_classification():
    def loss(network, params, batches, keys, hparams):
        value, sums = OBJECTIVES["classification"].loss(network, params, batches, keys, hparams)
        return value, {**sums, "correct": sums["correct"] * 0, "entropy": 2.0 * sums["examples"]}

    objectives.register("spread", loss)
    try:
        _, run, state = made(objectives={"spread": {"weight": 1.0}, "classification": {"weight": 1.0}})
        _, sums = jax.jit(run.step)(state, {"labelled": batch()})
        assert sums["spread/entropy"] == 12
        assert sums["correct"] == run.evaluate(evaluated_variables(state), batch())["correct"]
        assert set(sums) - {"steps", *PER_STEP} == {*COUNTED, "loss/spread", "loss/classification", "spread/entropy"}
    finally:
        OBJECTIVES.unregister("spread")


def test_an_unknown_stream_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'labelled'"):
        objectives.register("adrift", OBJECTIVES["classification"].loss, streams=("labeled",))


def test_hyper_parameters_of_an_objectives_own_are_finite_and_bounded_if_it_says_so():
    with pytest.raises(ConfigError, match="every objective has a weight in the config; rename the hyper-parameter"):
        objectives.register("weighted", OBJECTIVES["classification"].loss, weight=2.0)
    objectives.register("mine", OBJECTIVES["classification"].loss, bounds={"tau": (-2.0, 0.0)}, shift=-1.0, tau=-1.0)
    try:
        tiny_config(objectives={"mine": {"weight": 1.0, "shift": -3.0, "tau": -2.0}})
        for name, value, wanted in (
            ("shift", np.nan, "it must be finite"),
            ("tau", 1.0, "it must be between -2.0 and 0.0"),
            ("weight", -1.0, "it must be at least 0"),
        ):
            with pytest.raises(ConfigError, match=f"objectives.mine.{name} is {value}; {wanted}"):
                tiny_config(objectives={"mine": {"weight": 1.0, name: value}})
    finally:
        OBJECTIVES.unregister("mine")
    with pytest.raises(ConfigError, match=r"smoothing is 1\.5; it must be between 0"):
        tiny_config(objectives={"label_smoothing": {"weight": 1.0, "smoothing": 1.5}})


@pytest.mark.slow
def test_every_loss_is_nan_after_a_step_that_is_not_finite():
    _, run, state = made(objectives={"classification": {"weight": 1.0}, "label_smoothing": {"weight": 1.0}})
    spoilt = state._replace(params=jax.tree.map(lambda leaf: leaf * jnp.inf, state.params))
    _, sums = jax.jit(run.step)(spoilt, {"labelled": batch()})
    _, later = jax.jit(run.step)(state._replace(finite=jnp.asarray(False)), {"labelled": batch()})
    for found in (sums, later):
        assert all(np.isnan(found[name]) for name in ("loss", "loss/classification", "loss/label_smoothing"))
        assert found["examples"] == 6


def test_the_default_config_minimises_classification_alone():
    assert {name: dict(given) for name, given in Config().objectives.items()} == {"classification": {"weight": 1.0}}


def labelled_tokens():
    """A batch whose examples have 3, 1, 0 and 2 targets, in 5, 2, 3 and 4 tokens; the last slot is empty."""
    lengths = np.array([5, 2, 3, 4, 0])
    labels = np.full((6, 5), -1)
    labels[[0, 2, 4], 0], labels[1, 1], labels[[1, 3], 3] = [2, 0, 1], 1, [0, 2]
    labels[5, 0] = labels[4, 3] = 1  # in padding
    weights = jnp.array([1.0, 1.0, 0.0, 1.0, 0.0])
    whole = jax.tree.map(jnp.asarray, Batch(np.zeros((6, 5), int), lengths, labels, np.ones(5), np.arange(5)))
    return whole._replace(weights=weights)


def test_the_loss_of_labelled_tokens_is_the_mean_over_an_examples_targets():
    found, logits = labelled_tokens(), np.random.default_rng(1).normal(size=(6, 5, 3)).astype(np.float32)
    losses, deciding = cross_entropy(jnp.asarray(logits), found.lengths, found.labels)
    sums = classification_sums(losses, deciding, found)
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected, shares = np.zeros(5), np.zeros(5)
    for b in range(5):
        targets = [(t, int(found.labels[t, b])) for t in range(int(found.lengths[b])) if found.labels[t, b] >= 0]
        for t, label in targets:
            expected[b] -= log_probabilities[t, b, label] / len(targets)
            shares[b] += (logits[t, b].argmax() == label) / len(targets)
    assert_close(losses, expected, atol=1e-6)
    assert_close(sums["loss"], expected[[0, 1, 3]].sum(), atol=1e-6)
    assert_close(sums["correct"], shares[[0, 1, 3]].sum(), atol=1e-6)
    assert 0 < sums["correct"] < sums["examples"] == 3
    targets, known = token_targets(jnp.asarray(logits), found.lengths, found.labels)
    smoothed = smoothed_cross_entropy(jnp.asarray(logits), targets, 0.0)
    assert_close(mean_over_targets(smoothed, known), expected, atol=1e-6)


def test_labels_of_tokens_need_logits_of_tokens():
    found = labelled_tokens()
    with pytest.raises(ValueError, match=r"set config.model.pooling='every'"):
        cross_entropy(jnp.zeros((5, 3)), found.lengths, found.labels)


@pytest.mark.parametrize(
    "objective",
    ["classification", *(pytest.param(each, marks=pytest.mark.slow) for each in ("label_smoothing", "adversarial"))],
)
def test_a_step_on_labelled_tokens_learns_them(objective):
    """Every token's label is the token itself."""
    corpus = toy_corpus()
    corpus = corpus._replace(token_labels=corpus.tokens % CLASSES)
    _config, run, state = made(model__pooling="every", objectives={objective: {"weight": 1.0}})
    own = jax.tree.map(jnp.asarray, gather(corpus, np.arange(B), 16))
    assert own.labels.shape == (16, B)
    before = run.evaluate(evaluated_variables(state), own)["loss"]
    for _ in range(3):
        state, _ = jax.jit(run.step)(state, {"labelled": own})
    after = run.evaluate(evaluated_variables(state), own)
    assert after["loss"] < before
    assert run.predict(evaluated_variables(state), own).shape == (B, CLASSES)
