"""Trackers show the metrics of a run while it trains, beside ``metrics.jsonl``: TensorBoard, trackio, wandb.

A tracker opens one ``write(step, {name: value})`` for each lane. Names are ``loss/train``, ``accuracy/validation`` and
so on, one for each column of ``metrics.jsonl``.
"""

import contextlib
import hashlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.errors import UserError
from lstm_jax.registry import TRACKERS

PROJECT = "lstm_jax"  # The project's name in trackio and wandb.

Write = Callable[[int, Mapping[str, float]], None]


class TrackedLane(NamedTuple):
    """The lane whose metrics a tracker shows."""

    workdir: Path  # Folder of the run.
    lane: str  # ``lane0``, ``lane1``, …; empty if the run has a single lane.
    config: Mapping[str, Any]  # The run's config as JSON values.
    first_step: int  # The first step that may be written. A resumed run repeats steps from here on.

    @property
    def name(self) -> str:
        """A name of the lane for people."""
        return "/".join(filter(None, (self.workdir.resolve().name, self.lane)))

    @property
    def id(self) -> str:
        """An identifier of the lane that a resumed run has again."""
        return hashlib.sha256(f"{self.workdir.resolve()}\n{self.lane}".encode()).hexdigest()[:16]


Tracker = Callable[[TrackedLane], AbstractContextManager[Write]]


def register(name: str, tracker: Tracker) -> None:
    """Registers a tracker under a name, for ``config.train.tracker``.

    Args:
      name: The name.
      tracker: Called with each lane, when the first checkpoint of a command is written. The function ``write`` of the
        context that it returns is called with a step and values by name; the context ends with the command.

    Raises:
      ConfigError: The name is taken.
    """
    TRACKERS.register(name, tracker)


@contextlib.contextmanager
def no_tracker(_: TrackedLane) -> Iterator[Write]:
    """Shows nothing."""
    yield lambda step, values: None


@contextlib.contextmanager
def tensorboard(lane: TrackedLane) -> Iterator[Write]:
    """TensorBoard events in the run's folder ``tensorboard``, in a folder for each lane if there are several."""
    from tensorboardX import SummaryWriter  # A slow import, which the first step need not wait for.

    def write(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            board.add_scalar(name, value, step)

    with SummaryWriter(str(lane.workdir / "tensorboard" / lane.lane), purge_step=lane.first_step) as board:
        yield write


@contextlib.contextmanager
def trackio(lane: TrackedLane) -> Iterator[Write]:
    """A run of trackio, which keeps its data on this machine."""
    import trackio as library

    run = library.init(
        PROJECT, name=lane.name, config=dict(lane.config), resume="allow", embed=False, auto_log_cpu=False
    )
    try:
        yield lambda step, values: run.log(dict(values), step=step)
    finally:
        run.finish()


@contextlib.contextmanager
def wandb(lane: TrackedLane) -> Iterator[Write]:
    """A run of Weights & Biases. Its environment variables, such as ``WANDB_MODE=offline``, hold."""
    import wandb as library

    run = library.init(
        project=PROJECT,
        name=lane.name,
        id=lane.id,
        dir=str(lane.workdir),
        config=dict(lane.config),
        resume="allow",
        reinit="create_new",
    )
    try:
        yield lambda step, values: run.log(dict(values), step=step)
    finally:
        run.finish()


def check_installed(tracker: str) -> None:
    """Checks that the package of a tracker is installed, before anything is trained.

    Raises:
      UserError: It is not.
    """
    if tracker in ("trackio", "wandb") and importlib.util.find_spec(tracker) is None:
        raise UserError(
            f"config.train.tracker is {tracker!r}, which is not installed; pip install {tracker}, or set "
            "config.train.tracker=tensorboard"
        )


register("tensorboard", tensorboard)
register("trackio", trackio)
register("wandb", wandb)
register("none", no_tracker)
