"""Which examples each call of the compiled program sees, as a pure function of the step."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lstm_jax.config import TrainConfig
from lstm_jax.data.batching import Chunk, epoch_plan, random_plan
from lstm_jax.types import HostArray


class ScheduledChunk(NamedTuple):
    """The steps of one call. All belong to one bucket, and a validation can only follow the last."""

    length: int  # T.
    examples: HostArray  # Example numbers [L, k, B].
    first_step: int  # The number of steps before this chunk.
    validate: bool  # Whether to validate after this chunk.

    @property
    def last_step(self) -> int:
        """The number of steps after this chunk."""
        return self.first_step + self.examples.shape[1]


def scheduled_chunks(
    plan: Callable[[int], list[Chunk]],
    per_epoch: int,
    start: int,
    total: int,
    validate_every: int,
    cuts: Sequence[int] = (),
) -> Iterator[ScheduledChunk]:
    """The chunks from step ``start`` to ``total``, with the same steps as in a run that was not interrupted there.

    Args:
      plan: Function from an epoch to its chunks, with examples ``[L, k, B]``.
      per_epoch: Number of steps of an epoch.
      start: Number of steps already made.
      total: Number of steps of the run.
      validate_every: Number of steps between validations; there is always one after the last step.
      cuts: Further steps at which a chunk ends.
    """
    for epoch in range(start // per_epoch, -(-total // per_epoch)):
        step = epoch * per_epoch
        for chunk in plan(epoch):
            done, steps = 0, min(chunk.examples.shape[1], total - step)
            while done < steps:
                validation = min((step // validate_every + 1) * validate_every, total)
                end = min([step + steps - done, validation, *(cut for cut in (start, *cuts) if cut > step)])
                count = end - step
                if step >= start:
                    examples = chunk.examples[:, done : done + count]
                    yield ScheduledChunk(chunk.length, examples, step, validate=end == validation)
                done, step = done + count, end


def first_step_alone(chunks: Iterable[ScheduledChunk]) -> Iterator[ScheduledChunk]:
    """The same steps, with the first in its own chunk, so that it can be timed."""
    rest = iter(chunks)
    for chunk in itertools.islice(rest, 1):
        if chunk.examples.shape[1] == 1:
            yield chunk
            break
        yield ScheduledChunk(chunk.length, chunk.examples[:, :1], chunk.first_step, validate=False)
        yield ScheduledChunk(chunk.length, chunk.examples[:, 1:], chunk.first_step + 1, chunk.validate)
    yield from rest


def lane_plan(
    of: HostArray, buckets: tuple[int, ...], config: TrainConfig, seeds: list[int], epoch: int
) -> list[Chunk]:
    """The chunks of an epoch for lanes of the given seeds: examples ``[L, k, B]``, one length for all lanes."""
    if config.order == "random":
        return _random_lane_plan(of, buckets, config, seeds, epoch)
    plans = {
        seed: epoch_plan(of, buckets, config.batch_size, config.steps_per_call, seed, epoch) for seed in set(seeds)
    }
    return [
        Chunk(chunks[0].length, np.stack([chunk.examples for chunk in chunks]))
        for chunks in zip(*(plans[seed] for seed in seeds), strict=True)
    ]


def _random_lane_plan(
    of: HostArray, buckets: tuple[int, ...], config: TrainConfig, seeds: list[int], epoch: int
) -> list[Chunk]:
    """The same for random batches. A step has the length of the longest example that any lane has in it."""
    plans = {seed: random_plan(of, buckets, config.batch_size, seed, epoch) for seed in set(seeds)}
    bucket = np.max([plans[seed][0] for seed in seeds], axis=0)
    examples = np.stack([plans[seed][1] for seed in seeds])
    chunks, first = [], 0
    while first < len(bucket):
        end = first + 1
        while end < min(first + config.steps_per_call, len(bucket)) and bucket[end] == bucket[first]:
            end += 1
        chunks.append(Chunk(buckets[bucket[first]], examples[:, first:end]))
        first = end
    return chunks
