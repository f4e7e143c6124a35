"""From finished runs to what a study reports: chosen settings, samples, steps and seconds to the target."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.studies import statistics
from lstm_jax.studies.search import RATE, Setting, rate_of
from lstm_jax.studies.statistics import Interval, Pair, Width
from lstm_jax.studies.store import DIVERGED, Finished
from lstm_jax.studies.trials import Trial

Curve = list[dict[str, Any]]  # rows of metrics.jsonl of one lane


class Row(NamedTuple):
    """One run of a study, for ``runs.csv`` and ``curves.parquet``."""

    trial: Trial
    finished: Finished
    curve: Curve
    target: float
    step_ms: float  # of its optimizer's chosen setting by itself

    @property
    def steps(self) -> float:
        """To the target; infinite where it was not reached."""
        return steps_to(self.curve, self.target)


class Tried(NamedTuple):
    """A setting of the search and what its seeds reached on validation."""

    setting: Setting
    runs: list[Finished]

    @property
    def accuracy(self) -> float:
        """Mean over the seeds of the best validation accuracy; 0 of one that diverged before any."""
        return float(np.mean([run.best_validation_accuracy or 0.0 for run in self.runs]))

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return sum(run.status == DIVERGED for run in self.runs)


class Entry(NamedTuple):
    """An optimizer on one task."""

    optimizer: str
    tried: list[Tried]
    edge: int  # −1 or 1: the best rate lies at the lower or upper end of those tried
    extensible: bool  # whether --extend may try more there
    best: Tried
    fresh: list[Finished]  # runs of the best setting, by seed
    curves: list[Curve]  # theirs
    test: Interval  # test accuracy
    steps: list[float]  # to the target, by seed; infinite where it was not reached
    step_ms: float  # of a step by itself
    own_schedule: bool = False  # its rate stays up where that of the task falls

    @property
    def name(self) -> str:
        """The optimizer and what was chosen beside its rate."""
        others = ", ".join(f"{name}={value:g}" for name, value in self.best.setting if name != RATE)
        return f"{self.optimizer} ({others})" if others else self.optimizer

    @property
    def rate(self) -> float:
        """The chosen rate."""
        return rate_of(self.best.setting)

    @property
    def diverged(self) -> int:
        """How many of the fresh runs diverged."""
        return sum(run.status == DIVERGED for run in self.fresh)

    @property
    def reached(self) -> int:
        """How many of the fresh runs reached the target."""
        return sum(map(math.isfinite, self.steps))

    @property
    def seconds(self) -> list[float]:
        """To the target, by seed."""
        return [steps * self.step_ms / 1e3 for steps in self.steps]

    @property
    def accuracies(self) -> list[float]:
        """On test reviews, by seed; of a run that diverged, with its best weights before."""
        return [tested(run) for run in self.fresh]

    def scores(self) -> list[float]:
        """The accuracy of each setting that was tried; one of which a seed diverged is no better than the others."""
        floor = min([each.accuracy for each in self.tried if not each.diverged], default=1.0)
        return [min(each.accuracy, floor) if each.diverged else each.accuracy for each in self.tried]

    def by_rate(self) -> tuple[list[float], list[float]]:
        """The rates that were tried and the best score of each."""
        return _best_by_rate(zip(self.tried, self.scores(), strict=True))

    def by_rate_undiverged(self) -> tuple[list[float], list[float]]:
        """The same of those settings alone of which no seed diverged."""
        return _best_by_rate((each, each.accuracy) for each in self.tried if not each.diverged)

    def width(self) -> Width | None:
        """The range in which the rate costs less than a point of validation accuracy; of one rate there is none."""
        rates, scores = self.by_rate()
        return statistics.width_near_best(rates, scores) if len(rates) > 1 else None


def _best_by_rate(scored: Iterable[tuple[Tried, float]]) -> tuple[list[float], list[float]]:
    found: dict[float, float] = {}
    for each, score in scored:
        rate = rate_of(each.setting)
        found[rate] = max(score, found.get(rate, 0.0))
    return sorted(found), [found[rate] for rate in sorted(found)]


class Result(NamedTuple):
    """All optimizers on one task, the best on test reviews first."""

    task: str
    target: float  # validation accuracy; 0: none
    entries: list[Entry]
    pairs: list[Pair]

    def verdict(self, optimizer: str, other: str) -> str:
        """win | tie | loss of an optimizer against another; nothing where the study cannot tell."""
        mirrored = {"win": "loss", "loss": "win", "tie": "tie", "": ""}
        for pair in self.pairs:
            if (pair.first, pair.second) == (optimizer, other):
                return pair.verdict
            if (pair.first, pair.second) == (other, optimizer):
                return mirrored[pair.verdict]
        return ""

    @property
    def first_validation(self) -> int:
        """The step of the first validation: steps to the target are counted no finer."""
        curves = (curve for entry in self.entries for curve in entry.curves)
        return min((row["step"] for curve in curves for row in curve if row["split"] == "validation"), default=0)

    def record(self, optimizer: str) -> tuple[int, int, int]:
        """Wins, ties and losses of an optimizer against the others."""
        own = [self.verdict(optimizer, entry.optimizer) for entry in self.entries]
        return own.count("win"), own.count("tie"), own.count("loss")

    def notes(self) -> list[str]:
        """What a reader must know beside the table."""
        found = []
        seeds = len(self.entries[0].fresh)
        if self.pairs and not statistics.can_tell(seeds, len(self.pairs)):
            needed = statistics.pairs_needed(len(self.pairs))
            found.append(
                f"The study is too small to tell optimizers apart: with {seeds} paired runs each, Wilcoxon's test "
                f"cannot give less than p = {statistics.least_wilcoxon_p(seeds):.2g}, which is no verdict after Holm's "
                f"correction over {len(self.pairs)} comparisons. {needed} seeds could give one."
            )
        for entry in self.entries:
            if entry.edge:
                side = "lowest" if entry.edge < 0 else "highest"
                more = "--extend tries more there" if entry.extensible else "list more in the study's file"
                found.append(
                    f"The best rate of {entry.optimizer}, {entry.rate:g}, is the {side} of those tried: a better one "
                    f"may lie beyond; {more}."
                )
            if entry.diverged:
                found.append(
                    f"{entry.diverged} of {len(entry.fresh)} fresh runs of {entry.optimizer} diverged; they count with "
                    "their best weights before."
                )
        if self.target and not any(entry.reached for entry in self.entries):
            best = max(run.best_validation_accuracy or 0.0 for entry in self.entries for run in entry.fresh)
            found.append(
                f"No run reached the target of {self.target:.2%} on validation (the best reached {best:.2%}); "
                "set a lower one to count steps."
            )
        held = [entry.optimizer for entry in self.entries if entry.own_schedule]
        if held:
            found.append(
                f"{', '.join(held)}: the rate stays up after the warm-up, as its method asks for, where that of the "
                "others follows the task's schedule."
            )
        trials = {len(entry.tried) for entry in self.entries}
        if len(trials) > 1:
            found.append(
                f"Budgets differ: from {min(trials)} to {max(trials)} settings were tried, since some were extended."
            )
        return found


def tested(run: Finished) -> float:
    """The test accuracy of a fresh run.

    Raises:
      ValueError: it is a run of the search, which never reads test reviews.
    """
    if run.test_accuracy is None:
        raise ValueError(f"the run {run.key} in {run.folder} was never tested")
    return run.test_accuracy


def choose(tried: Sequence[Tried]) -> Tried:
    """The setting to go on with: the best mean validation accuracy among those of which the fewest seeds diverged.

    Of equals it is the one in the middle of their rates.
    """
    score = lambda each: (-each.diverged, each.accuracy)
    best = max(map(score, tried))
    equals = sorted((each for each in tried if score(each) == best), key=lambda each: rate_of(each.setting))
    return equals[len(equals) // 2]


def steps_to(curve: Curve, target: float) -> float:
    """The step of the first validation that reached a target accuracy; infinite if none did or there is no target."""
    reached = [row["step"] for row in curve if row["split"] == "validation" and row["accuracy"] >= target > 0]
    return float(min(reached, default=math.inf))


def result(task: str, target: float, entries: list[Entry]) -> Result:
    """Orders and compares the optimizers of a task."""
    ordered = sorted(entries, key=lambda entry: -entry.test.mean)
    pairs = statistics.compare({entry.optimizer: entry.accuracies for entry in ordered})
    return Result(task, target, ordered, pairs)
