"""The host loop that trains a stack of lanes. One lane is a run; many lanes are a study.

The device works ahead: while one call runs, the next one's reviews are made ready and the last one's
metrics are fetched. Every call, and so every number written, follows from the config and the step alone,
which is what makes a resumed run equal to an uninterrupted one.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.config import TrainConfig
from lstm_jax.text.batches import Call, bucket_lengths, epoch_plan, evaluation_plan, steps_per_epoch
from lstm_jax.text.corpus import lengths
from lstm_jax.training.checkpoints import Checkpoint, Checkpoints
from lstm_jax.training.experiment import TrainState, evaluated_params
from lstm_jax.training.feed import Feed, feed_arguments
from lstm_jax.training.journal import Journal
from lstm_jax.training.lanes import Program
from lstm_jax.training.metrics import Metrics
from lstm_jax.types import HostArray, Params


@dataclasses.dataclass
class LaneNotes:
    """What the loop remembers of a lane."""

    seed: int
    best_accuracy: float = -1.0  # of the validations so far
    best_step: int = 0
    waited: int = 0  # validations since the best one
    diverged_at: int | None = None  # the first step whose loss was NaN or infinite
    stopped: bool = False  # early, by patience; its weights and best are kept as they are

    @property
    def running(self) -> bool:
        return self.diverged_at is None and not self.stopped


@dataclasses.dataclass
class Notes:
    """What the loop remembers, written with every checkpoint."""

    lanes: list[LaneNotes]
    step: int = 0
    train_seconds: float = 0.0  # of training and validating, compiling aside
    compile_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Notes":
        return cls(**{**values, "lanes": [LaneNotes(**lane) for lane in values["lanes"]]})


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


def lane_plan(of: HostArray, buckets: tuple[int, ...], config: TrainConfig, seeds: list[int], epoch: int) -> list[Call]:
    """The calls of an epoch for lanes of the given seeds: reviews ``[L, k, B]``, one length for all lanes."""
    plans = {
        seed: epoch_plan(of, buckets, config.batch_size, config.steps_per_call, seed, epoch) for seed in set(seeds)
    }
    return [
        Call(calls[0].length, np.stack([call.reviews for call in calls]))
        for calls in zip(*(plans[seed] for seed in seeds), strict=True)
    ]


class Loop(NamedTuple):
    """What does not change while a stack of lanes trains."""

    program: Program
    config: TrainConfig
    train: Feed
    validation: Feed
    buckets: tuple[int, ...]
    per_epoch: int
    total_steps: int


def make_loop(program: Program, config: TrainConfig, train: Feed, validation: Feed, total_steps: int) -> Loop:
    """Chooses the buckets for the given corpora."""
    of = np.concatenate([lengths(train.host), lengths(validation.host)])
    per_epoch = steps_per_epoch(len(train.host.labels), config.batch_size)
    return Loop(program, config, train, validation, bucket_lengths(of, config.buckets), per_epoch, total_steps)


def run(
    loop: Loop, state: TrainState, best: Params, notes: Notes, checkpoints: Checkpoints, workdir: Path
) -> tuple[TrainState, Params, Notes]:
    """Trains every lane from ``notes.step`` until the last step, its early stop or its divergence.

    Args:
      loop: program, corpora and schedule.
      state: of all lanes; donated.
      best: the best evaluated weights of all lanes so far; donated.
      notes: changed as the run goes.
      checkpoints: written after every validation.
      workdir: where the journal lies.
    """
    config, clock = loop.config, _Clock(loop.program, notes)
    plan = partial(lane_plan, lengths(loop.train.host), loop.buckets, config, [lane.seed for lane in notes.lanes])
    every = config.validate_every or loop.per_epoch
    with Journal(workdir, len(notes.lanes), notes.step, loop.total_steps) as journal:
        record = _Record(journal, notes, clock, config.log_every, loop.per_epoch)
        flying: tuple[Piece, Metrics] | None = None
        for piece in pieces(plan, loop.per_epoch, notes.step, loop.total_steps, every):
            corpus, feed = feed_arguments(loop.train, piece.reviews, piece.length, config.steps_per_call)
            state, metrics = loop.program.train(state, corpus, feed, piece.reviews.shape[1], piece.length)
            if flying is not None:
                record.training(*flying)
            flying = piece, metrics
            if piece.validate:
                record.training(*flying)
                flying = None
                metrics = evaluate(loop.program, loop.validation, loop.buckets, config, state)
                improved = record.validation(metrics, piece.last_step, config.patience)
                best = keep_best(jnp.asarray(improved), evaluated_params(state), best)
                notes.step = piece.last_step
                clock.note()
                checkpoints.save(notes.step, Checkpoint(state, best, notes.to_json()))
                journal.send()
            if not any(lane.running for lane in notes.lanes):
                break
        journal.send()
        clock.note()
    return state, best, notes


def evaluate(program: Program, feed: Feed, buckets: tuple[int, ...], config: TrainConfig, state: TrainState) -> Metrics:
    """Metrics of all lanes ``[L]`` on any reviews; sums over calls are made in double precision."""
    flying = []
    for call in evaluation_plan(lengths(feed.host), buckets, config.batch_size, config.steps_per_call):
        corpus, rows = feed_arguments(feed, call.reviews, call.length, config.steps_per_call)
        flying.append(program.evaluate(state, corpus, rows, len(call.reviews), call.length))
    fetched = [jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), metrics) for metrics in flying]
    return jax.tree.map(lambda *leaves: sum(leaves), *fetched)


@partial(jax.jit, donate_argnums=2)
def keep_best(improved: jax.Array, new: Params, best: Params) -> Params:
    """The weights of ``new`` in the lanes that have ``improved[L]``, of ``best`` in the others."""
    return jax.tree.map(lambda n, b: jnp.where(improved.reshape(-1, *[1] * (n.ndim - 1)), n, b), new, best)


class _Clock:
    """Seconds of training, compiling aside, counted on from what earlier parts of the run took."""

    def __init__(self, program: Program, notes: Notes) -> None:
        self._program, self._notes = program, notes
        self._start, self._compiled = time.perf_counter(), program.compile_seconds
        self._before = notes.train_seconds, notes.compile_seconds

    def compiling(self) -> float:
        return self._before[1] + self._program.compile_seconds - self._compiled

    def training(self) -> float:
        passed = time.perf_counter() - self._start
        return self._before[0] + passed - (self.compiling() - self._before[1])

    def note(self) -> None:
        self._notes.train_seconds, self._notes.compile_seconds = self.training(), self.compiling()


class _Record:
    """Turns fetched metrics into rows of the journal and into what the loop remembers of each lane."""

    def __init__(self, journal: Journal, notes: Notes, clock: _Clock, log_every: int, per_epoch: int) -> None:
        self._journal, self._notes, self._clock = journal, notes, clock
        self._log_every, self._per_epoch = log_every, per_epoch
        # Sums per lane of loss, correct reviews, reviews and words: since the last row, since the last validation.
        self._since_row = np.zeros((len(notes.lanes), 4))
        self._since_validation = np.zeros((len(notes.lanes), 4))
        self._row_at = self._validation_at = clock.training()

    def training(self, piece: Piece, metrics: Metrics) -> None:
        """Takes the metrics ``[L, K]`` of a piece; waits for the device."""
        sums = np.stack([np.asarray(leaf, np.float64) for leaf in metrics[:4]], axis=-1)
        for k in range(piece.reviews.shape[1]):
            step = piece.first_step + k + 1
            self._since_row += sums[:, k]
            self._since_validation += sums[:, k]
            for n, lane in enumerate(self._notes.lanes):
                if lane.running and not math.isfinite(sums[n, k, 0]):
                    lane.diverged_at = step
                    self._write(n, "train", step, self._since_row[n], 0.0, ended=True)
            if step % self._log_every == 0:
                self._flush(step)
        if piece.validate:
            self._flush(piece.last_step)

    def validation(self, metrics: Metrics, step: int, patience: int) -> list[bool]:
        """Takes validation metrics ``[L]``; returns which lanes have improved."""
        sums = np.stack(metrics[:4], axis=-1)
        now = self._clock.training()
        speed = sums[:, 3].sum() / max(now - self._row_at, 1e-9)
        improved = []
        for n, lane in enumerate(self._notes.lanes):
            accuracy = sums[n, 1] / sums[n, 2]
            better = lane.running and accuracy > lane.best_accuracy
            improved.append(better)
            if lane.running:
                self._write(n, "validation", step, sums[n], speed)
                self._table_row(n, step, sums[n], now - self._validation_at)
                lane.waited = 0 if better else lane.waited + 1
                lane.stopped = 0 < patience <= lane.waited
            if better:
                lane.best_accuracy, lane.best_step = float(accuracy), step
        self._since_validation[:] = 0
        self._row_at = self._validation_at = now
        return improved

    def _flush(self, step: int) -> None:
        now = self._clock.training()
        if self._since_row[:, 2].any():
            speed = self._since_row[:, 3].sum() / max(now - self._row_at, 1e-9)
            for n, lane in enumerate(self._notes.lanes):
                if lane.running:
                    self._write(n, "train", step, self._since_row[n], speed)
            loss, correct, reviews, _ = self._since_row.sum(axis=0)
            self._journal.progress(step, loss / reviews, correct / reviews, speed)
        self._since_row[:] = 0
        self._row_at = now

    def _write(self, lane: int, split: str, step: int, sums: HostArray, speed: float, ended: bool = False) -> None:
        loss, correct, reviews, _ = sums
        self._journal.write(
            {
                "step": step,
                "epoch": step / self._per_epoch,
                "split": split,
                "loss": math.nan if ended else loss / reviews,
                "accuracy": correct / reviews,
                "seconds": round(self._clock.training(), 3),
                "tokens_per_second": round(speed, 1),
                "lane": lane,
            }
        )

    def _table_row(self, lane: int, step: int, sums: HostArray, seconds: float) -> None:
        loss, correct, reviews, words = self._since_validation[lane]
        self._journal.table_row(
            step / self._per_epoch,
            step,
            loss / reviews,
            correct / reviews,
            sums[0] / sums[2],
            sums[1] / sums[2],
            words / max(seconds, 1e-9),
            seconds,
        )
