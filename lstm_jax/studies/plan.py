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

HELD_OUT_FROM = 1000  # Offset of held-out seeds from those of the search, so that no seed is used in both.


class Tried(NamedTuple):
    """A setting of the search and its finished runs, one per seed."""

    setting: Setting
    runs: list[Finished]

    @property
    def accuracy(self) -> float:
        """Mean over the seeds of the best validation accuracy. One that diverged before any validation counts as 0."""
        return float(np.mean([run.best_validation_accuracy or 0.0 for run in self.runs]))

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return sum(run.status == DIVERGED for run in self.runs)


def choose(tried: Sequence[Tried]) -> Tried:
    """Chooses the setting with the best mean validation accuracy among those with the fewest diverged seeds.

    Among equals it chooses the one with the middle learning rate.
    """
    score = lambda each: (-each.diverged, each.accuracy)
    best = max(map(score, tried))
    equals = sorted((each for each in tried if score(each) == best), key=lambda each: learning_rate_of(each.setting))
    return equals[len(equals) // 2]


class Plan:
    """The trials of one optimizer on one task. Its search may be extended."""

    def __init__(
        self, label: str, optimizer: str, task: Config, space: Space, search: Search, seeds: tuple[int, int]
    ) -> None:
        """Begins without extensions.

        Args:
          label: The name of the task.
          optimizer: The name of the optimizer.
          task: The config of the task.
          space: The search space of the optimizer.
          search: How settings are taken from the space.
          seeds: The number of seeds in the search and the number of held-out seeds.
        """
        self.label, self.optimizer, self.task = label, optimizer, task
        self._space, self._search, self._seeds = space, search, seeds
        self.extended = [0, 0]  # How often the learning rates were extended down and up.

    @property
    def identity(self) -> str:
        """The key under which ``extensions.json`` stores this search."""
        return f"{self.label}/{self.optimizer}/{digest(dict(self._space), self._search)}"

    @property
    def extensible(self) -> bool:
        """Whether learning rates can be extended: they are a range, not a list."""
        return isinstance(self._space[LEARNING_RATE], Range)

    @property
    def keeps_learning_rate(self) -> bool:
        """Whether the optimizer's learning rate must not decay although the task's schedule decays it."""
        return OPTIMIZERS[self.optimizer].warmup_only and self.task.optimizer.schedule != "constant"

    def settings(self) -> list[Setting]:
        """All settings of the search."""
        return self._search.settings(self._space, *self.extended)

    def trial(self, setting: Setting, seed: int, stage: StudyStage) -> Trial:
        """One run of a setting. If the learning rate must not decay, only the schedule's warm-up is kept."""
        changes: list[tuple[str, object]] = [("optimizer.name", self.optimizer)]
        if self.keeps_learning_rate:
            changes.append(("optimizer.schedule", "warmup" if self.task.optimizer.warmup else "constant"))
        changes += [(trials.path_of(name), value) for name, value in setting]
        return Trial(self.label, self.optimizer, tuple(changes), seed, stage)

    def search_trials(self, setting: Setting) -> list[Trial]:
        """The runs of a setting in the search."""
        return [self.trial(setting, self.task.seed + n, SEARCH) for n in range(self._seeds[0])]

    def search(self) -> list[Trial]:
        """All runs of the search."""
        return [trial for setting in self.settings() for trial in self.search_trials(setting)]

    def held_out(self, setting: Setting) -> list[Trial]:
        """The runs of a setting on held-out seeds, which are compared."""
        first = self.task.seed + HELD_OUT_FROM
        return [self.trial(setting, first + n, HELD_OUT) for n in range(self._seeds[1])]

    def tried(self, runner: Runner) -> list[Tried]:
        """The settings of a finished search, with their runs."""
        return [Tried(each, [runner[trial] for trial in self.search_trials(each)]) for each in self.settings()]

    def best(self, runner: Runner) -> Setting:
        """The setting that a finished search chooses."""
        return choose(self.tried(runner)).setting

    def progress(self, runner: Runner) -> tuple[int, int]:
        """The number of runs in both stages, and how many of them are missing."""
        search, held_out = self.search(), self._seeds[1]
        missing = runner.missing(search)
        later = held_out if missing else runner.missing(self.held_out(self.best(runner)))
        return len(search) + held_out, missing + later

    def edge(self, best: Setting) -> int:
        """−1 or 1 if the best learning rate is the lowest or the highest, or near it; otherwise 0."""
        return self._search.at_edge(best, self.settings())


class Extensions:
    """The file ``extensions.json``: how often each search was extended, and whether the last extension is pending."""

    def __init__(self, workdir: Path, plans: list[Plan]) -> None:
        """Reads the file and restores the extensions of plans whose space and search are unchanged."""
        self._file, self._plans = workdir / "extensions.json", plans
        known = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        self._counts: dict[str, list[int]] = known.get("counts", {})
        for plan in plans:
            plan.extended = list(self._counts.get(plan.identity, (0, 0)))
        self.pending = bool(known.get("pending")) and any(any(plan.extended) for plan in plans)

    def write(self, pending: bool) -> None:
        """Writes how often each plan is extended. An extension is ``pending`` until its runs are trained."""
        self.pending = pending
        self._counts |= {plan.identity: plan.extended for plan in self._plans if any(plan.extended)}
        if self._counts or self._file.exists():
            write_json(self._file, {"pending": pending, "counts": self._counts})
