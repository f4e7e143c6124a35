"""N-grams of adjacent tokens as rows of tables: the tokens themselves, and hashed pairs and triples.

Hashing needs no vocabulary of n-grams (fastText, Joulin et al. 2017). ``hashed`` takes arrays of numpy or of JAX, so
that the host, which counts n-grams, and a network on any device find the same rows.
"""

from typing import Any, NamedTuple

import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.types import HostArray

ORDER = 3  # The longest n-grams.
EXAMPLES_AT_A_TIME = 10_000  # Limits the memory of counting.

FACTORS = (0x9E3779B1, 0x85EBCA77, 0x27D4EB2F)
MIXER = 0xC2B2AE3D


class NgramTables(NamedTuple):
    """Values of n-grams by class, such as the weights of a linear classifier.

    Attributes:
      words: One row for each token of the vocabulary, ``[V, C]``.
      pairs: The rows of hashed pairs, ``[M, C]``.
      triples: The rows of hashed triples, ``[M, C]``.
      bias: What every example has, ``[C]``.
    """

    words: HostArray
    pairs: HostArray
    triples: HostArray
    bias: HostArray


def hashed(ids: Any, rows: int) -> Any:
    """Hashes n-grams to rows: ids multiplied by odd constants, added, mixed, modulo ``rows``, all in uint32.

    Args:
      ids: One integer array for each token of the n-grams, all of one shape.
      rows: Number of rows.
    """
    mixed = sum(own.astype(np.uint32) * np.uint32(factor) for own, factor in zip(ids, FACTORS, strict=False))
    mixed = (mixed ^ (mixed >> 15)) * np.uint32(MIXER)
    mixed = mixed ^ (mixed >> 13)
    return (mixed % np.uint32(rows)).astype(np.int32)


def bag_of_ngrams(corpus: FlatCorpus, vocabulary_size: int, unknown: int, rows: int) -> Any:
    """Which words, pairs and triples each example contains: a sparse float32 array of ones, ``[N, V + 2 M]``.

    N-grams with a special token, whose id is at most that of the unknown token, are left out.

    Args:
      corpus: The examples; their labels are not read.
      vocabulary_size: Number of columns of words, V.
      unknown: The id of the unknown token.
      rows: Number of columns of pairs, and of triples, M.
    """
    import scipy.sparse  # A slow import, which a run on cached weights does not need.

    blocks, offsets = [], corpus.offsets
    for first in range(0, max(len(offsets) - 1, 1), EXAMPLES_AT_A_TIME):
        own = offsets[first : first + EXAMPLES_AT_A_TIME + 1]
        tokens, counts = corpus.tokens[own[0] : own[-1]], np.diff(own)
        columns, examples = _columns(tokens, np.repeat(np.arange(len(counts)), counts), vocabulary_size, unknown, rows)
        shape = (len(counts), vocabulary_size + (ORDER - 1) * rows)
        block = scipy.sparse.csr_array((np.ones(len(columns), np.float32), (examples, columns)), shape)
        block.data[:] = 1  # However often an n-gram occurs.
        blocks.append(block)
    return scipy.sparse.vstack(blocks, format="csr")


def _columns(
    tokens: HostArray, example: HostArray, vocabulary_size: int, unknown: int, rows: int
) -> tuple[HostArray, HostArray]:
    """The column of every n-gram, and the example that it is in."""
    whole = tokens > unknown  # Where an n-gram of ordinary tokens of one example ends.
    columns, examples = [tokens[whole].astype(np.int64)], [example[whole]]
    for order in range(2, ORDER + 1):
        earlier = np.zeros_like(whole)
        earlier[1:] = whole[:-1] & (example[1:] == example[:-1])
        whole = earlier & (tokens > unknown)
        ends = np.flatnonzero(whole)
        found = hashed([tokens[ends - back] for back in reversed(range(order))], rows)
        columns.append(found.astype(np.int64) + vocabulary_size + (order - 2) * rows)
        examples.append(example[ends])
    return np.concatenate(columns), np.concatenate(examples)
