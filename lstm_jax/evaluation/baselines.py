"""Baselines on the splits of a run: bags of words, and logistic regression on n-grams (scikit-learn)."""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from lstm_jax.config import DataConfig, VectorsConfig
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.logistic import fit_logistic, log_count_ratios
from lstm_jax.data.sources import SPLITS
from lstm_jax.data.word_counts import (
    BASELINES,
    TokenScores,
    baseline_accuracy,
    baseline_scores,
    class_frequencies,
)
from lstm_jax.errors import UserError
from lstm_jax.stages import stage
from lstm_jax.types import HostArray

LEAKING_ON_ALL = "class frequencies, fitted and tested on all (leaks labels)"
TFIDF = "logistic regression on TF-IDF"
WEIGHTED = "logistic regression on weighted n-grams"
LEAKING = "class frequencies, fitted on the test set too (leaks labels)"
INVERSE_REGULARISATION = (0.3, 1.0, 3.0, 10.0)  # scikit-learn's C, the inverse of the regularisation strength.
DECAYS = (1e-2, 3e-3, 1e-3, 3e-4)  # The strengths for weighted n-grams; see ``fit_logistic``.
HASHED_COLUMNS = 2**24  # Number of columns of hashed n-grams, a few times the number of n-grams of IMDB's reviews.


def bag_of_words_baselines(corpora: corpus.Corpora, examples: FlatCorpus) -> dict[str, float]:
    """Accuracies of the bag-of-words baselines on examples, fitted on the training examples."""
    tokens, classes = corpora.tokenizer.get_vocab_size(), len(corpora.classes.names)
    return {name: baseline_accuracy(fit(corpora.train, tokens, classes), examples) for name, fit in BASELINES.items()}


def leaking_baseline(config: DataConfig, split: str) -> dict[str, float]:
    """The accuracy of the naive method of Glos (2021) as published, on a split or, if that is ``all``, on all splits.

    It counts all tokens of all examples, including those that it is evaluated on, so their labels leak.
    """
    corpora, everything, scores = _counted_on_all(config)
    if split == corpus.WHOLE:
        return {LEAKING_ON_ALL: baseline_accuracy(scores, everything)}
    return {LEAKING: baseline_accuracy(scores, getattr(corpora, split))}


class NaiveScores(NamedTuple):
    """What the naive method of Glos (2021) says about N examples.

    Attributes:
      scores: The sums of the class-frequency vectors of each example's tokens, ``[N, C]``.
      labels: The classes of the examples, ``[N]``.
      classes: The names of the classes.
      rows: The rows of the examples in the source, with the columns of ``corpus.rows_of``.
    """

    scores: HostArray
    labels: HostArray
    classes: tuple[str, ...]
    rows: pa.Table

    @property
    def accuracy(self) -> float:
        """The share of examples with the highest score for their class."""
        return float(np.mean(self.scores.argmax(axis=1) == self.labels))


def naive_method_on_all(config: DataConfig) -> NaiveScores:
    """The naive method of Glos (2021) as published: counted and evaluated on all examples, so their labels leak.

    All examples are those of all splits, after short texts are left out and the classes are balanced.
    """
    corpora, everything, scores = _counted_on_all(config)
    rows = pa.concat_tables(corpus.rows_of(config, split, corpora.classes) for split in SPLITS)
    return NaiveScores(baseline_scores(scores, everything), everything.labels, corpora.classes.names, rows)


def _counted_on_all(config: DataConfig) -> tuple[corpus.Corpora, FlatCorpus, TokenScores]:
    """The examples with every token in the vocabulary, by split and all of them, and the frequencies in all."""
    every_word = dataclasses.replace(
        config.tokens,
        vocabulary_size=2**31 - 1,
        min_count=1,
        max_length=2**31 - 1,
        remove_unknown=False,
        unknown_as_padding=False,
        index_path="",
        pad_left=False,
        pad_right=False,
    )
    counted = VectorsConfig("class_frequency", fit_on="all")
    corpora = corpus.prepare(dataclasses.replace(config, tokens=every_word, vectors=counted), quiet=True)
    everything = flat_corpus.join([corpora.train, corpora.validation, corpora.test])
    scores = class_frequencies(everything, corpora.tokenizer.get_vocab_size(), len(corpora.classes.names))
    return corpora, everything, scores


def linear_baselines(config: DataConfig, rows: pa.Table) -> dict[str, float]:
    """The accuracies of two linear classifiers on rows, fitted on the training examples.

    * Logistic regression on TF-IDF of the words and pairs of adjacent words that occur in at least two training texts,
      with logarithmic term frequencies.
    * Logistic regression on naive-Bayes-weighted words, pairs and triples, each counted once a text (Wang & Manning
      2012). They are hashed to ``HASHED_COLUMNS``, and those of at least two training texts are used.

    The words are scikit-learn's, of whole texts. Of each classifier the strength of the regularisation with the best
    validation accuracy is taken.

    Args:
      config: The data whose training and validation examples are used.
      rows: The rows to evaluate on, from ``corpus.rows_of``.

    Raises:
      UserError: scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise UserError(f"{TFIDF} needs scikit-learn; pip install 'scikit-learn>=1.5', or do without it") from None
    splits = [corpus.rows_of(config, "train"), corpus.rows_of(config, "validation"), rows]
    texts, (labels, *others) = [own["text"].to_pylist() for own in splits], [own["class"].to_numpy() for own in splits]
    with stage("fitting logistic regression"):
        tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        counted = [tfidf.fit_transform(texts[0]), *map(tfidf.transform, texts[1:])]
        fits = [LogisticRegression(C=each, max_iter=300).fit(counted[0], labels) for each in INVERSE_REGULARISATION]
    scored = [[float(fit.score(*own)) for own in zip(counted[1:], others, strict=True)] for fit in fits]
    found = {TFIDF: max(scored, key=lambda own: own[0])[1]}
    with stage("fitting logistic regression on weighted n-grams"):
        ngrams = HashingVectorizer(
            ngram_range=(1, 3),
            n_features=HASHED_COLUMNS,
            binary=True,
            norm=None,
            alternate_sign=False,
            dtype=np.float32,
        )
        counted = list(map(ngrams.transform, texts))
        used = np.flatnonzero(np.bincount(counted[0].indices, minlength=HASHED_COLUMNS) >= 2)
        counted = [own[:, used] for own in counted]
        scored = list(_weighted_scores(counted, [labels, *others]))
    return found | {WEIGHTED: max(scored, key=lambda own: own[0])[1]}


def _weighted_scores(features: list[Any], labels: list[HostArray]) -> Iterator[list[float]]:
    """For each strength of the regularisation the accuracies on all splits but the first, on which the fit is made."""
    ratios, weights = log_count_ratios(features[0], labels[0], int(labels[0].max()) + 1), None
    for decay in DECAYS:  # From strong to weak, so that each fit is a good start for the next.
        weights, bias = fit_logistic(features[0], labels[0], ratios, decay, weights)
        pairs = zip(features[1:], labels[1:], strict=True)
        yield [float(np.mean(np.argmax(own @ weights + bias, axis=1) == true)) for own, true in pairs]
