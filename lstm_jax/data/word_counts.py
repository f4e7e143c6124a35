"""Baselines that only count words: what a recurrent network must beat to have earned its steps."""

from typing import NamedTuple

import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.types import HostArray


class WordScores(NamedTuple):
    """Scores of every word for every class; a review's class is the one with the greatest sum."""

    words: HostArray  # [V, C]
    prior: HostArray  # [C]


def class_frequencies(corpus: FlatCorpus, vocabulary_size: int, classes: int) -> WordScores:
    """The naive method of Glos (2021, section 3.1.2).

    A word's score for a class is its share of all words of that class's reviews, scaled so that the scores
    of a word add up to 1. Words that the corpus lacks score 0.
    """
    shares = _counts(corpus, vocabulary_size, classes)
    shares = shares / np.maximum(shares.sum(axis=0), 1)
    return WordScores(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-30), np.zeros(classes))


def naive_bayes(corpus: FlatCorpus, vocabulary_size: int, classes: int) -> WordScores:
    """Multinomial naive Bayes with add-one smoothing (Manning et al. 2008, section 13.2): log-probabilities."""
    counts = _counts(corpus, vocabulary_size, classes) + 1
    prior = np.bincount(corpus.labels, minlength=classes) / len(corpus.labels)
    return WordScores(np.log(counts / counts.sum(axis=0)), np.log(np.maximum(prior, 1e-30)))


def majority(corpus: FlatCorpus, vocabulary_size: int, classes: int) -> WordScores:
    """No word counts: the class that most reviews have."""
    return WordScores(np.zeros((vocabulary_size, classes)), np.bincount(corpus.labels, minlength=classes) * 1.0)


METHODS = {"majority": majority, "class frequencies (Glos 2021)": class_frequencies, "naive Bayes": naive_bayes}


def predictions(scores: WordScores, corpus: FlatCorpus) -> HostArray:
    """The class ``[N]`` with the greatest sum of word scores in each review."""
    sums = np.add.reduceat(scores.words[corpus.tokens], corpus.offsets[:-1], axis=0)
    return np.argmax(sums + scores.prior, axis=1)


def accuracy(scores: WordScores, corpus: FlatCorpus) -> float:
    """The share of reviews whose predicted class is their label."""
    return float(np.mean(predictions(scores, corpus) == corpus.labels))


def _counts(corpus: FlatCorpus, vocabulary_size: int, classes: int) -> HostArray:
    label_of_word = np.repeat(corpus.labels, np.diff(corpus.offsets))
    flat = np.bincount(corpus.tokens.astype(np.int64) * classes + label_of_word, minlength=vocabulary_size * classes)
    return flat.reshape(vocabulary_size, classes).astype(np.float64)
