"""Which reviews make which batch, and their words gathered from the flat corpus.

An epoch plan is a pure function of (lengths, seed, epoch), so a step number is all that resuming needs.
Reviews of like length share a batch, padded to the length of their bucket. What is left over in a bucket
moves to the next longer one, so an epoch always has ``ceil(N / B)`` steps and sees every review once. The
order of the bucket lengths depends on the epoch alone: runs of different seeds draw different reviews but
can be stepped side by side in one compiled program.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lstm_jax.types import HostArray, Labels, Lengths, Tokens

EMPTY = -1  # in place of a review's number: a row that holds none


class FlatCorpus(NamedTuple):
    """Tokenised reviews end to end, on the host or on a device.

    Attributes:
      tokens: ``[W]`` int32.
      offsets: ``[N + 1]`` int32; review ``n`` is ``tokens[offsets[n]:offsets[n + 1]]``.
      labels: ``[N]`` int32.
    """

    tokens: Any
    offsets: Any
    labels: Any


class Batch(NamedTuple):
    """The reviews of one step, time leading."""

    tokens: Tokens  # [T, B], 0 past a row's length
    lengths: Lengths  # [B], 0 for an empty row
    labels: Labels  # [B]
    weights: Float[Array, "B"]  # 1 for a review, 0 for an empty row
    reviews: Labels  # [B], each row's number in the corpus, which also seeds its dropout


class Call(NamedTuple):
    """Successive steps of one bucket, made in one call of the compiled program."""

    length: int  # T
    reviews: HostArray  # [k, B] numbers of reviews, EMPTY where a batch is not full


def gather(corpus: FlatCorpus, reviews: Any, length: int) -> Batch:
    """The batch ``[T = length, B]`` of the given review numbers ``[..., B]``; leading axes stay leading.

    The same code runs on the device (jax arrays) and on the host (numpy arrays).
    """
    xp = jnp if isinstance(corpus.tokens, jax.Array) else np
    real = reviews >= 0
    rows = xp.where(real, reviews, 0)
    starts = corpus.offsets[rows]
    lengths = xp.where(real, xp.minimum(corpus.offsets[rows + 1] - starts, length), 0)
    time = xp.arange(length, dtype=starts.dtype)[:, None]
    inside = xp.broadcast_to(time, (*reviews.shape[:-1], length, reviews.shape[-1])) < lengths[..., None, :]
    tokens = corpus.tokens[xp.where(inside, starts[..., None, :] + time, 0)]
    return Batch(
        tokens=xp.where(inside, tokens, 0),
        lengths=lengths,
        labels=xp.where(real, corpus.labels[rows], 0),
        weights=real.astype(xp.float32),
        reviews=rows,
    )


def bucket_lengths(lengths: HostArray, buckets: int, multiple: int = 8) -> tuple[int, ...]:
    """The at most ``buckets`` padded lengths under which the reviews need the fewest padded words.

    Args:
      lengths: ``[N]`` words of each review.
      buckets: how many lengths at the most.
      multiple: every length is a multiple of it.

    Returns:
      The lengths in ascending order, the last no shorter than the longest review.
    """
    rounded = -(-np.maximum(lengths, 1) // multiple) * multiple
    edges, counts = np.unique(rounded, return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)])
    # cost[b, j]: padded words of all reviews up to edges[j - 1] in b buckets; from_[b, j]: where the last begins.
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


def steps_per_epoch(reviews: int, batch_size: int) -> int:
    """Steps that see every review once."""
    return -(-reviews // batch_size)


def epoch_plan(
    lengths: HostArray, buckets: tuple[int, ...], batch_size: int, steps_per_call: int, seed: int, epoch: int
) -> list[Call]:
    """The calls of one training epoch.

    Args:
      lengths: ``[N]`` words of each review.
      buckets: ascending padded lengths, as ``bucket_lengths`` gives.
      batch_size: B.
      steps_per_call: the most steps of one call.
      seed: decides which reviews meet in a batch.
      epoch: decides that too, and alone the order of the bucket lengths.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths)).astype(np.int32)
    calls = _calls(order, lengths, buckets, batch_size, steps_per_call)
    schedule = np.random.default_rng(epoch).permutation(len(calls))
    return [calls[n] for n in schedule]


def evaluation_plan(lengths: HostArray, buckets: tuple[int, ...], batch_size: int, steps_per_call: int) -> list[Call]:
    """The calls that see every review once, in the order of their lengths."""
    order = np.argsort(lengths, kind="stable").astype(np.int32)
    return _calls(order, lengths, buckets, batch_size, steps_per_call)


def _calls(
    order: HostArray, lengths: HostArray, buckets: tuple[int, ...], batch_size: int, steps_per_call: int
) -> list[Call]:
    bucket_of = np.searchsorted(buckets, np.maximum(lengths[order], 1))
    calls = []
    carried = np.zeros(0, np.int32)
    for b, length in enumerate(buckets):
        members = np.concatenate([carried, order[bucket_of == b]])
        full = len(members) // batch_size * batch_size
        members, carried = members[:full], members[full:]
        if b == len(buckets) - 1 and len(carried):
            empty = np.full(batch_size - len(carried), EMPTY, np.int32)
            members = np.concatenate([members, carried, empty])
        batches = members.reshape(-1, batch_size)
        calls += [Call(length, batches[n : n + steps_per_call]) for n in range(0, len(batches), steps_per_call)]
    return calls
