"""Operations on flat corpora, the token ids of many examples in one array."""

from typing import Any

import datasets
import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.tokenizer import PADDING
from lstm_jax.types import HostArray

BLOCK = 20_000  # Number of examples whose tokens are copied at a time.


def lengths(corpus: FlatCorpus) -> HostArray:
    """The number of tokens of each example, ``[N]``."""
    return np.diff(corpus.offsets)


def flatten(dataset: datasets.Dataset, labels: HostArray) -> FlatCorpus:
    """The column ``ids``, taken directly from Arrow's buffers, and the class numbers ``[N]`` as a corpus."""
    column = dataset.data.column("ids").combine_chunks()
    return FlatCorpus(
        tokens=np.asarray(column.flatten(), np.int32),
        offsets=np.concatenate([[0], np.cumsum(np.asarray(column.value_lengths(), np.int64))]),
        labels=labels,
    )


def join(corpora: list[FlatCorpus]) -> FlatCorpus:
    """The examples of several corpora, one corpus after the other."""
    counts = np.concatenate([lengths(corpus) for corpus in corpora])
    of_tokens = [corpus.token_labels for corpus in corpora]
    return FlatCorpus(
        tokens=np.concatenate([corpus.tokens for corpus in corpora]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        labels=np.concatenate([corpus.labels for corpus in corpora]),
        token_labels=None if of_tokens[0] is None else np.concatenate(of_tokens),
    )


def from_ids(ids: list[list[int]]) -> FlatCorpus:
    """A corpus of unlabelled texts given as token ids."""
    return FlatCorpus(
        tokens=np.concatenate([np.asarray(text, np.int32) for text in ids]),
        offsets=np.concatenate([[0], np.cumsum([len(text) for text in ids])]),
        labels=np.zeros(len(ids), np.int32),
    )


def take(corpus: FlatCorpus, rows: HostArray) -> FlatCorpus:
    """The examples with the given numbers, in the order of the numbers."""
    starts = corpus.offsets[:-1][rows]
    return _slices(corpus, starts, lengths(corpus)[rows], corpus.labels[rows])


def remove_token(corpus: FlatCorpus, token: int) -> FlatCorpus:
    """Removes a token from all examples. An example that holds no other token keeps it once."""
    kept, starts = corpus.tokens != token, corpus.offsets[:-1]
    full = lengths(corpus) > 0  # For an example without tokens, reduceat would count the next example's first one.
    counts = np.zeros(len(starts), np.int64)
    counts[full] = np.add.reduceat(kept, starts[full], dtype=np.int64)
    only = full & (counts == 0)
    kept[starts[only]] = True
    of_tokens = None if corpus.token_labels is None else corpus.token_labels[kept]
    return FlatCorpus(corpus.tokens[kept], np.concatenate([[0], np.cumsum(counts + only)]), corpus.labels, of_tokens)


def truncate(corpus: FlatCorpus, length: int, keep: str) -> FlatCorpus:
    """Examples of at most ``length`` tokens.

    Args:
      corpus: The examples.
      length: The maximum number of tokens that an example keeps.
      keep: Which tokens a longer example keeps: the first (``head``), the last (``tail``), or half of each (``both``).
    """
    full = lengths(corpus)
    if full.max(initial=0) <= length:
        return corpus
    short = np.minimum(full, length)
    starts = corpus.offsets[:-1]
    if keep == "both":
        return _slices(corpus, starts, short, corpus.labels, skip_after=length // 2, skip=full - short)
    return _slices(corpus, starts + (full - short) * (keep == "tail"), short, corpus.labels)


def pad_left(corpus: FlatCorpus, length: int) -> FlatCorpus:
    """Pads examples on the left to exactly ``length`` tokens; none may be longer."""
    full = lengths(corpus)
    last = np.cumsum(np.full(len(full), length))
    places = np.repeat(last - full, full) + (np.arange(len(corpus.tokens)) - np.repeat(corpus.offsets[:-1], full))

    def padded(values: HostArray, padding: int) -> HostArray:
        table = np.full(len(full) * length, padding, np.int32)
        table[places] = values
        return table

    of_tokens = None if corpus.token_labels is None else padded(corpus.token_labels, -1)
    return FlatCorpus(padded(corpus.tokens, PADDING), np.concatenate([[0], last]), corpus.labels, of_tokens)


def pad_right(corpus: FlatCorpus, length: int) -> FlatCorpus:
    """Pads examples on the right to exactly ``length`` tokens; none may be longer."""
    full = lengths(corpus)
    inside = np.arange(length) < full[:, None]
    table = np.full(inside.shape, PADDING, np.int32)
    table[inside] = corpus.tokens
    return FlatCorpus(table.reshape(-1), length * np.arange(len(full) + 1), corpus.labels)


def _slices(
    corpus: FlatCorpus, starts: Any, counts: Any, labels: Any, skip_after: int = 0, skip: Any = 0
) -> FlatCorpus:
    """Examples of ``counts`` tokens from ``starts`` on; ``skip`` tokens are left out after ``skip_after``."""
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    tokens = np.empty(offsets[-1], np.int32)
    of_tokens = None if corpus.token_labels is None else np.empty(offsets[-1], np.int32)
    skip = np.broadcast_to(skip, counts.shape)
    for first in range(0, len(counts), BLOCK):  # The positions of all tokens at once would take too much memory.
        block = slice(first, first + BLOCK)
        begin, own = offsets[:-1][block], counts[block]
        end = begin[-1] + own[-1]
        positions = np.arange(begin[0], end) + np.repeat(starts[block] - begin, own)
        if skip_after:
            within = np.arange(begin[0], end) - np.repeat(begin, own)
            positions += np.where(within >= skip_after, np.repeat(skip[block], own), 0)
        tokens[begin[0] : end] = corpus.tokens[positions]
        if of_tokens is not None:
            of_tokens[begin[0] : end] = corpus.token_labels[positions]
    return FlatCorpus(tokens, offsets, np.asarray(labels, np.int32), of_tokens)
