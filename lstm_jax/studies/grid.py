"""A grid over the values of config fields: test accuracy after every epoch, as a table and a picture."""

import dataclasses
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.errors import ConfigError
from lstm_jax.files import lock_folder
from lstm_jax.studies import trials
from lstm_jax.studies.reports import grid as report
from lstm_jax.studies.reports.grid import GridRun
from lstm_jax.studies.runner import Runner
from lstm_jax.studies.trials import GRID, Changes, Trial


@dataclasses.dataclass
class Grid:
    """A study of all combinations of values of one or more fields: ``Grid(base, {"model.hidden_size": (32, 64)})``.

    Values of traced hyper-parameters and all seeds are lanes of one program; every combination of the other fields
    is compiled by itself.
    """

    base: Config
    fields: Mapping[str, tuple[Any, ...]]  # The values of each field, by dotted path.
    seeds: int = 1  # Number of seeds, counted from the base's seed.
    lanes: int = 0  # Maximum number of lanes at once; 0: as many as fit in memory.

    @property
    def task(self) -> Config:
        """The base config, set to keep the weights of every epoch, which are evaluated afterwards."""
        task = configs.from_json(configs.to_json(self.base))
        task.train.keep_epochs = task.train.keep_epochs or "epoch_{epoch}"
        return task

    def points(self) -> list[Changes]:
        """All combinations of values.

        Raises:
          ConfigError: There is no seed or no field, or a field does not exist or has no values.
        """
        if not isinstance(self.fields, Mapping) or not self.fields:
            raise ConfigError(
                f"the grid's fields are {self.fields!r}; give a dict, as {{'model.hidden_size': (32, 64)}}"
            )
        if self.seeds < 1:
            raise ConfigError(f"the grid has {self.seeds} seeds; it needs at least 1")
        for path, values in self.fields.items():
            configs.check_path(f"config.{path}")
            if not isinstance(values, list | tuple) or not values:
                raise ConfigError(f"the grid's values of {path} are {values!r}; give a tuple of at least one")
        return [tuple(zip(self.fields, each, strict=True)) for each in itertools.product(*self.fields.values())]

    def trials(self) -> list[Trial]:
        """The runs of all points and seeds.

        Raises:
          ConfigError: The fields or seeds are wrong, or a field cannot have one of its values.
        """
        label = ",".join(path.split(".")[-1] for path in self.fields)
        found = []
        for point in self.points():
            traced = configs.hparams(trials.config_of(self.task, point, self.base.seed))
            static = [f"{path.split('.')[-1]}={value}" for path, value in point if path not in traced]
            name = re.sub(r"[^\w.,=+-]", "_", ",".join(static)) or "all"
            seeds = range(self.base.seed, self.base.seed + self.seeds)
            found += [Trial(label, name, point, seed, GRID) for seed in seeds]
        return found

    def run(self, workdir: Path) -> str:
        """Trains what is missing, writes the table, ``runs.csv`` and pictures, and returns the table.

        The pictures show the test accuracy over epochs by value, and for each value the training loss of its first
        seed.

        Raises:
          UserError: The workdir is in use, or the data or the disk is at fault.
        """
        planned = self.trials()
        with lock_folder(workdir):
            runner = Runner({planned[0].task: self.task}, workdir, self.lanes)
            runner.train(planned)
            found = [_run(trial, runner) for trial in planned]
            return report.write_grid(tuple(self.fields), found, self.base.train.epochs, workdir)


def _run(trial: Trial, runner: Runner) -> GridRun:
    key, finished = runner.key(trial), runner[trial]
    summary = runner.store.read(key, "summary.json")
    diverged_at = summary["lanes"][finished.lane]["diverged_at"]
    end = None if diverged_at is None else -(-diverged_at * summary["epochs"] // summary["steps"])
    folder = runner.workdir / finished.folder
    rows = runner.store.read(key, "epochs.json") if (folder / "epochs.json").exists() else []
    own = [row for row in rows if row["lane"] == finished.lane and (end is None or row["epoch"] < end)]
    curve = [row for row in runner.store.curve(key) if row["split"] == "train"]
    return GridRun(tuple(value for _, value in trial.changes), trial.seed, own, end and int(end), curve)
