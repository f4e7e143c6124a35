"""Word vectors learned from which words stand near each other, without any labels.

Positive pointwise mutual information of words and their neighbours, factored by a truncated singular value
decomposition: what skip-gram with negative sampling factors implicitly (Levy & Goldberg 2014; the smoothed
contexts and the square root of the singular values after Levy, Goldberg & Dagan 2015).
"""

import sys
from typing import Any

import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.vectors.cache import cached
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

SMOOTHING = 0.75  # power of the neighbours' counts, which keeps rare neighbours from mattering most
CHUNK = 4_000_000  # words counted at a time, to bound the memory


def learn(corpus: FlatCorpus, vocabulary_size: int, first_word: int, size: int, window: int) -> HostArray:
    """The vectors ``[V, D]`` of a vocabulary, from the cache where the same were learned before.

    Args:
      corpus: whole reviews; their labels are not looked at.
      vocabulary_size: V.
      first_word: the first id that is a word's; those before it have no neighbours and are nobody's.
      size: D, less than V.
      window: how many words on either side are a word's neighbours.

    Raises:
      UserError: the vocabulary is too small.
    """
    if size >= vocabulary_size:
        raise UserError(
            f"config.model.embedding_size is {size}, but {vocabulary_size} words give vectors of fewer numbers; "
            "make it smaller, or config.data.vectors.source='random'"
        )

    def count_and_factor() -> HostArray:
        return factor(mutual_information(neighbours(corpus, vocabulary_size, first_word, window)), size)

    return cached(corpus, count_and_factor, sys.modules[__name__], vocabulary_size, first_word, size, window)


def neighbours(corpus: FlatCorpus, vocabulary_size: int, first_word: int, window: int) -> Any:
    """How often each word stands within ``window`` words of each other one: a sparse symmetric ``[V, V]``."""
    import scipy.sparse  # slow to import, as below, which a run on cached vectors need not wait for

    review = np.repeat(np.arange(len(corpus.offsets) - 1, dtype=np.int32), np.diff(corpus.offsets))
    shape = (vocabulary_size, vocabulary_size)
    counts = scipy.sparse.csr_array(shape, dtype=np.float32)
    for start in range(0, len(corpus.tokens), CHUNK):
        for distance in range(1, window + 1):
            left = slice(start, min(start + CHUNK, len(corpus.tokens) - distance))
            right = slice(start + distance, left.stop + distance)
            a, b = corpus.tokens[left], corpus.tokens[right]
            pair = (review[left] == review[right]) & (a >= first_word) & (b >= first_word)
            ones = np.ones(np.count_nonzero(pair), np.float32)
            counts = counts + scipy.sparse.coo_array((ones, (a[pair], b[pair])), shape=shape).tocsr()
    return counts + counts.T


def mutual_information(counts: Any) -> Any:
    """Positive pointwise mutual information of sparse counts ``[V, V]``, with smoothed columns."""
    import scipy.sparse

    of_word = np.asarray(counts.sum(axis=1), np.float64)
    of_neighbour = of_word**SMOOTHING
    of_neighbour /= of_neighbour.sum()
    pairs = counts.tocoo()
    information = np.log(pairs.data / (of_word[pairs.row] * of_neighbour[pairs.col]))
    kept = information > 0
    entries = (information[kept].astype(np.float32), (pairs.row[kept], pairs.col[kept]))
    return scipy.sparse.csr_array(entries, shape=counts.shape)


def factor(information: Any, size: int) -> HostArray:
    """Word vectors ``[V, D]`` from the largest singular values, in float32; unseen words are zero."""
    from scipy.sparse.linalg import svds

    # The largest singular vectors from a start of ones: deterministic, and precise enough for first values.
    start = np.ones(information.shape[0], np.float32)
    u, values, _ = svds(information, k=size, v0=start, tol=1e-2)
    u = u * np.sign(u.sum(axis=0))  # the sign of a singular vector is arbitrary
    return np.asarray(u * np.sqrt(values), np.float32)
