"""Baselines on the splits of a run: bags of words, and logistic regression on TF-IDF (scikit-learn)."""

import dataclasses

import pyarrow as pa

from lstm_jax.config import DataConfig, VectorsConfig
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.word_counts import BASELINES, baseline_accuracy, class_frequencies
from lstm_jax.errors import UserError
from lstm_jax.stages import stage

LINEAR = "logistic regression on TF-IDF"
LEAKING = "class frequencies, fitted on the test set too (leaks labels)"
INVERSE_REGULARISATION = (0.3, 1.0, 3.0, 10.0)  # scikit-learn's C, the inverse of the regularisation strength.


def bag_of_words_baselines(corpora: corpus.Corpora, examples: FlatCorpus) -> dict[str, float]:
    """Accuracies of the bag-of-words baselines on examples, fitted on the training examples."""
    tokens, classes = corpora.tokenizer.get_vocab_size(), len(corpora.classes.names)
    return {name: baseline_accuracy(fit(corpora.train, tokens, classes), examples) for name, fit in BASELINES.items()}


def leaking_baseline(config: DataConfig, split: str) -> dict[str, float]:
    """The accuracy of the naive method of Glos (2021) as published, on a split or, if that is ``all``, on all splits.

    It counts all tokens of all examples, including those that it is evaluated on, so their labels leak.
    """
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
    return {LEAKING: baseline_accuracy(scores, everything if split == corpus.WHOLE else getattr(corpora, split))}


def linear_baseline(config: DataConfig, rows: pa.Table) -> dict[str, float]:
    """The accuracy of logistic regression on TF-IDF on rows, fitted on the training examples.

    Features are scikit-learn's words and pairs of adjacent words that occur in at least two training texts, with
    logarithmic term frequencies. The regularisation is the one with the best validation accuracy.

    Args:
      config: The data whose training and validation examples are used.
      rows: The rows to evaluate on, from ``corpus.rows_of``.

    Raises:
      UserError: scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise UserError(f"{LINEAR} needs scikit-learn; pip install 'scikit-learn>=1.5', or do without it") from None
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    train, validation = corpus.rows_of(config, "train"), corpus.rows_of(config, "validation")
    with stage("fitting logistic regression"):
        counted, labels = features.fit_transform(train["text"].to_pylist()), train["class"].to_numpy()
        fits = [LogisticRegression(C=each, max_iter=300).fit(counted, labels) for each in INVERSE_REGULARISATION]

    def score(model: LogisticRegression, table: pa.Table) -> float:
        return float(model.score(features.transform(table["text"].to_pylist()), table["class"].to_numpy()))

    best = max(fits, key=lambda model: score(model, validation))
    return {LINEAR: score(best, rows)}
