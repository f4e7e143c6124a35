"""Bag-of-words baselines, which a recurrent network should beat. Padding is not counted."""

from typing import NamedTuple

import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.tokenizer import PADDING
from lstm_jax.types import HostArray


class TokenScores(NamedTuple):
    """Scores of every token for every class. The class with the highest sum over a text is predicted.

    Attributes:
      tokens: Scores ``[V, C]``, added once for each occurrence of a token.
      prior: Scores ``[C]``, added once for each text.
    """

    tokens: HostArray
    prior: HostArray


def class_frequencies(corpus: FlatCorpus, vocabulary_size: int, classes: int) -> TokenScores:
    """The naive method of Glos (2021, section 3.1.2).

    A token's score for a class is its share of all tokens of that class, scaled so that the scores of a token add up
    to 1. Tokens that are not in the corpus have scores of 0.
    """
    shares = _counts(corpus, vocabulary_size, classes)
    shares = shares / np.maximum(shares.sum(axis=0), 1)
    return TokenScores(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-30), np.zeros(classes))


def naive_bayes(corpus: FlatCorpus, vocabulary_size: int, classes: int) -> TokenScores:
    """Multinomial naive Bayes with add-one smoothing (Manning et al. 2008, section 13.2): log-probabilities."""
    counts = _counts(corpus, vocabulary_size, classes) + 1
    prior = np.bincount(corpus.labels, minlength=classes) / len(corpus.labels)
    return TokenScores(np.log(counts / counts.sum(axis=0)), np.log(np.maximum(prior, 1e-30)))


def majority(corpus: FlatCorpus, vocabulary_size: int, classes: int) -> TokenScores:
    """Predicts the most frequent class, whatever the tokens."""
    return TokenScores(np.zeros((vocabulary_size, classes)), np.bincount(corpus.labels, minlength=classes) * 1.0)


BASELINES = {"majority": majority, "class frequencies (Glos 2021)": class_frequencies, "naive Bayes": naive_bayes}


def baseline_scores(scores: TokenScores, corpus: FlatCorpus) -> HostArray:
    """The sums of the scores of each example's tokens, and the prior, ``[N, C]``."""
    of_token = scores.tokens.astype(np.float64)
    of_token[PADDING] = 0
    starts, full = corpus.offsets[:-1], np.diff(corpus.offsets) > 0
    sums = np.zeros((len(starts), len(scores.prior)))
    # For an example without tokens, reduceat would return the next example's first token.
    sums[full] = np.add.reduceat(of_token[corpus.tokens], starts[full], axis=0)
    return sums + scores.prior


def baseline_predictions(scores: TokenScores, corpus: FlatCorpus) -> HostArray:
    """The class ``[N]`` that the scores predict for each example."""
    return np.argmax(baseline_scores(scores, corpus), axis=1)


def baseline_accuracy(scores: TokenScores, corpus: FlatCorpus) -> float:
    """The share of examples whose predicted class is their label."""
    return float(np.mean(baseline_predictions(scores, corpus) == corpus.labels))


def _counts(corpus: FlatCorpus, vocabulary_size: int, classes: int) -> HostArray:
    label_of_token = np.repeat(corpus.labels, np.diff(corpus.offsets))
    flat = np.bincount(corpus.tokens.astype(np.int64) * classes + label_of_token, minlength=vocabulary_size * classes)
    counts = flat.reshape(vocabulary_size, classes).astype(np.float64)
    counts[PADDING] = 0
    return counts
