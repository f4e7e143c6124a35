"""Trials trained as stacks of lanes: chunked to fit, each chunk in a folder that an interrupted study goes on from."""

import logging
import shutil
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.config import Config
from lstm_jax.data.corpus import Corpora
from lstm_jax.errors import UserError
from lstm_jax.evaluation.predictions import lane_probabilities, split_of
from lstm_jax.files import digest
from lstm_jax.studies import trials
from lstm_jax.studies.store import DIVERGED, DONE, Finished
from lstm_jax.studies.trials import FRESH, Trial
from lstm_jax.training import run
from lstm_jax.training.checkpoints import KEPT
from lstm_jax.training.logging import Follow, read_metrics
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import Lane

log = logging.getLogger(__name__)


class Stack(NamedTuple):
    """Lanes of one optimizer on one task, trained by one program."""

    config: Config
    trials: list[Trial]
    keys: list[str]
    folder: str  # in the study's workdir
    devices: int  # that the lanes spread over

    @property
    def lanes(self) -> list[Lane]:
        """Those of the trials; the last one again where lanes are wanting for all devices to have as many."""
        own = [trial.lane for trial in self.trials]
        return own + own[-1:] * (-len(own) % self.devices)


def stacks(
    planned: list[Trial], task: Config, keys: Mapping[Trial, str], finished: Container[str], most: int, devices: int
) -> list[Stack]:
    """The trials of a task, a stage and an optimizer that are to be trained, in stacks of about equal size.

    Args:
      planned: all trials, finished ones too, so that an interrupted study finds the same stacks again.
      task: the config of the task.
      keys: trial → key.
      finished: keys.
      most: lanes of a stack.
      devices: that lanes spread over.
    """
    devices = min(devices, most)
    found = []
    for trials_ in _alike(planned, task):
        size = -(-len(trials_) // -(-len(trials_) // most))
        size = min(most // devices * devices, -(-size // devices) * devices)
        for start in range(0, len(trials_), size):
            part = [trial for trial in trials_[start : start + size] if keys[trial] not in finished]
            if part:
                first, own = part[0], [keys[trial] for trial in part]
                config = trials.config_of(task, first.optimizer, first.setting)
                folder = f"lanes/{first.task}/{first.optimizer}/{first.stage}-{digest(own)[:8]}"
                found.append(Stack(config, part, own, folder, devices))
    return found


def _alike(planned: list[Trial], task: Config) -> list[list[Trial]]:
    """Trials divided into those that leave the same parts out of the program."""
    groups: dict[tuple[bool, ...], list[Trial]] = {}
    for trial in planned:
        parts = trials.parts_of(trials.config_of(task, trial.optimizer, trial.setting))
        groups.setdefault(parts, []).append(trial)
    return list(groups.values())


def train(stack: Stack, corpora: Corpora, workdir: Path, checkpoint_bytes: int, follow: Follow) -> list[Finished]:
    """Trains a stack, or goes on with it; reads test reviews in the second stage only; keeps no weights.

    Args:
      stack: the lanes.
      corpora: their reviews.
      workdir: of the study.
      checkpoint_bytes: of a lane's checkpoint.
      follow: shows the progress.

    Raises:
      UserError: the disk has no room for the checkpoints, or the data are at fault.
    """
    place = workdir / stack.folder
    _make_ready(stack, place)
    _check_disk(stack, place, checkpoint_bytes * len(stack.lanes) * (KEPT + 1))
    summary = run.train(stack.config, place, stack.lanes, corpora, follow)
    tested = _tested(stack, corpora, place) if stack.trials[0].stage == FRESH else [None] * len(stack.trials)
    rows = read_metrics(place / "metrics.jsonl")
    return [
        _finished(key, summary["lanes"][n], accuracy, stack.folder, n, rows)
        for n, (key, accuracy) in enumerate(zip(stack.keys, tested, strict=True))
    ]


def clean(stack: Stack, workdir: Path) -> None:
    """Deletes the weights of a stack whose runs the ledger holds."""
    shutil.rmtree(workdir / stack.folder / "checkpoints", ignore_errors=True)


def _make_ready(stack: Stack, place: Path) -> None:
    """Drops the folder of a stack whose weights are gone, though the store has lost its runs."""
    if not (place / "config.json").exists():
        return
    if (place / "summary.json").exists() and not any((place / "checkpoints").glob("[0-9]*")):
        shutil.rmtree(place)  # finished, but lost from the ledger after its weights were deleted


def _tested(stack: Stack, corpora: Corpora, place: Path) -> list[float]:
    trained = load_run(place, stack.config)
    examples = split_of(trained, corpora, "test")
    predicted = lane_probabilities(trained, examples).argmax(axis=2)
    return [float(np.mean(lane == examples.labels)) for lane in predicted[: len(stack.trials)]]


def _finished(
    key: str, lane: dict[str, Any], accuracy: float | None, folder: str, n: int, rows: list[dict[str, Any]]
) -> Finished:
    diverged = lane["diverged_at"] is not None
    losses = [row["loss"] for row in rows if row["lane"] == n and row["split"] == "train"]
    return Finished(
        key=key,
        status=DIVERGED if diverged else DONE,
        best_validation_accuracy=lane["best_accuracy"] if lane["best_step"] else None,
        best_step=lane["best_step"],
        final_train_loss=losses[-1] if losses and not diverged else None,
        test_accuracy=accuracy,
        folder=folder,
        lane=n,
    )


def _check_disk(stack: Stack, place: Path, needed: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    kept = sum(file.stat().st_size for file in (place / "checkpoints").rglob("*") if file.is_file())
    free = shutil.disk_usage(place).free + kept
    if free < needed:
        raise UserError(
            f"{place} has {free / 2**30:.1f} GiB free, but the checkpoints of {len(stack.lanes)} lanes of "
            f"{stack.trials[0].optimizer!r} need {needed / 2**30:.1f} GiB; make room, or set fewer lanes at once"
        )
