"""Compares optimizers: a search finds each one's best setting, which is then trained on held-out seeds and tested."""

import dataclasses
import itertools
import logging
from pathlib import Path

import jax

from lstm_jax.config import Config, load_plugins
from lstm_jax.errors import ConfigError
from lstm_jax.files import digest, lock_folder
from lstm_jax.optimizers import OPTIMIZERS, Space
from lstm_jax.registry import nearest
from lstm_jax.runtime import machine
from lstm_jax.studies import results, statistics, timing, trials
from lstm_jax.studies.plan import HELD_OUT_FROM, Extensions, Plan, choose
from lstm_jax.studies.progress import Progress
from lstm_jax.studies.reports import write
from lstm_jax.studies.results import Entry, RunRow
from lstm_jax.studies.runner import Runner
from lstm_jax.studies.search import Search

__all__ = ["Comparison", "Search", "Task"]

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class Task:
    """What optimizers are compared on: data, network, budget."""

    config: Config  # The search replaces its optimizer's name, learning rate and hyper-parameters.
    target: float = 0.0  # Validation accuracy up to which steps are counted; 0: none.


@dataclasses.dataclass
class Comparison:
    """The study. Every optimizer has the same number of settings, seeds and steps.

    The search chooses each optimizer's setting by validation accuracy, with a few seeds. That setting alone is then
    run on held-out seeds, and only these runs enter tests and tables, so that luck in the search favours no optimizer.
    Lanes of one seed share initial weights, dropout and order of examples across optimizers, so differences are paired.
    """

    tasks: dict[str, Task]
    optimizers: tuple[str, ...]
    spaces: dict[str, Space] = dataclasses.field(default_factory=dict)  # By optimizer; others use their default.
    search: Search = dataclasses.field(default_factory=Search)
    seeds: int = 3  # Seeds of each setting in the search.
    held_out_seeds: int = 10  # Seeds of each chosen setting.
    lanes: int = 0  # Maximum number of lanes at once; 0: as many as fit in memory.

    def space(self, optimizer: str) -> Space:
        """The search space of an optimizer."""
        return self.spaces.get(optimizer, OPTIMIZERS[optimizer].space)

    def check(self) -> None:
        """Refuses an inconsistent study before anything is trained.

        Raises:
          ConfigError: The study is inconsistent; the message says why.
        """
        self._check_names()
        if not 1 <= self.seeds <= HELD_OUT_FROM or self.held_out_seeds < 2:
            raise ConfigError(
                f"the study has {self.seeds} seeds and {self.held_out_seeds} held-out ones; it needs 1 to "
                f"{HELD_OUT_FROM}, and at least 2 held-out ones"
            )
        if self.lanes < 0:
            raise ConfigError(f"the study has {self.lanes} lanes at once; it must be at least 0, for as many as fit")
        counts = {name: len(self.search.settings(self.space(name))) for name in self.optimizers}
        if len(set(counts.values())) > 1:
            each = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ConfigError(f"optimizers have different numbers of settings ({each}); give as many, or use halton")
        for label, task in self.tasks.items():
            self._check_task(label, task)
        for plan in self.plans():
            self._check_settings(plan)
        comparisons = len(self.optimizers) * (len(self.optimizers) - 1) // 2
        if comparisons and not statistics.has_power(self.held_out_seeds, comparisons):
            _log.warning(
                "with %d held-out seeds no difference can be significant among %d pairs of optimizers; at least %d "
                "seeds are needed",
                self.held_out_seeds,
                comparisons,
                statistics.pairs_needed(comparisons),
            )

    def _check_names(self) -> None:
        if isinstance(self.optimizers, str):
            raise ConfigError(f"the study's optimizers are {self.optimizers!r}; give a tuple, such as ('adam',)")
        if not isinstance(self.tasks, dict):
            raise ConfigError("the study's tasks are no dict; give one, such as {'IMDB': Task(config)}")
        if not self.tasks or not self.optimizers:
            raise ConfigError("the study has no tasks or no optimizers; give at least one of each")
        for task in self.tasks.values():
            load_plugins(task.config.plugins)
        for name in sorted({*self.optimizers, *self.spaces} - set(OPTIMIZERS)):
            raise ConfigError(f"the study names the optimizer {name!r}; {nearest(name, OPTIMIZERS)}")
        for name in sorted(set(self.spaces) - set(self.optimizers)):
            raise ConfigError(f"the study has a search space for {name!r}, which is not among its optimizers")
        if len(set(self.optimizers)) < len(self.optimizers):
            raise ConfigError(f"the study names an optimizer twice: {', '.join(self.optimizers)}")

    def _check_task(self, label: str, task: Task) -> None:
        if not label or label.startswith(".") or set(label) & set("/\\"):
            raise ConfigError(
                f"a task is called {label!r}; its name is that of a folder, so it cannot be empty, begin with a dot or "
                "have slashes"
            )
        if not 0 <= task.target <= 1:
            raise ConfigError(f"the target of {label} is {task.target}; it is an accuracy, from 0 to 1")
        for name in task.config.optimizer.hparams:
            raise ConfigError(
                f"the task {label} sets config.optimizer.hparams.{name}, which would hold for every "
                "optimizer of the study; put it into the search space of each optimizer that needs it, as a tuple of "
                "one value"
            )

    def _check_settings(self, plan: Plan) -> None:
        nothing = plan.trial((), plan.task.seed, trials.SEARCH)
        known = trials.searchable(trials.config_of(plan.task, nothing.changes, nothing.seed))
        for setting in plan.settings():
            for name, _ in setting:
                if name not in known:
                    raise ConfigError(
                        f"the search space of {plan.optimizer!r} holds {name!r}, which is no hyper-parameter of it; "
                        f"there are {', '.join(known)}"
                    )
            trials.config_of(plan.task, plan.trial(setting, plan.task.seed, trials.SEARCH).changes, plan.task.seed)

    def plans(self) -> list[Plan]:
        """The trials of each optimizer on each task."""
        return [
            Plan(label, name, task.config, self.space(name), self.search, (self.seeds, self.held_out_seeds))
            for (label, task), name in itertools.product(self.tasks.items(), self.optimizers)
        ]

    def run(self, workdir: Path, extend: bool = False) -> str:
        """Trains what is missing, writes tables, pictures and data files, and returns the tables.

        Args:
          workdir: The folder of the study. No other process may use it.
          extend: Whether to try more learning rates if the best one was the lowest or the highest.

        Raises:
          UserError: The workdir is in use, or the data or the disk is at fault.
        """
        self.check()
        with lock_folder(workdir):
            runner = Runner({label: task.config for label, task in self.tasks.items()}, workdir, self.lanes)
            plans = self.plans()
            _train(plans, runner, Extensions(workdir, plans), extend)
            return self._report(plans, runner)

    def _report(self, plans: list[Plan], runner: Runner) -> str:
        found, rows = [], []
        for label, task in self.tasks.items():
            own = [plan for plan in plans if plan.label == label]
            step_ms = _step_milliseconds(own, runner)
            for plan in own:
                best = plan.best(runner)
                planned = [(setting, trial) for setting in plan.settings() for trial in plan.search_trials(setting)]
                for setting, trial in (*planned, *((best, trial) for trial in plan.held_out(best))):
                    curve = runner.store.curve(runner.key(trial))
                    rows.append(RunRow(trial, setting, runner[trial], curve, task.target, step_ms[plan.optimizer]))
            entries = [_entry(plan, runner, task.target, step_ms[plan.optimizer]) for plan in own]
            found.append(results.result(label, task.target, entries))
        return write.write_all(found, rows, runner.workdir)


def _train(plans: list[Plan], runner: Runner, extensions: Extensions, extend: bool) -> None:
    """Trains the search of all plans, extended if asked, then the held-out seeds of the chosen settings."""

    def counted() -> tuple[int, int]:
        both = [plan.progress(runner) for plan in plans]
        return sum(planned for planned, _ in both), sum(missing for _, missing in both)

    lanes, missing = counted()
    _log.info("%d of %d runs are to be trained", missing, lanes)
    with Progress(lanes, lanes - missing) as progress:
        for plan in plans:
            runner.train(plan.search(), progress)
        if extend and not extensions.pending:  # An interrupted extension is completed, not repeated.
            _extend(plans, runner, extensions)
            lanes, missing = counted()
            progress.expect(lanes, lanes - missing)
            for plan in plans:
                runner.train(plan.search(), progress)
        for plan in plans:
            runner.train(plan.held_out(plan.best(runner)), progress)
    extensions.write(pending=False)
    if not progress.made:
        _log.info("all %d runs of the study were finished; none was trained again", lanes)


def _extend(plans: list[Plan], runner: Runner, extensions: Extensions) -> None:
    """Adds learning rates beyond the best if that is the lowest or the highest."""
    edges = {plan: plan.edge(plan.best(runner)) for plan in plans if plan.extensible}
    for plan, edge in edges.items():
        if edge:
            plan.extended[edge > 0] += 1
    extensions.write(pending=any(edges.values()))
    which = ", ".join(f"{plan.optimizer} ({'up' if edge > 0 else 'down'})" for plan, edge in edges.items() if edge)
    _log.info("more learning rates for %s", which or "no optimizer: no best one is the lowest or the highest")


def _step_milliseconds(plans: list[Plan], runner: Runner) -> dict[str, float]:
    """Milliseconds per step of each optimizer's chosen setting. Each set of settings is measured once."""
    first = {plan.optimizer: plan.held_out(plan.best(runner))[0] for plan in plans}

    def measure() -> dict[str, float]:
        _log.info("timing a step of each optimizer by itself")
        configs = {name: runner.config(trial) for name, trial in first.items()}
        return timing.step_milliseconds(configs, runner.corpora(plans[0].task))

    key = digest(machine(), jax.__version__, [runner.key(trial) for trial in first.values()])
    return runner.cached("step-times.json", key, measure)


def _entry(plan: Plan, runner: Runner, target: float, step_ms: float) -> Entry:
    tried = plan.tried(runner)
    best = choose(tried)
    held_out = plan.held_out(best.setting)
    curves = [runner.store.curve(runner.key(trial)) for trial in held_out]
    return Entry(
        optimizer=plan.optimizer,
        tried=tried,
        edge=plan.edge(best.setting),
        extensible=plan.extensible,
        best=best,
        held_out=[runner[trial] for trial in held_out],
        curves=curves,
        test=statistics.bootstrap_interval([results.tested(runner[trial]) for trial in held_out]),
        steps=[results.steps_to(curve, target) for curve in curves],
        step_ms=step_ms,
        own_schedule=plan.keeps_learning_rate,
    )
