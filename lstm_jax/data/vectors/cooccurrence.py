"""Word vectors from co-occurrence counts, learned without labels.

The positive pointwise mutual information of tokens and their neighbours is factored by a truncated singular value
decomposition. Skip-gram with negative sampling factors the same matrix implicitly (Levy & Goldberg 2014). The smoothed
contexts and the square root of the singular values follow Levy, Goldberg & Dagan (2015).
"""

import sys
from typing import Any

import numpy as np

from lstm_jax.config import Config
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.tokenizer import first_token_id
from lstm_jax.data.vectors.base import Vectors, register
from lstm_jax.data.vectors.cache import cached
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

SMOOTHING = 0.75  # The power of the neighbours' counts; it gives rare neighbours less weight.
TOKENS_AT_A_TIME = 4_000_000  # Limits the memory of counting.


def cooccurrence_vectors(
    corpus: FlatCorpus, vocabulary_size: int, first_token: int, size: int, window: int
) -> HostArray:
    """The vectors ``[V, D]`` of a vocabulary, read from the cache if they were learned before.

    Args:
      corpus: Untruncated texts; their labels are not read.
      vocabulary_size: Size of the vocabulary, V.
      first_token: The lowest id of an ordinary token. Special tokens have lower ids and are not counted.
      size: Size of the vectors, D, less than V.
      window: Number of tokens on either side that count as a token's neighbours.

    Raises:
      UserError: The vocabulary is too small.
    """
    if size >= vocabulary_size:
        raise UserError(
            f"config.model.embedding_size is {size}, but it must be below the vocabulary's {vocabulary_size} words; "
            "lower it, or set config.data.vectors.source='random'"
        )

    def count_and_factor() -> HostArray:
        return factor(mutual_information(neighbours(corpus, vocabulary_size, first_token, window)), size)

    return cached(corpus, count_and_factor, sys.modules[__name__], vocabulary_size, first_token, size, window)


def neighbours(corpus: FlatCorpus, vocabulary_size: int, first_token: int, window: int) -> Any:
    """How often two tokens are within ``window`` tokens of each other: a sparse symmetric ``[V, V]``."""
    import scipy.sparse  # A slow import, here and below, which a run on cached vectors does not need.

    text = np.repeat(np.arange(len(corpus.offsets) - 1, dtype=np.int32), np.diff(corpus.offsets))
    shape = (vocabulary_size, vocabulary_size)
    counts = scipy.sparse.csr_array(shape, dtype=np.float32)
    for start in range(0, len(corpus.tokens), TOKENS_AT_A_TIME):
        for distance in range(1, window + 1):
            left = slice(start, min(start + TOKENS_AT_A_TIME, len(corpus.tokens) - distance))
            right = slice(start + distance, left.stop + distance)
            a, b = corpus.tokens[left], corpus.tokens[right]
            pair = (text[left] == text[right]) & (a >= first_token) & (b >= first_token)
            ones = np.ones(np.count_nonzero(pair), np.float32)
            counts = counts + scipy.sparse.coo_array((ones, (a[pair], b[pair])), shape=shape).tocsr()
    return counts + counts.T


def mutual_information(counts: Any) -> Any:
    """Positive pointwise mutual information of sparse counts ``[V, V]``, with smoothed columns."""
    import scipy.sparse

    of_token = np.asarray(counts.sum(axis=1), np.float64)
    of_neighbour = of_token**SMOOTHING
    of_neighbour /= of_neighbour.sum()
    pairs = counts.tocoo()
    information = np.log(pairs.data / (of_token[pairs.row] * of_neighbour[pairs.col]))
    kept = information > 0
    entries = (information[kept].astype(np.float32), (pairs.row[kept], pairs.col[kept]))
    return scipy.sparse.csr_array(entries, shape=counts.shape)


def factor(information: Any, size: int) -> HostArray:
    """Vectors ``[V, D]`` in float32, from the largest singular values; those of unseen tokens are zero."""
    from scipy.sparse.linalg import svds

    # A fixed start makes the result deterministic; the tolerance is precise enough for initial values.
    start = np.ones(information.shape[0], np.float32)
    u, values, _ = svds(information, k=size, v0=start, tol=1e-2)
    u = u * np.sign(u.sum(axis=0))  # The sign of a singular vector is arbitrary.
    return np.asarray(u * np.sqrt(values), np.float32)


def _make(config: Config, corpora: Corpora) -> HostArray:
    assert corpora.whole is not None
    tokenizer, size = corpora.tokenizer, config.model.embedding_size
    vocabulary_size, first_token = tokenizer.get_vocab_size(), first_token_id(tokenizer)
    return cooccurrence_vectors(corpora.whole, vocabulary_size, first_token, size, config.data.vectors.window)


register("cooccurrence", Vectors(_make, reads_text=True))
