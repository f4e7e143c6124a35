"""Optimizers compared: each searched for its best setting, then that setting run again with fresh seeds and tested."""

import dataclasses
import itertools
import logging
from pathlib import Path

from lstm_jax.errors import ConfigError
from lstm_jax.files import hold
from lstm_jax.optimizers import OPTIMIZERS, Space
from lstm_jax.studies import statistics, trials
from lstm_jax.studies.plan import FRESH_FROM, Plan, Task
from lstm_jax.studies.runner import Campaign
from lstm_jax.studies.search import Search

__all__ = ["Comparison", "Search", "Task"]

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Comparison:
    """The study. Every optimizer has as many settings, seeds and steps as the others.

    The search chooses each optimizer's setting by validation accuracy, with a few seeds. That setting alone is then
    run with fresh seeds, and only these runs enter tests and tables, so that luck in the search profits no one. Lanes
    of one seed share initial weights, dropout and order of reviews across optimizers, so differences are paired.
    """

    tasks: dict[str, Task]
    optimizers: tuple[str, ...]
    spaces: dict[str, Space] = dataclasses.field(default_factory=dict)  # optimizer → its own; others: the default one
    search: Search = dataclasses.field(default_factory=Search)
    seeds: int = 3  # of the search
    held_out_seeds: int = 10  # of the second stage
    lanes: int = 0  # at once, at most; 0: as many as fit in memory

    def space(self, optimizer: str) -> Space:
        """Where an optimizer's settings are taken from."""
        return self.spaces.get(optimizer, OPTIMIZERS[optimizer].space)

    def check(self) -> None:
        """Refuses a study that makes no sense, before anything is trained.

        Raises:
          ConfigError: says what is wrong.
        """
        self._check_names()
        if not 1 <= self.seeds <= FRESH_FROM or self.held_out_seeds < 2:
            raise ConfigError(
                f"the study has {self.seeds} seeds and {self.held_out_seeds} fresh ones; it needs 1 to {FRESH_FROM}, "
                "and at least 2 fresh ones"
            )
        if self.lanes < 0:
            raise ConfigError(f"the study has {self.lanes} lanes at once; it must be at least 0, for as many as fit")
        counts = {name: len(self.search.settings(self.space(name))) for name in self.optimizers}
        if len(set(counts.values())) > 1:
            each = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ConfigError(f"optimizers have different numbers of settings ({each}); give as many, or use halton")
        for label, task in self.tasks.items():
            self._check_task(label, task)
        comparisons = len(self.optimizers) * (len(self.optimizers) - 1) // 2
        if comparisons and not statistics.can_tell(self.held_out_seeds, comparisons):
            log.warning(
                "with %d fresh seeds no verdict on %d pairs of optimizers is possible; %d could give one",
                self.held_out_seeds,
                comparisons,
                statistics.pairs_needed(comparisons),
            )

    def _check_task(self, label: str, task: Task) -> None:
        if not label or label.startswith(".") or set(label) & set("/\\"):
            raise ConfigError(f"a task is called {label!r}; its name is that of a folder, so it cannot have slashes")
        if not 0 <= task.target <= 1:
            raise ConfigError(f"the target of {label} is {task.target}; it is an accuracy, from 0 to 1")
        for name in task.config.optimizer.hparams:
            raise ConfigError(
                f"the task {label} sets config.optimizer.hparams.{name}, which would hold for no optimizer; put it "
                "into the search space of those that it is for, as a tuple of one value"
            )
        for name in self.optimizers:
            for setting in self.search.settings(self.space(name)):
                trials.config_of(task.config, name, setting)

    def _check_names(self) -> None:
        if isinstance(self.optimizers, str):
            raise ConfigError(f"the study's optimizers are {self.optimizers!r}; give a tuple, as ('adam',)")
        if not isinstance(self.tasks, dict):
            raise ConfigError("the study's tasks are no dict; give one, as {'IMDB': Task(config)}")
        if not self.tasks or not self.optimizers:
            raise ConfigError("the study has no tasks or no optimizers; give at least one of each")
        for name in sorted({*self.optimizers, *self.spaces} - set(OPTIMIZERS)):
            raise ConfigError(f"the study names the optimizer {name!r}; there are {', '.join(OPTIMIZERS)}")
        for name in sorted(set(self.spaces) - set(self.optimizers)):
            raise ConfigError(f"the study has a search space for {name!r}, which is not among its optimizers")
        if len(set(self.optimizers)) < len(self.optimizers):
            raise ConfigError(f"the study names an optimizer twice: {', '.join(self.optimizers)}")

    def plans(self) -> list[Plan]:
        """The trials of each optimizer on each task."""
        return [
            Plan(label, name, task.config, self.space(name), self.search, (self.seeds, self.held_out_seeds))
            for (label, task), name in itertools.product(self.tasks.items(), self.optimizers)
        ]

    def run(self, workdir: Path, extend: bool = False) -> str:
        """Trains what is not trained yet and returns the tables; writes them, pictures and figures.

        Args:
          workdir: of the study; it must not be in use.
          extend: try more rates beyond those whose best one was the lowest or the highest.

        Raises:
          UserError: the workdir is in use, or the data, or the disk, are at fault.
        """
        self.check()
        with hold(workdir):
            campaign = Campaign(self.tasks, self.plans(), workdir, self.lanes)
            campaign.train(extend)
            return campaign.report()
