"""Plans that assign examples to batches, and batches gathered from a flat corpus.

An epoch plan is a pure function of (lengths, seed, epoch), so resuming needs only the step number. Examples of similar
length share a batch, padded to the length of their bucket. Examples left over in a bucket move to the next longer one,
so an epoch always has ``ceil(N / B)`` steps and sees every example once. The order of the bucket lengths depends only
on the epoch. Runs with different seeds see different examples, but batches of the same lengths, so one compiled
program can train them side by side.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lstm_jax.types import HostArray, Labels, Lengths, Tokens

EMPTY = -1  # The example number of an empty slot of a batch.


class FlatCorpus(NamedTuple):
    """Tokenised examples, concatenated, on the host or on a device.

    Attributes:
      tokens: Token ids ``[W]``, int32.
      offsets: Offsets ``[N + 1]``, integer; example ``n`` is ``tokens[offsets[n]:offsets[n + 1]]``.
      labels: Class numbers ``[N]``, int32.
      token_labels: Class numbers ``[W]`` of the tokens, int32, -1 where a token has none; ``None``: only examples have
        labels. With them, an example's own label is that of its last labelled token.
    """

    tokens: Any
    offsets: Any
    labels: Any
    token_labels: Any = None


class Batch(NamedTuple):
    """The examples of one step, time leading.

    Attributes:
      tokens: Token ids ``[T, B]``, 0 past an example's length.
      lengths: Lengths ``[B]``, 0 in an empty slot.
      labels: Class numbers, ``[B]`` or one for each token, ``[T, B]``, which is -1 where there is none.
      weights: Weights ``[B]``, 1 for an example, 0 for an empty slot.
      examples: Numbers ``[B]`` of the examples in the corpus, which also seed their dropout.
      total: Number of examples of the batch on all devices, at least 1. The training step sets it for objectives.
    """

    tokens: Tokens
    lengths: Lengths
    labels: Labels
    weights: Float[Array, " B"]
    examples: Int[Array, " B"]
    total: Any = None


class Chunk(NamedTuple):
    """Successive steps of one bucket, computed in one call of the compiled program."""

    length: int  # T.
    examples: HostArray  # Example numbers [k, B]; EMPTY in empty slots of a batch.


def gather(corpus: FlatCorpus, examples: Any, length: int) -> Batch:
    """The batch ``[T = length, B]`` of the given example numbers ``[..., B]``; leading axes stay leading.

    The same code runs on the device (jax arrays) and on the host (numpy arrays).
    """
    xp = jnp if isinstance(corpus.tokens, jax.Array) else np
    real = examples >= 0
    rows = xp.where(real, examples, 0)
    starts = corpus.offsets[rows]
    lengths = xp.where(real, xp.minimum(corpus.offsets[rows + 1] - starts, length), 0)
    time = xp.arange(length, dtype=starts.dtype)[:, None]
    inside = xp.broadcast_to(time, (*examples.shape[:-1], length, examples.shape[-1])) < lengths[..., None, :]
    places = xp.where(inside, starts[..., None, :] + time, 0)
    if corpus.token_labels is None:
        labels = xp.where(real, corpus.labels[rows], 0)
    else:
        labels = xp.where(inside, corpus.token_labels[places], -1)
    return Batch(
        tokens=xp.where(inside, corpus.tokens[places], 0),
        lengths=lengths,
        labels=labels,
        weights=real.astype(xp.float32),
        examples=rows,
    )


def bucket_lengths(lengths: HostArray, buckets: int, multiple: int = 8) -> tuple[int, ...]:
    """The padded lengths, at most ``buckets`` of them, with which the examples need the fewest tokens in all.

    Args:
      lengths: Number of tokens of each example, ``[N]``.
      buckets: Maximum number of lengths.
      multiple: Number that every length is a multiple of.

    Returns:
      The lengths in ascending order, the last no shorter than the longest example.
    """
    rounded = -(-np.maximum(lengths, 1) // multiple) * multiple
    edges, counts = np.unique(rounded, return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)])
    # cost[b, j]: padded tokens of all examples up to edges[j - 1] in b buckets; from_[b, j]: where the last begins.
    cost = np.full((buckets + 1, len(edges) + 1), np.inf)
    from_ = np.zeros(cost.shape, int)
    cost[:, 0] = 0
    for b in range(1, buckets + 1):
        for j in range(1, len(edges) + 1):
            options = cost[b - 1, :j] + edges[j - 1] * (below[j] - below[:j])
            from_[b, j] = int(np.argmin(options))
            cost[b, j] = options[from_[b, j]]
    chosen, j = [], len(edges)
    for b in range(buckets, 0, -1):
        if j == 0:
            break
        chosen.append(int(edges[j - 1]))
        j = from_[b, j]
    return tuple(sorted(chosen))


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """The number of steps that see every example once."""
    return -(-examples // batch_size)


def epoch_plan(
    lengths: HostArray, buckets: tuple[int, ...], batch_size: int, steps_per_call: int, seed: int, epoch: int
) -> list[Chunk]:
    """The chunks of one training epoch.

    Args:
      lengths: Number of tokens of each example, ``[N]``.
      buckets: Ascending padded lengths, from ``bucket_lengths``.
      batch_size: Number of examples per batch, B.
      steps_per_call: Maximum number of steps in one call.
      seed: Seed of the assignment of examples to batches.
      epoch: Epoch, which changes that assignment and alone determines the order of the bucket lengths.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths)).astype(np.int32)
    chunks = _chunks(order, lengths, buckets, batch_size, steps_per_call)
    schedule = np.random.default_rng(epoch).permutation(len(chunks))
    return [chunks[n] for n in schedule]


def random_plan(
    lengths: HostArray, buckets: tuple[int, ...], batch_size: int, seed: int, epoch: int
) -> tuple[HostArray, HostArray]:
    """The steps of an epoch whose batches are drawn without regard to length.

    The arguments are those of ``epoch_plan``.

    Returns:
      The bucket of the longest example of each of the S steps, ``[S]``, and example numbers ``[S, B]``.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths)).astype(np.int32)
    empty = np.full(-len(order) % batch_size, EMPTY, np.int32)
    examples = np.concatenate([order, empty]).reshape(-1, batch_size)
    longest = np.where(examples == EMPTY, 0, lengths[examples]).max(axis=1)
    return np.searchsorted(buckets, np.maximum(longest, 1)), examples


def evaluation_plan(lengths: HostArray, buckets: tuple[int, ...], batch_size: int, steps_per_call: int) -> list[Chunk]:
    """The chunks that see every example once, in the order of their lengths."""
    order = np.argsort(lengths, kind="stable").astype(np.int32)
    return _chunks(order, lengths, buckets, batch_size, steps_per_call)


def _chunks(
    order: HostArray, lengths: HostArray, buckets: tuple[int, ...], batch_size: int, steps_per_call: int
) -> list[Chunk]:
    bucket_of = np.searchsorted(buckets, np.maximum(lengths[order], 1))
    chunks = []
    carried = np.zeros(0, np.int32)
    for b, length in enumerate(buckets):
        members = np.concatenate([carried, order[bucket_of == b]])
        full = len(members) // batch_size * batch_size
        members, carried = members[:full], members[full:]
        if b == len(buckets) - 1 and len(carried):
            empty = np.full(batch_size - len(carried), EMPTY, np.int32)
            members = np.concatenate([members, carried, empty])
        batches = members.reshape(-1, batch_size)
        chunks += [Chunk(length, batches[n : n + steps_per_call]) for n in range(0, len(batches), steps_per_call)]
    return chunks
