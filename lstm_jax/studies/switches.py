"""What every setting of a system's published variant changes by itself: validation accuracy, paired by seed."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.errors import ConfigError
from lstm_jax.files import lock_folder, write_text
from lstm_jax.reports import tables
from lstm_jax.studies import trials
from lstm_jax.studies.progress import Progress
from lstm_jax.studies.runner import Runner
from lstm_jax.studies.settings import file_name, written
from lstm_jax.studies.store import Finished
from lstm_jax.studies.trials import SWITCH, Changes, Trial

SWITCH_COLUMNS = ("system", "with this of `published`", "seeds", "without", "with", "difference")
LONGEST_TEXT = 30  # Characters of a value that the table shows.


@dataclasses.dataclass
class SwitchedSystem:
    """A system as it is by default here, and as it was published: configs that differ in the switches alone."""

    letter: str
    name: str
    base: Config
    published: Config

    def switches(self) -> dict[str, Changes]:
        """The changes of each switch by the name of its row; the last are all switches together.

        Raises:
          ConfigError: The two configs do not differ.
        """
        differing = [(path, value) for path, _, value in configs.differences(self.base, self.published)]
        if not differing:
            raise ConfigError(f"the two configs of {self.name!r} are the same; give a published one that differs")
        found: dict[str, Changes] = {_named(*change): (change,) for change in differing}
        return found if len(differing) == 1 else {**found, "all of them": tuple(differing)}


@dataclasses.dataclass
class Switches:
    """A study that trains every system without any switch, with each alone, and with all, on the same seeds."""

    systems: tuple[SwitchedSystem, ...]
    seeds: int = 3

    def run(self, workdir: str | Path) -> str:
        """Trains what is missing, writes ``table.md`` after every system and returns that table.

        Raises:
          ConfigError: A switch cannot be set alone, or the configs of a system do not differ.
          UserError: The workdir is in use, or the data or the disk is at fault.
        """
        workdir = Path(workdir)
        for system in self.systems:
            for changes in ((), *system.switches().values()):
                trials.config_of(system.base, changes, system.base.seed)
        rows: list[Sequence[str]] = [SWITCH_COLUMNS]
        with lock_folder(workdir):
            for system in self.systems:
                rows += self._rows(system, workdir)
                write_text(workdir / "table.md", tables.markdown(rows) + "\n")
        return tables.markdown(rows) + "\n"

    def _rows(self, system: SwitchedSystem, workdir: Path) -> list[list[str]]:
        switches: dict[str, Changes] = {"": (), **system.switches()}
        seeds = range(system.base.seed, system.base.seed + self.seeds)
        planned = {
            name: [Trial(system.name, file_name(name or "without"), changes, seed, SWITCH) for seed in seeds]
            for name, changes in switches.items()
        }
        runner = Runner({system.name: system.base}, workdir)
        every = [trial for own in planned.values() for trial in own]
        with Progress(len(every), len(every) - runner.missing(every)) as progress:
            for own in planned.values():
                runner.train(own, progress)
        found = {name: [runner[trial] for trial in own] for name, own in planned.items()}
        without = found.pop("")
        return [[f"{system.letter} `{system.name}`", name, *_figures(without, own)] for name, own in found.items()]


def _named(path: str, value: object) -> str:
    """A switch as its flag, such as ``data.order=first``; a long value is shortened."""
    text = written(value)
    return f"{path}={text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + '…'}"


def _figures(without: list[Finished], own: list[Finished]) -> list[str]:
    """The cells of a row: number of pairs, both mean accuracies, and the mean of the paired differences, in points."""
    reached = [
        (first.best_validation_accuracy, second.best_validation_accuracy)
        for first, second in zip(without, own, strict=True)
        if first.best_validation_accuracy is not None and second.best_validation_accuracy is not None
    ]
    lost = len(own) - len(reached)
    count = f"{len(reached)} ({lost} diverged)" if lost else str(len(reached))
    if not reached:
        return [count, "–", "–", "–"]
    before, after = (list(column) for column in zip(*reached, strict=True))
    points = 100 * np.subtract(after, before)
    spread = f" ± {points.std(ddof=1):.2f}" if len(points) > 1 else ""
    figures = [f"{tables.mean_and_deviation(each)} %" for each in (before, after)]
    return [count, *figures, f"{points.mean():+.2f}{spread}".replace("-", "−")]
