"""Which reviews each call of the compiled program sees, as a pure function of the step."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from lstm_jax.config import TrainConfig
from lstm_jax.data.batching import Call, epoch_plan
from lstm_jax.types import HostArray


class Piece(NamedTuple):
    """Steps made in one call: all of one bucket, and none past a validation."""

    length: int  # T
    reviews: HostArray  # [L, k, B]
    first_step: int  # the number of the step before the first of these
    validate: bool  # after the last of these

    @property
    def last_step(self) -> int:
        return self.first_step + self.reviews.shape[1]


def pieces(
    plan: Callable[[int], list[Call]], per_epoch: int, start: int, total: int, validate_every: int
) -> Iterator[Piece]:
    """The pieces from step ``start`` to ``total``, the same whatever the start.

    Args:
      plan: epoch → its calls, with reviews ``[L, k, B]``.
      per_epoch: steps of an epoch.
      start: steps already made.
      total: steps of the run.
      validate_every: steps between validations; there is always one after the last step.
    """
    for epoch in range(start // per_epoch, -(-total // per_epoch)):
        step = epoch * per_epoch
        for call in plan(epoch):
            done, steps = 0, min(call.reviews.shape[1], total - step)
            while done < steps:
                boundary = min((step // validate_every + 1) * validate_every, total)
                count = min(steps - done, boundary - step)
                if step >= start:
                    validate = step + count == boundary
                    yield Piece(call.length, call.reviews[:, done : done + count], step, validate)
                done, step = done + count, step + count


def first_alone(made: Iterable[Piece]) -> Iterator[Piece]:
    """The same steps, the first of them in a piece of its own, so that it is known when that is done."""
    rest = iter(made)
    for piece in itertools.islice(rest, 1):
        if piece.reviews.shape[1] == 1:
            yield piece
            break
        yield Piece(piece.length, piece.reviews[:, :1], piece.first_step, validate=False)
        yield Piece(piece.length, piece.reviews[:, 1:], piece.first_step + 1, piece.validate)
    yield from rest


def lane_plan(of: HostArray, buckets: tuple[int, ...], config: TrainConfig, seeds: list[int], epoch: int) -> list[Call]:
    """The calls of an epoch for lanes of the given seeds: reviews ``[L, k, B]``, one length for all lanes."""
    plans = {
        seed: epoch_plan(of, buckets, config.batch_size, config.steps_per_call, seed, epoch) for seed in set(seeds)
    }
    return [
        Call(calls[0].length, np.stack([call.reviews for call in calls]))
        for calls in zip(*(plans[seed] for seed in seeds), strict=True)
    ]
