import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.config import DataConfig, TokensConfig, from_json, to_json, validate
from lstm_jax.data import corpus
from lstm_jax.data.tokenizer import unknown_id
from lstm_jax.errors import ConfigError
from lstm_jax.evaluation.baselines import LEAKING, bag_of_words_baselines, leaking_baseline
from lstm_jax.evaluation.figures import evaluate_examples
from lstm_jax.evaluation.predictions import (
    decoded_text,
    lane_probabilities,
    probabilities,
    read_texts,
    write_predictions,
)
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.reports import calibration
from lstm_jax.training import run
from lstm_jax.training.restore import load_run, shapes_of
from tests import reviews
from tests.helpers import randomised
from tests.training.tiny import tiny_config

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config, workdir = tiny_config(model__bidirectional=True, train__epochs=1), tmp_path_factory.mktemp("run")
    run.train_lanes(config, workdir)
    return load_run(workdir, config), corpus.prepare(config.data)


@pytest.mark.long
def test_figures_agree_with_the_predictions_written(trained, tmp_path):
    run_, corpora = trained
    figures = evaluate_examples(run_, corpora.test, "test")
    source = corpus.rows_of(run_.config.data, "test")
    write_predictions(run_, corpora.test, source, tmp_path / "predictions.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    for name in ("file", "row", "text"):
        assert [row[name] for row in rows] == source[name].to_pylist()
    assert [row["label"] for row in rows] == [run_.classes.names[label] for label in corpora.test.labels]
    assert np.mean([row["label"] == row["predicted"] for row in rows]) == figures.accuracy
    likelihood = [row["probabilities"][row["label"]] for row in rows]
    np.testing.assert_allclose(-np.log(likelihood).mean(), figures.loss, rtol=1e-4)
    assert np.sum(figures.confusion) == figures.n == len(rows)
    assert figures.lanes == [figures.accuracy]
    bins = calibration.bins(np.array([list(row["probabilities"].values()) for row in rows]), corpora.test.labels)
    np.testing.assert_allclose(figures.calibration_error, calibration.expected_error(bins), atol=1e-5)
    for name in ("confusion", "calibration"):
        assert (run_.workdir / "plots" / f"{name}-test.png").read_bytes().startswith(PNG)
    assert json.loads((run_.workdir / "eval-test.json").read_text()) == figures._asdict()


def test_counts_made_on_the_reviews_themselves_leak_their_labels(tmp_path):
    """Training and test reviews share no word, so only a baseline that counts the test reviews knows their words."""
    for split, names in (("train", "ab"), ("validation", "cd"), ("test", "ef")):
        rows = [{"text": f"{name * n} so it is", "label": n % 2} for name in names for n in range(1, 9)]
        reviews.write(tmp_path / f"{split}.csv", rows)
    config = DataConfig(source="files", path=str(tmp_path), tokens=TokensConfig(max_length=2, vocabulary_size=10))
    corpora = corpus.prepare(config)
    assert set(bag_of_words_baselines(corpora, corpora.test).values()) == {0.5}
    assert leaking_baseline(config, "test") == {LEAKING: 1.0}


@pytest.mark.slow
def test_a_review_is_classified_alike_alone_and_among_others(trained):
    run_, _ = trained
    texts = ["the screen is not bad .", "what a dull plot . all of the above is sarcasm .", "?", "the price is fair"]
    together = probabilities(run_, read_texts(run_, texts).examples)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(probabilities(run_, read_texts(run_, [text]).examples)[0], row, rtol=1e-5)


def untrained(trained, lanes: int = 1, **fields):
    """A network of another kind with random weights, on the vocabulary of a trained run."""
    run_, _ = trained
    config = tiny_config(**fields)
    model = TextClassifier(
        config.model, run_.tokenizer.get_vocab_size(), len(run_.classes.names), unknown_id(run_.tokenizer)
    )
    variables = jax.tree.map(jnp.asarray, randomised(shapes_of(config, model, lanes), 1))
    return run_._replace(config=config, model=model, variables=variables, lanes=lanes)


TEXT = "The SCREEN is<br />not xylographically bad ."
WORDS = ["the", "screen", "is", "not", "[UNK]", "bad", "."]


@pytest.mark.parametrize(
    ("cut", "expected"), [("head", WORDS[:4]), ("tail", WORDS[3:]), ("both", [*WORDS[:2], *WORDS[-2:]])]
)
@pytest.mark.slow
def test_a_review_is_shown_as_the_network_reads_it(trained, cut, expected):
    run_ = untrained(trained, data__tokens__max_length=4, data__tokens__truncation=cut)
    assert decoded_text(run_, read_texts(run_, [TEXT]).examples) == " ".join(expected)


@pytest.mark.slow
def test_padding_that_the_network_reads_is_shown(trained):
    run_ = untrained(trained, data__tokens__max_length=9, data__tokens__pad_left=True)
    assert decoded_text(run_, read_texts(run_, [TEXT]).examples) == " ".join(["[PAD]", "[PAD]", *WORDS])


@pytest.mark.slow
def test_another_network_than_the_trained_one_is_refused(trained):
    run_, _ = trained
    other = from_json(to_json(run_.config))
    other.model.hidden_size = 16
    with pytest.raises(ConfigError, match=r"config\.model\.hidden_size is 16, but the run in .* was trained with 8"):
        load_run(run_.workdir, validate(other))


@pytest.mark.long
def test_an_ensemble_is_the_mean_of_the_solo_runs(tmp_path):
    together = tiny_config(train__epochs=1, seed=3, ensemble=2)
    run.train_lanes(together, tmp_path / "both")
    corpora = corpus.prepare(together.data)
    solos = []
    for seed in (3, 4):
        config = tiny_config(train__epochs=1, seed=seed)
        run.train_lanes(config, tmp_path / str(seed))
        solos.append(probabilities(load_run(tmp_path / str(seed), config), corpora.test))
    both = load_run(tmp_path / "both", together)
    np.testing.assert_allclose(probabilities(both, corpora.test), np.mean(solos, axis=0), atol=1e-5)
    np.testing.assert_allclose(lane_probabilities(both, corpora.test), solos, atol=1e-5)
    lanes = [np.mean(solo.argmax(axis=1) == corpora.test.labels) for solo in solos]
    assert evaluate_examples(both, corpora.test, "test").lanes == lanes
    assert json.loads((tmp_path / "both" / "eval-test.json").read_text())["lanes"] == lanes
    assert np.abs(solos[0] - solos[1]).max() > 1e-3
