"""Trains trials as stacks of lanes that fit in memory, each in a folder from which an interrupted study resumes."""

import shutil
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.config import Config
from lstm_jax.data.corpus import Corpora
from lstm_jax.errors import UserError
from lstm_jax.evaluation.epochs import every_epoch, every_length
from lstm_jax.evaluation.figures import evaluate_examples
from lstm_jax.files import digest
from lstm_jax.studies import trials
from lstm_jax.studies.store import DIVERGED, DONE, Finished
from lstm_jax.studies.trials import Trial
from lstm_jax.training import run
from lstm_jax.training.checkpoints import MAX_TO_KEEP
from lstm_jax.training.logging import ProgressCallback, read_metrics
from lstm_jax.training.network import checkpoint_bytes
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import Lane


class Stack(NamedTuple):
    """Lanes of one program, trained in one folder."""

    config: Config
    trials: list[Trial]
    keys: list[str]
    folder: str  # Its folder, relative to the study's workdir.
    devices: int = 1  # Number of devices over which the lanes are spread evenly.

    @property
    def lanes(self) -> list[Lane]:
        """The trials as lanes. The last one is repeated until every device has the same number."""
        own = [trials.lane_of(self.config, trial) for trial in self.trials]
        return own + own[-1:] * (-len(own) % self.devices)


def chunked(
    planned: list[Trial],
    config: Config,
    keys: Mapping[Trial, str],
    finished: Container[str],
    most: int,
    devices: int,
) -> list[Stack]:
    """Divides the missing trials of one program into stacks of about equal size.

    Args:
      planned: All trials, including finished ones, so that an interrupted study finds the same stacks again.
      config: The config of the program.
      keys: The key of each trial.
      finished: The keys of finished trials.
      most: Maximum number of lanes in a stack.
      devices: The number of devices over which lanes are spread.
    """
    devices = min(devices, most)
    size = -(-len(planned) // -(-len(planned) // most))
    size = min(most // devices * devices, -(-size // devices) * devices)
    found = []
    for start in range(0, len(planned), size):
        missing = [trial for trial in planned[start : start + size] if keys[trial] not in finished]
        if missing:
            first, own = missing[0], [keys[trial] for trial in missing]
            folder = f"lanes/{first.task}/{first.name}/{first.stage.name}-{digest(own)[:8]}"
            found.append(Stack(config, missing, own, folder, devices))
    return found


def train_stack(
    stack: Stack, corpora: Corpora, workdir: Path, follow: ProgressCallback | None = None
) -> list[Finished]:
    """Trains or resumes a stack, then evaluates it as its stage requires.

    Args:
      stack: The lanes.
      corpora: Their data.
      workdir: The folder of the study.
      follow: Shows the progress. Without it the run shows its own.

    Raises:
      UserError: The disk has no room for the checkpoints, or the data are at fault.
    """
    place, stage = workdir / stack.folder, stack.trials[0].stage
    _drop_if_spent(place)
    _check_disk(stack, place, corpora)
    summary = run.train_lanes(stack.config, place, stack.lanes, corpora, follow)
    if stage.by_epoch and (place / "epochs").is_dir():
        every_epoch(load_run(place, stack.config, unvalidated=True), corpora)
    if stage.by_length:
        every_length(load_run(place, stack.config, unvalidated=True), corpora.test)
    accuracies: list[Any] = [None] * len(stack.trials)
    if stage.tests:
        trained = load_run(place, stack.config, unvalidated=True)  # Every lane may have diverged early.
        accuracies = evaluate_examples(trained, corpora.test, "test").lanes
    rows = read_metrics(place / "metrics.jsonl")
    return [
        _finished(key, summary["lanes"][n], accuracies[n], stack.folder, n, rows) for n, key in enumerate(stack.keys)
    ]


def _drop_if_spent(place: Path) -> None:
    """Deletes the folder of a finished stack whose weights have been deleted."""
    if (place / "summary.json").exists() and not any((place / "checkpoints").glob("[0-9]*")):
        shutil.rmtree(place)  # The store has lost this stack after its weights were deleted.


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


def _check_disk(stack: Stack, place: Path, corpora: Corpora) -> None:
    place.mkdir(parents=True, exist_ok=True)
    needed = checkpoint_bytes(stack.config, corpora) * len(stack.lanes) * (MAX_TO_KEEP + 1)
    kept = sum(file.stat().st_size for file in (place / "checkpoints").rglob("*") if file.is_file())
    free = shutil.disk_usage(place).free + kept
    if free < needed:
        raise UserError(
            f"{place} has {free / 2**30:.1f} GiB free, but the checkpoints of {len(stack.lanes)} lanes "
            f"need {needed / 2**30:.1f} GiB; make room, or set fewer lanes at once"
        )
