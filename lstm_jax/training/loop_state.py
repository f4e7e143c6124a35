"""What the loop remembers besides the training state: each lane's best validation, and the time spent."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from lstm_jax.training.lanes import Program


@dataclasses.dataclass
class LaneState:
    """What the loop remembers about a lane."""

    seed: int
    best_accuracy: float = -1.0  # Validation accuracy of the weights that are kept.
    best_loss: float | None = None  # Validation loss of the weights that are kept, in nats.
    best_step: int = 0
    validations_since_best: int = 0  # Validations since the best one.
    diverged_at: int | None = None  # First step whose loss was NaN or infinite.
    stopped: bool = False  # Whether ``patience`` has ended it; its best weights are kept, and it is no longer logged.

    @property
    def running(self) -> bool:
        """Whether the lane still trains."""
        return self.diverged_at is None and not self.stopped

    def is_better(self, accuracy: float, loss: float, best_by: str) -> bool:
        """Whether a validation is better than the best so far, by the field ``train.best_by``."""
        if best_by == "accuracy":
            return accuracy > self.best_accuracy
        return best_by == "last" or self.best_loss is None or loss < self.best_loss


@dataclasses.dataclass
class LoopState:
    """What the loop remembers, written as JSON with every checkpoint."""

    lanes: list[LaneState]
    step: int = 0
    train_seconds: float = 0.0  # Time of training and validating, without compiling.
    compile_seconds: float = 0.0
    row_sums: dict[str, list[float]] = dataclasses.field(default_factory=dict)  # Of each lane since its last row.
    row_at: float = 0.0  # ``train_seconds`` at the last row.
    validation_sums: dict[str, list[float]] = dataclasses.field(default_factory=dict)  # Since the last validation.
    validation_at: float = 0.0  # ``train_seconds`` at the last validation.

    @property
    def best_lane(self) -> LaneState:
        """The lane whose kept weights have the highest validation accuracy."""
        return max(self.lanes, key=lambda lane: lane.best_accuracy)

    def to_json(self) -> dict[str, Any]:
        """A tree of JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "LoopState":
        """The loop state that ``to_json`` returned."""
        return cls(**{**values, "lanes": [LaneState(**lane) for lane in values["lanes"]]})


class Clock:
    """The seconds of training without compiling, including those of earlier parts of the run."""

    def __init__(self, program: Program, state: LoopState) -> None:
        self._program, self._state = program, state
        self._start, self._compiled = time.perf_counter(), program.compile_seconds
        self._before = state.train_seconds, state.compile_seconds

    def compiling(self) -> float:
        """Seconds of compiling in all parts of the run."""
        return self._before[1] + self._program.compile_seconds - self._compiled

    def training(self) -> float:
        """Seconds of training in all parts of the run."""
        passed = time.perf_counter() - self._start
        return self._before[0] + passed - (self.compiling() - self._before[1])

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """A context whose time does not count."""
        start = time.perf_counter()
        yield
        self._start += time.perf_counter() - start

    def save(self) -> None:
        """Writes the seconds into the loop state."""
        self._state.train_seconds, self._state.compile_seconds = self.training(), self.compiling()
