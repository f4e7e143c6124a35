"""The trials of one optimizer on one task, and the setting that their search chooses."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax.config import Config
from lstm_jax.files import digest
from lstm_jax.optimizers import OPTIMIZERS, Range, Space
from lstm_jax.studies import trials
from lstm_jax.studies.runner import Runner
from lstm_jax.studies.search import LEARNING_RATE, Search, Setting, learning_rate_of
from lstm_jax.studies.store import DIVERGED, Finished
from lstm_jax.studies.trials import HELD_OUT, SEARCH, StudyStage, Trial
from lstm_jax.training.workdir import write_json

HELD_OUT_FROM = 1000  # held-out seeds are so much higher than those of the search, so that none serves in both


class Tried(NamedTuple):
    """A setting of the search and what its seeds reached on validation."""

    setting: Setting
    runs: list[Finished]

    @property
    def accuracy(self) -> float:
        """Mean over the seeds of the best validation accuracy; 0 for one that diverged before any validation."""
        return float(np.mean([run.best_validation_accuracy or 0.0 for run in self.runs]))

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return sum(run.status == DIVERGED for run in self.runs)


def choose(tried: Sequence[Tried]) -> Tried:
    """The setting to go on with: the best mean validation accuracy among those of which the fewest seeds diverged.

    Among equals it is the one in the middle of their learning rates.
    """
    score = lambda each: (-each.diverged, each.accuracy)
    best = max(map(score, tried))
    equals = sorted((each for each in tried if score(each) == best), key=lambda each: learning_rate_of(each.setting))
    return equals[len(equals) // 2]


class Plan:
    """The trials of one optimizer on one task, its settings extended or not."""

    def __init__(
        self, label: str, optimizer: str, task: Config, space: Space, search: Search, seeds: tuple[int, int]
    ) -> None:
        """Begins with the settings of the search.

        Args:
          label: of the task.
          optimizer: its name.
          task: the config of the task.
          space: of the optimizer's settings.
          search: how they are taken from it.
          seeds: how many the search has, and how many are held out.
        """
        self.label, self.optimizer, self.task = label, optimizer, task
        self._space, self._search, self._seeds = space, search, seeds
        self.extended = [0, 0]  # how often the learning rates were extended down and up

    @property
    def identity(self) -> str:
        """What extensions belong to."""
        return f"{self.label}/{self.optimizer}/{digest(dict(self._space), self._search)}"

    @property
    def extensible(self) -> bool:
        """Whether there are learning rates beyond those listed."""
        return isinstance(self._space[LEARNING_RATE], Range)

    @property
    def keeps_learning_rate(self) -> bool:
        """Whether the optimizer's learning rate must not fall, though the task's schedule lowers it."""
        return OPTIMIZERS[self.optimizer].warmup_only and self.task.optimizer.schedule != "constant"

    def settings(self) -> list[Setting]:
        """All settings of the search."""
        return self._search.settings(self._space, *self.extended)

    def trial(self, setting: Setting, seed: int, stage: StudyStage) -> Trial:
        """One run of a setting. Where the learning rate must not fall, the schedule keeps its warm-up alone."""
        changes: list[tuple[str, object]] = [("optimizer.name", self.optimizer)]
        if self.keeps_learning_rate:
            changes.append(("optimizer.schedule", "warmup" if self.task.optimizer.warmup else "constant"))
        changes += [(trials.path_of(name), value) for name, value in setting]
        return Trial(self.label, self.optimizer, tuple(changes), seed, stage)

    def searched(self, setting: Setting) -> list[Trial]:
        """The runs of a setting in the search."""
        return [self.trial(setting, self.task.seed + n, SEARCH) for n in range(self._seeds[0])]

    def search(self) -> list[Trial]:
        """The runs that choose."""
        return [trial for setting in self.settings() for trial in self.searched(setting)]

    def held_out(self, setting: Setting) -> list[Trial]:
        """The runs that are compared."""
        first = self.task.seed + HELD_OUT_FROM
        return [self.trial(setting, first + n, HELD_OUT) for n in range(self._seeds[1])]

    def tried(self, runner: Runner) -> list[Tried]:
        """The settings of a search that is finished, and what their seeds reached."""
        return [Tried(each, [runner[trial] for trial in self.searched(each)]) for each in self.settings()]

    def best(self, runner: Runner) -> Setting:
        """The setting that a finished search chooses."""
        return choose(self.tried(runner)).setting

    def progress(self, runner: Runner) -> tuple[int, int]:
        """How many runs there are in both stages, and how many of them are missing."""
        search, held_out = self.search(), self._seeds[1]
        missing = runner.missing(search)
        later = held_out if missing else runner.missing(self.held_out(self.best(runner)))
        return len(search) + held_out, missing + later

    def edge(self, best: Setting) -> int:
        """−1 or 1 where the best learning rate is the lowest or the highest, or near it."""
        return self._search.at_edge(best, self.settings())


class Extensions:
    """The file ``extensions.json``: how often each search was extended, and whether that came to its end."""

    def __init__(self, workdir: Path, plans: list[Plan]) -> None:
        """Reads it into the plans whose space and search are as they were."""
        self._file, self._plans = workdir / "extensions.json", plans
        known = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        self._counts: dict[str, list[int]] = known.get("counts", {})
        for plan in plans:
            plan.extended = list(self._counts.get(plan.identity, (0, 0)))
        self.pending = bool(known.get("pending")) and any(any(plan.extended) for plan in plans)

    def write(self, pending: bool) -> None:
        """Keeps how often each plan is extended; ``pending`` until its runs are trained."""
        self.pending = pending
        self._counts |= {plan.identity: plan.extended for plan in self._plans if any(plan.extended)}
        if self._counts or self._file.exists():
            write_json(self._file, {"pending": pending, "counts": self._counts})
