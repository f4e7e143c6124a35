"""A grid over the values of config fields: which setting has the best validation accuracy, as a table and a picture."""

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.config.fields import LARGEST_SEED
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import digest, lock_folder
from lstm_jax.studies import trials
from lstm_jax.studies.grid_results import GridResult, GridRun, GridSetting, grid_result
from lstm_jax.studies.progress import Progress
from lstm_jax.studies.reports import grid as report
from lstm_jax.studies.runner import Runner
from lstm_jax.studies.settings import file_name, labels_of, plain_value, written, written_setting
from lstm_jax.studies.trials import GRID, GRID_BY_EPOCH, Changes, Trial
from lstm_jax.training.network import classifier

_log = logging.getLogger(__name__)

TASK = "grid"  # The label of a grid's only task.
# Incidental fields that say where data lie. The content of the files tells runs apart.
PATHS = ("data.path", "data.url", "data.vectors.path", "data.vectors.more_path")
# Static fields that a grid sets by itself, and what to do instead.
REFUSED = {
    "seed": "Grid(seeds=…) says how many seeds each setting has, counted from the base's",
    "ensemble": "each run of a grid is a single network; Grid(seeds=…) gives several",
    "train.keep_epochs": "set it in the base, for all runs",
}


@dataclasses.dataclass
class Grid:
    """A study of all combinations of values of one or more fields: ``Grid(base, {"model.hidden_size": (32, 64)})``.

    Values of traced hyper-parameters and all seeds are lanes of one program; every combination of the other fields
    is compiled by itself. Validation accuracy alone ranks the settings. If the base keeps the weights of its epochs
    (``train.keep_epochs``), they are kept, and evaluated on the training and test splits.
    """

    base: Config
    fields: Mapping[str, tuple[Any, ...]]  # The values of each field, by dotted path.
    seeds: int = 1  # Number of seeds of each setting, counted from the base's seed.
    lanes: int = 0  # Maximum number of lanes at once; 0: as many as fit in memory.

    def points(self) -> list[Changes]:
        """All combinations of values.

        Raises:
          ConfigError: The grid is inconsistent, or a field does not exist, cannot be varied, or has no values.
        """
        self._check()
        values = {path: self._values(path) for path in self.fields}
        return [tuple(zip(values, each, strict=True)) for each in itertools.product(*values.values())]

    def _check(self) -> None:
        if not isinstance(self.base, Config):
            raise ConfigError(f"the grid's base is {self.base!r}; give a Config")
        if not isinstance(self.fields, Mapping) or not self.fields:
            raise ConfigError(
                f"the grid's fields are {self.fields!r}; give a dict, as {{'model.hidden_size': (32, 64)}}"
            )
        if self.seeds < 1:
            raise ConfigError(f"the grid has {self.seeds} seeds; it needs at least 1")
        if self.base.seed + self.seeds - 1 > LARGEST_SEED:
            raise ConfigError(
                f"the grid has {self.seeds} seeds from {self.base.seed} on; the largest is {LARGEST_SEED}"
            )
        if self.lanes < 0:
            raise ConfigError(f"the grid has {self.lanes} lanes at once; it must be at least 0, for as many as fit")
        if self.base.ensemble != 1:
            raise ConfigError(
                f"the grid's base has config.ensemble {self.base.ensemble}, but {REFUSED['ensemble']}; set ensemble=1"
            )

    def _values(self, path: str) -> list[Any]:
        configs.check_path(f"config.{path}")
        kinds = {known: own.metadata["kind"] for known, own, _ in configs.leaves(Config())}
        if path in REFUSED:
            raise ConfigError(f"a grid cannot vary config.{path}: {REFUSED[path]}")
        if kinds.get(path) == "incidental" and path not in PATHS:
            raise ConfigError(f"a grid cannot vary config.{path}, which does not define a run; set it in the base")
        given = self.fields[path]
        if isinstance(given, np.ndarray):
            given = given.tolist()
        if not isinstance(given, list | tuple) or not given:
            raise ConfigError(f"the grid's values of {path} are {given!r}; give a tuple of at least one")
        values = [plain_value(path, value) for value in given]
        for value in values:
            if values.count(value) > 1:
                raise ConfigError(f"the grid's values of {path} hold {written(value)} twice; give each value once")
        return values

    def trials(self) -> list[Trial]:
        """The runs of all points and seeds, the seeds of a point one after the other.

        Raises:
          ConfigError: The grid is inconsistent, or a combination of values is invalid; the message names it.
        """
        points, found = self.points(), []
        stage = GRID_BY_EPOCH if self.base.train.keep_epochs else GRID
        for point in points:
            with self._named(point):
                trials.config_of(self.base, point, self.base.seed)
            seeds = range(self.base.seed, self.base.seed + self.seeds)
            found += [Trial(TASK, self._folder(point), point, seed, stage) for seed in seeds]
        return found

    def _folder(self, point: Changes) -> str:
        """The folder of a program by its static fields that differ from the base: a further field changes none."""
        labels = labels_of(list(self.fields))
        known = {path: (own.metadata["kind"], value) for path, own, value in configs.leaves(self.base)}
        own = [
            f"{labels[path].replace(' ', '_')}={written(value)}"
            for path, value in point
            if known.get(path, ("traced", None))[0] != "traced" and known[path][1] != value
        ]
        return file_name(",".join(own)) if own else "base"

    @contextlib.contextmanager
    def _named(self, point: Changes) -> Iterator[None]:
        """A context whose errors name a combination of values."""
        try:
            yield
        except UserError as error:
            setting = written_setting(labels_of(list(self.fields)), point)
            raise type(error)(f"the grid has the combination {setting}: {error}") from error

    def run(self, workdir: str | Path) -> str:
        """Trains what is missing, writes the table, the picture, ``report.html`` and data files; returns the table.

        Args:
          workdir: The folder of the study. No other process may use it.

        Raises:
          ConfigError: The grid is inconsistent, or a combination of values is invalid.
          UserError: The workdir is in use, or the data or the disk is at fault.
        """
        planned, workdir = self.trials(), Path(workdir)
        with lock_folder(workdir):
            runner = Runner({TASK: self.base}, workdir, self.lanes)
            self._train(planned, runner)
            return report.write_grid(self._result(planned, runner), workdir)

    def _train(self, planned: list[Trial], runner: Runner) -> None:
        unique: dict[str, Trial] = {}  # Combinations that say the same in other words share their runs.
        for trial in planned:
            with self._named(trial.changes):
                unique.setdefault(runner.key(trial), trial)
        own = list(unique.values())
        groups = [group for group in trials.group_by_program(own, self.base) if runner.missing(group)]
        for group in groups:  # A network that does not fit its data is refused before anything is trained.
            with self._named(group[0].changes):
                config = runner.config(group[0])
                classifier(config, runner.corpora(config))
        missing = runner.missing(own)
        if not missing:
            _log.info("all %d runs of the grid were finished; none was trained again", len(own))
            return
        _log.info("%d of %d runs are to be trained, in %d programs", missing, len(own), len(groups))
        with Progress(len(own), len(own) - missing) as progress:
            runner.train(own, progress)

    def _result(self, planned: list[Trial], runner: Runner) -> GridResult:
        found = []
        for start in range(0, len(planned), self.seeds):
            own = planned[start : start + self.seeds]
            runs = [_run(trial, runner) for trial in own]
            key = digest([run.finished.key for run in runs])
            # A later measurement, after a run was lost and trained again, does not change the table.
            seconds = runner.cached(
                "seconds.json", key, lambda runs=runs: float(np.mean([run.seconds for run in runs]))
            )
            found.append(GridSetting(own[0].changes, runs, seconds))
        return grid_result(labels_of(list(self.fields)), found)


def _run(trial: Trial, runner: Runner) -> GridRun:
    key, finished = runner.key(trial), runner[trial]
    summary = runner.store.read(key, "summary.json")
    diverged_at = summary["lanes"][finished.lane]["diverged_at"]
    end = None if diverged_at is None else int(-(-diverged_at * summary["epochs"] // summary["steps"]))
    kept = trial.stage.by_epoch and (runner.workdir / finished.folder / "epochs.json").exists()
    rows = runner.store.read(key, "epochs.json") if kept else []
    return GridRun(
        seed=trial.seed,
        finished=finished,
        diverged_at=diverged_at,
        parameters=summary["parameters"],
        seconds=summary["train_seconds"] / len(summary["lanes"]),
        curve=runner.store.curve(key),
        epochs=[row for row in rows if row["lane"] == finished.lane and (end is None or row["epoch"] < end)],
        diverged_epoch=end,
    )
