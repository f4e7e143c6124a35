"""The linear baseline counts pairs of words, learns from the training split alone, and says what it needs."""

import sys

import numpy as np
import pyarrow.compute as pc
import pytest

from lstm_jax.data import corpus, logistic
from lstm_jax.errors import UserError
from lstm_jax.evaluation import baselines
from lstm_jax.evaluation.baselines import TFIDF, WEIGHTED, linear_baselines
from tests.reviews import files, write

PAIRS = {0: "dog bites man", 1: "man bites dog"}  # the same words


def reviews(labels, seed: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [{"text": f"{PAIRS[label]} on page {rng.integers(5)}", "label": int(label)} for label in labels]


@pytest.fixture
def config(tmp_path):
    write(tmp_path / "train.jsonl", reviews(np.arange(60) % 2, 0))
    write(tmp_path / "test.jsonl", reviews(np.arange(20) % 2, 1))
    return files(tmp_path)


def test_order_of_words_is_learned_from_pairs(config):
    pytest.importorskip("sklearn")
    for split in ("train", "validation", "test", "all"):
        assert linear_baselines(config, corpus.rows_of(config, split)) == {TFIDF: 1, WEIGHTED: 1}


def test_labels_of_the_training_part_alone_are_learned(config):
    pytest.importorskip("sklearn")
    rows = corpus.rows_of(config, "test")
    turned = rows.set_column(rows.column_names.index("class"), "class", pc.subtract(1, rows["class"]))
    assert linear_baselines(config, turned) == {TFIDF: 0, WEIGHTED: 0}


def test_the_strength_that_validates_best_is_taken(config, monkeypatch):
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    scored = []

    def counted(model, features, labels):
        if features.shape[0] == len(corpus.rows_of(config, "validation")):
            return {0.3: 0.1, 1.0: 0.9, 3.0: 0.2, 10.0: 0.3}[model.C]
        scored.append(model.C)
        return {0.3: 0.7, 1.0: 0.4, 3.0: 0.9, 10.0: 0.8}[model.C]

    monkeypatch.setattr(LogisticRegression, "score", counted)
    found = linear_baselines(config, corpus.rows_of(config, "test"))
    assert (scored, found[TFIDF]) == ([0.3, 1.0, 3.0, 10.0], 0.4)


def test_the_decay_that_validates_best_is_taken(config, monkeypatch):
    pytest.importorskip("sklearn")
    asked = []

    def fits(features, labels, ratios, decay, start):
        """Weights that are wrong for every strength but the second."""
        asked.append((decay, start is None))
        weights, bias = logistic.fit_logistic(features, labels, ratios, decay, start)
        return (weights, bias) if decay == baselines.DECAYS[1] else (-weights, -bias)

    monkeypatch.setattr(baselines, "fit_logistic", fits)
    assert linear_baselines(config, corpus.rows_of(config, "test"))[WEIGHTED] == 1
    assert asked == [(decay, n == 0) for n, decay in enumerate(baselines.DECAYS)]


def test_without_scikit_learn_it_says_what_to_install(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(UserError, match=r"TF-IDF needs scikit-learn; pip install 'scikit-learn>=1\.5', or do without"):
        linear_baselines(config, corpus.rows_of(config, "test"))
