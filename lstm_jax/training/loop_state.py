"""What the loop remembers of its lanes, as it goes into a checkpoint."""

import dataclasses
from typing import Any


@dataclasses.dataclass
class LaneNotes:
    """What the loop remembers of a lane."""

    seed: int
    best_accuracy: float = -1.0  # of the validations so far
    best_step: int = 0
    waited: int = 0  # validations since the best one
    diverged_at: int | None = None  # the first step whose loss was NaN or infinite
    stopped: bool = False  # early, by patience; its best weights are kept, and no more rows are written of it

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
