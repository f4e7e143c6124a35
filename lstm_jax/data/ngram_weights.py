"""The linear part of a network: a classifier of n-grams, fitted on the training examples before the network trains."""

import hashlib
import logging
import sys
from pathlib import Path

import numpy as np

from lstm_jax.data import logistic, ngrams
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.cache import Facts, cached_file
from lstm_jax.data.ngrams import NgramTables
from lstm_jax.files import code_digest, digest

# The strength of the regularisation, about the best on validation for sets of different sizes; see BUILD_NOTES.md.
DECAY = 1e-3
LEAST_EXAMPLES = 2  # N-grams of fewer training examples have no weight.

_log = logging.getLogger(__name__)


def ngram_weights(corpus: FlatCorpus, vocabulary_size: int, classes: int, unknown: int, rows: int) -> NgramTables:
    """The weights of the n-grams, read from the cache if they were fitted before.

    Args:
      corpus: The training examples, as the network reads them.
      vocabulary_size: Size of the vocabulary, V.
      classes: Number of classes, C.
      unknown: The id of the unknown token.
      rows: Number of rows of the table of pairs, and of that of triples, M.
    """
    settings = (vocabulary_size, classes, unknown, rows)
    content = hashlib.sha256(digest(settings, code_digest(sys.modules[__name__], logistic, ngrams)).encode())
    for array in corpus:
        content.update(np.ascontiguousarray(array).data)

    def write(part: Path) -> Facts:
        _log.info("fitting the linear part on %d examples", len(corpus.labels))
        with part.open("wb") as file:
            np.savez(file, **fitted(corpus, *settings)._asdict())
        return {}

    path, _ = cached_file(f"ngrams/{content.hexdigest()[:16]}.npz", write)
    with np.load(path, allow_pickle=False) as arrays:
        return NgramTables(**arrays)


def fitted(corpus: FlatCorpus, vocabulary_size: int, classes: int, unknown: int, rows: int) -> NgramTables:
    """The weights of the n-grams, for the arguments of ``ngram_weights``."""
    features = ngrams.bag_of_ngrams(corpus, vocabulary_size, unknown, rows)
    used = np.flatnonzero(np.bincount(features.indices, minlength=features.shape[1]) >= LEAST_EXAMPLES)
    features = features[:, used]
    ratios = logistic.log_count_ratios(features, corpus.labels, classes)
    weights = np.zeros((vocabulary_size + (ngrams.ORDER - 1) * rows, classes), np.float32)
    weights[used], bias = logistic.fit_logistic(features, corpus.labels, ratios, DECAY)
    words, pairs, triples = np.split(weights, [vocabulary_size, vocabulary_size + rows])
    return NgramTables(words, pairs, triples, bias)
