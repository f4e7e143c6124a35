"""From fetched metrics to rows of the journal and to what the loop remembers of each lane."""

import contextlib
import math
import time
from collections.abc import Iterator

import numpy as np

from lstm_jax.training.batch_schedule import Piece
from lstm_jax.training.journal import Journal
from lstm_jax.training.lanes import Program
from lstm_jax.training.loop_state import Notes
from lstm_jax.training.metrics import Metrics
from lstm_jax.types import HostArray


class Clock:
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

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """What is done within is no training."""
        start = time.perf_counter()
        yield
        self._start += time.perf_counter() - start

    def note(self) -> None:
        self._notes.train_seconds, self._notes.compile_seconds = self.training(), self.compiling()


class Record:
    """Turns fetched metrics into rows of the journal and into what the loop remembers of each lane."""

    def __init__(self, journal: Journal, notes: Notes, clock: Clock, log_every: int, per_epoch: int) -> None:
        self._journal, self._notes, self._clock = journal, notes, clock
        self._log_every, self._per_epoch = log_every, per_epoch
        # Sums per lane of loss, correct reviews, reviews and words: since the last row, since the last validation.
        self._since_row = np.zeros((len(notes.lanes), 4))
        self._since_validation = np.zeros((len(notes.lanes), 4))
        self._row_at = self._validation_at = clock.training()

    def training(self, piece: Piece, metrics: Metrics) -> None:
        """Takes the metrics ``[L, K]`` of a piece; waits for the device."""
        sums = np.stack([np.asarray(leaf, np.float64) for leaf in metrics], axis=-1)
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
        sums = np.stack(metrics, axis=-1)
        now = self._clock.training()
        speed = sums[:, 3].sum() / max(now - self._row_at, 1e-9)
        self._table_row(step, sums, now - self._validation_at)
        improved = []
        for n, lane in enumerate(self._notes.lanes):
            accuracy = sums[n, 1] / sums[n, 2]
            better = lane.running and accuracy > lane.best_accuracy
            improved.append(better)
            if lane.running:
                self._write(n, "validation", step, sums[n], speed)
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
            running = [lane.running for lane in self._notes.lanes]
            if any(running):
                loss, correct, reviews, _ = self._since_row[running].sum(axis=0)
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

    def _table_row(self, step: int, validation: HostArray, seconds: float) -> None:
        """A row of means over the lanes that run."""
        running = [lane.running for lane in self._notes.lanes]
        if not any(running):
            return
        loss, correct, reviews, words = self._since_validation[running].sum(axis=0)
        validation_loss, validation_correct, validation_reviews, _ = validation[running].sum(axis=0)
        self._journal.table_row(
            step / self._per_epoch,
            step,
            loss / reviews,
            correct / reviews,
            validation_loss / validation_reviews,
            validation_correct / validation_reviews,
            words / max(seconds, 1e-9),
            seconds,
        )
