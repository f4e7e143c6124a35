"""The runs of a study, each in a folder of its own, never made twice."""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.config import Config, validate
from lstm_jax.data import corpus
from lstm_jax.evaluation import epochs
from lstm_jax.evaluation.epochs import EpochFigures
from lstm_jax.evaluation.figures import evaluate_split
from lstm_jax.reports.tables import Figures
from lstm_jax.training import run
from lstm_jax.training.restore import Trained, load_run
from lstm_jax.training.workdir import Lane

log = logging.getLogger(__name__)


class Arm(NamedTuple):
    """Lanes of one config, trained in one folder."""

    name: str  # of the folder
    config: Config
    lanes: tuple[Lane, ...] = ()  # none: those that the config asks for


def train(arm: Arm, workdir: Path) -> dict[str, Any]:
    """Trains an arm, or goes on with it; its summary. A lane that diverges is no failure of a study."""
    log.info("%s", arm.name)
    return run.train(validate(arm.config), workdir / arm.name, list(arm.lanes) or None)


def tested(arm: Arm, workdir: Path) -> Figures:
    """Its figures on the test reviews, read where they are written already."""
    file = workdir / arm.name / "eval-test.json"
    if not _newer(file, workdir / arm.name):
        trained, corpora = loaded(arm, workdir)
        evaluate_split(trained, corpora, "test")
    return Figures(**json.loads(file.read_text(encoding="utf-8")))


def by_epoch(arm: Arm, workdir: Path) -> list[EpochFigures]:
    """Its figures after each epoch, read where they are written already; none where no epoch came to its end."""
    file = workdir / arm.name / "epochs.json"
    if not (workdir / arm.name / "epochs").is_dir():
        return []
    if not _newer(file, workdir / arm.name):
        epochs.every_epoch(*loaded(arm, workdir))
    return [EpochFigures(**row) for row in json.loads(file.read_text(encoding="utf-8"))]


def _newer(file: Path, run_folder: Path) -> bool:
    """Whether a file was written after the run's end, and not by an evaluation while it was interrupted."""
    return file.exists() and file.stat().st_mtime_ns >= (run_folder / "summary.json").stat().st_mtime_ns


def loaded(arm: Arm, workdir: Path) -> tuple[Trained, corpus.Corpora]:
    """Its best weights and its reviews."""
    trained = load_run(workdir / arm.name, arm.config)
    return trained, corpus.prepare(arm.config.data, trained.tokenizer)
