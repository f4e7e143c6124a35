import json

import numpy as np
import pytest

from lstm_jax.config import from_json, to_json, validate
from lstm_jax.errors import ConfigError
from lstm_jax.text import corpus
from lstm_jax.training import evaluation, run
from tests.training.tiny import tiny_config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config, workdir = tiny_config(model__bidirectional=True, train__epochs=1), tmp_path_factory.mktemp("run")
    run.train(config, workdir)
    return evaluation.load(workdir, config), corpus.prepare(config.data)


def test_figures_agree_with_the_predictions_written(trained, tmp_path):
    run_, corpora = trained
    figures = evaluation.test(run_, corpora, "test")
    evaluation.write_predictions(run_, corpora.test, tmp_path / "predictions.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert [row["review"] for row in rows] == list(range(len(corpora.test.labels)))
    assert [row["label"] for row in rows] == corpora.test.labels.tolist()
    assert np.mean([row["label"] == row["predicted"] for row in rows]) == figures.accuracy
    likelihood = [row["probabilities"][row["label"]] for row in rows]
    np.testing.assert_allclose(-np.log(likelihood).mean(), figures.loss, rtol=1e-4)
    assert np.sum(figures.confusion) == figures.n == len(rows)
    assert json.loads((run_.workdir / "eval-test.json").read_text()) == figures._asdict()


def test_a_review_is_classified_alike_alone_and_among_others(trained):
    run_, _ = trained
    texts = ["the screen is not bad .", "what a dull plot . all of the above is sarcasm .", "?", "the price is fair"]
    together = evaluation.classify(run_, texts)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(evaluation.classify(run_, [text])[0], row, rtol=1e-5)


def test_the_picture_of_a_review_is_drawn(trained):
    path = evaluation.explain(trained[0], "the screen is not bad .")
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_another_network_than_the_trained_one_is_refused(trained):
    run_, _ = trained
    other = from_json(to_json(run_.config))
    other.model.hidden_size = 16
    with pytest.raises(ConfigError, match=r"config\.model\.hidden_size is 16, but the run in .* was trained with 8"):
        evaluation.load(run_.workdir, validate(other))


def test_an_ensemble_is_the_mean_of_the_solo_runs(tmp_path):
    together = tiny_config(train__epochs=1, seed=3, ensemble=2)
    run.train(together, tmp_path / "both")
    corpora = corpus.prepare(together.data)
    solos = []
    for seed in (3, 4):
        config = tiny_config(train__epochs=1, seed=seed)
        run.train(config, tmp_path / str(seed))
        solos.append(evaluation.probabilities(evaluation.load(tmp_path / str(seed), config), corpora.test))
    both = evaluation.probabilities(evaluation.load(tmp_path / "both", together), corpora.test)
    np.testing.assert_allclose(both, np.mean(solos, axis=0), atol=1e-5)
    assert np.abs(solos[0] - solos[1]).max() > 1e-3
