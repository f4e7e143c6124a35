"""Turns sums from the device into rows of metrics and into the state of each lane."""

import math
from collections import defaultdict

import numpy as np

from lstm_jax.objectives.base import Sums
from lstm_jax.training.batch_schedule import ScheduledChunk
from lstm_jax.training.experiment import PER_STEP
from lstm_jax.training.logging import RunLog
from lstm_jax.training.loop_state import Clock, LoopState
from lstm_jax.types import HostArray

HostSums = dict[str, HostArray]  # Sums by name, each ``[L]`` in double precision.


def fetched(sums: Sums) -> HostSums:
    """Sums on the host, in double precision; waits for the device."""
    return {name: np.asarray(value, np.float64) for name, value in sums.items()}


class Recorder:
    """Writes rows of metrics and updates the loop state."""

    def __init__(self, run_log: RunLog, state: LoopState, clock: Clock, log_every: int, per_epoch: int) -> None:
        self._log, self._state, self._clock = run_log, state, clock
        self._log_every, self._per_epoch = log_every, per_epoch
        # A run that was killed between two rows goes on with the sums that its checkpoint holds.
        self._since_row, self._since_validation = (
            self._empty() | {name: np.array(values) for name, values in sums.items()}
            for sums in (state.row_sums, state.validation_sums)
        )
        self._row_at, self._validation_at = state.row_at, state.validation_at

    def save(self) -> None:
        """Writes the sums since the last row and the last validation into the loop state."""
        state = self._state
        state.row_sums, state.validation_sums = (
            {name: values.tolist() for name, values in sums.items()}
            for sums in (self._since_row, self._since_validation)
        )
        state.row_at, state.validation_at = self._row_at, self._validation_at

    def training(self, chunk: ScheduledChunk, sums: Sums) -> None:
        """Records the sums ``[L, K]`` of a chunk; waits for the device."""
        all_steps = fetched(sums)
        all_steps["positions"] = np.full_like(all_steps["steps"], chunk.length * chunk.examples.shape[-1])
        for k in range(chunk.examples.shape[1]):
            step = chunk.first_step + k + 1
            for name, values in all_steps.items():
                self._since_row[name] = self._since_row[name] + values[:, k]
                self._since_validation[name] = self._since_validation[name] + values[:, k]
            for n, lane in enumerate(self._state.lanes):
                if lane.running and not math.isfinite(all_steps["loss"][n, k]):
                    lane.diverged_at = step
                    self._write(n, "train", step, self._since_row, math.inf, diverged=True)
            if step % self._log_every == 0:
                self._flush(step)
        if chunk.validate:
            self._flush(chunk.last_step)

    def validation(self, sums: HostSums, step: int, patience: int, best_by: str = "accuracy") -> list[bool]:
        """Records validation sums ``[L]``; returns which lanes have improved, by the field ``train.best_by``."""
        now = self._clock.training()
        seconds = max(now - self._row_at, 1e-9)
        self._table_row(step, sums, now - self._validation_at)
        improved = []
        for n, lane in enumerate(self._state.lanes):
            accuracy, loss = (float(sums[name][n] / sums["examples"][n]) for name in ("correct", "loss"))
            better = lane.running and lane.is_better(accuracy, loss, best_by)
            improved.append(better)
            if lane.running:
                self._write(n, "validation", step, sums, seconds)
                lane.validations_since_best = 0 if better else lane.validations_since_best + 1
                lane.stopped = 0 < patience <= lane.validations_since_best
            if better:
                lane.best_accuracy, lane.best_loss, lane.best_step = accuracy, loss, step
        self._since_validation = self._empty()
        self._row_at = self._validation_at = now
        return improved

    def _empty(self) -> HostSums:
        return defaultdict(lambda: np.zeros(len(self._state.lanes)))

    def _flush(self, step: int) -> None:
        now = self._clock.training()
        if self._since_row["examples"].any():
            seconds = max(now - self._row_at, 1e-9)
            running = [lane.running for lane in self._state.lanes]
            for n in np.flatnonzero(running):
                self._write(int(n), "train", step, self._since_row, seconds)
            if any(running):
                total = {name: values[running].sum() for name, values in self._since_row.items()}
                examples, speed = total["examples"], self._since_row["tokens"].sum() / seconds
                self._log.progress(step, total["loss"] / examples, total["correct"] / examples, speed)
        self._since_row = self._empty()
        self._row_at = now

    def _write(self, lane: int, split: str, step: int, sums: HostSums, seconds: float, diverged: bool = False) -> None:
        """Writes a row of a lane, from sums that took the given seconds for all lanes together."""
        own, examples = {name: values[lane] for name, values in sums.items()}, sums["examples"][lane]
        of_training = {}
        if split == "train":
            of_training = {name: own[name] / own["steps"] for name in PER_STEP}
            of_training["padding"] = 1 - own["tokens"] / own["positions"]
        self._log.write(
            {
                "step": step,
                "epoch": step / self._per_epoch,
                "split": split,
                "loss": math.nan if diverged else own["loss"] / examples,
                "accuracy": own["correct"] / examples,
                **{name: value / examples for name, value in own.items() if "/" in name},
                **of_training,
                "seconds": round(self._clock.training(), 3),
                "tokens_per_second": round(sums["tokens"].sum() / seconds, 1),
                "examples_per_second": round(sums["examples"].sum() / seconds, 1),
                "lane": lane,
            }
        )

    def _table_row(self, step: int, validation: HostSums, seconds: float) -> None:
        """Prints a row of means over the lanes that still train."""
        running = [lane.running for lane in self._state.lanes]
        if not any(running):
            return
        train = {name: values[running].sum() for name, values in self._since_validation.items()}
        own = {name: values[running].sum() for name, values in validation.items()}
        self._log.table_row(
            step / self._per_epoch,
            step,
            train["loss"] / train["examples"],
            train["correct"] / train["examples"],
            own["loss"] / own["examples"],
            own["correct"] / own["examples"],
            train["tokens"] / max(seconds, 1e-9),
            seconds,
        )
