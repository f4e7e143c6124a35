"""From finished runs to what a comparison reports: samples, steps and seconds to the target, outcomes of tests."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from lstm_jax.studies import statistics
from lstm_jax.studies.plan import Tried
from lstm_jax.studies.search import LEARNING_RATE, Setting, learning_rate_of
from lstm_jax.studies.statistics import Interval, Pair, Width
from lstm_jax.studies.store import DIVERGED, Finished
from lstm_jax.studies.trials import Trial

Curve = list[dict[str, Any]]  # rows of metrics.jsonl of one lane


class RunRow(NamedTuple):
    """One run of a comparison, for ``runs.csv`` and ``curves.parquet``."""

    trial: Trial  # The trial, named as its optimizer.
    setting: Setting
    finished: Finished
    curve: Curve
    target: float
    step_ms: float  # A step's time at the chosen setting, timed by itself.

    @property
    def steps(self) -> float:
        """To the target; infinite where it was not reached."""
        return steps_to(self.curve, self.target)


class Entry(NamedTuple):
    """An optimizer on one task."""

    optimizer: str
    tried: list[Tried]
    edge: int  # −1 or 1: the best learning rate lies at the lower or upper end of those tried
    extensible: bool  # whether --extend may try more there
    best: Tried
    held_out: list[Finished]  # runs of the best setting, by seed
    curves: list[Curve]  # Curves of these runs.
    test: Interval  # The interval of their test accuracy.
    steps: list[float]  # Steps to the target by seed; infinite where it was not reached.
    step_ms: float  # A step's time, timed by itself.
    own_schedule: bool = False  # its learning rate stays up where that of the task falls

    @property
    def name(self) -> str:
        """The optimizer and what was chosen beside its learning rate."""
        others = ", ".join(f"{name}={value:g}" for name, value in self.best.setting if name != LEARNING_RATE)
        return f"{self.optimizer} ({others})" if others else self.optimizer

    @property
    def learning_rate(self) -> float:
        """The chosen one."""
        return learning_rate_of(self.best.setting)

    @property
    def diverged(self) -> int:
        """How many of the held-out runs diverged."""
        return sum(run.status == DIVERGED for run in self.held_out)

    @property
    def reached(self) -> int:
        """How many of the held-out runs reached the target."""
        return sum(map(math.isfinite, self.steps))

    @property
    def seconds(self) -> list[float]:
        """To the target, by seed."""
        return [steps * self.step_ms / 1e3 for steps in self.steps]

    @property
    def accuracies(self) -> list[float]:
        """On the test split, by seed; a run that diverged counts with its best weights before."""
        return [tested(run) for run in self.held_out]

    def scores(self) -> list[float]:
        """The accuracy of each setting tried; one with a diverged seed is no better than the others."""
        floor = min([each.accuracy for each in self.tried if not each.diverged], default=1.0)
        return [min(each.accuracy, floor) if each.diverged else each.accuracy for each in self.tried]

    def by_learning_rate(self, undiverged: bool = False) -> tuple[list[float], list[float]]:
        """The learning rates that were tried and the best score of each; ``undiverged``: without diverged settings."""
        found: dict[float, float] = {}
        for each, score in zip(self.tried, self.scores(), strict=True):
            if not (undiverged and each.diverged):
                learning_rate = learning_rate_of(each.setting)
                found[learning_rate] = max(score, found.get(learning_rate, 0.0))
        return sorted(found), [found[learning_rate] for learning_rate in sorted(found)]

    def width(self) -> Width | None:
        """The range of learning rates that cost less than a point of validation accuracy; of one there is none."""
        learning_rates, scores = self.by_learning_rate()
        return statistics.width_near_best(learning_rates, scores) if len(learning_rates) > 1 else None

    def notes(self) -> Iterator[str]:
        """What a reader must know about the optimizer beside its row."""
        if self.edge:
            side = "lowest" if self.edge < 0 else "highest"
            more = "--extend tries more there" if self.extensible else "list more in the study's file"
            yield (
                f"The best learning rate of {self.optimizer}, {self.learning_rate:g}, is the {side} of those tried: a "
                f"better one may lie beyond; {more}."
            )
        if self.diverged:
            yield (
                f"{self.diverged} of {len(self.held_out)} held-out runs of {self.optimizer} diverged; they count with "
                "their best weights before."
            )


class Result(NamedTuple):
    """All optimizers on one task, the best on the test split first."""

    task: str
    target: float  # validation accuracy; 0: none
    entries: list[Entry]
    pairs: list[Pair]

    def outcome(self, optimizer: str, other: str) -> str:
        """win | tie | loss of an optimizer against another; nothing where the study cannot tell."""
        mirrored = {"win": "loss", "loss": "win", "tie": "tie", "": ""}
        for pair in self.pairs:
            if (pair.first, pair.second) == (optimizer, other):
                return pair.outcome
            if (pair.first, pair.second) == (other, optimizer):
                return mirrored[pair.outcome]
        return ""

    @property
    def first_validation(self) -> int:
        """The step of the first validation: steps to the target are counted no finer."""
        curves = (curve for entry in self.entries for curve in entry.curves)
        return min((row["step"] for curve in curves for row in curve if row["split"] == "validation"), default=0)

    def record(self, optimizer: str) -> tuple[int, int, int]:
        """Wins, ties and losses of an optimizer against the others."""
        own = [self.outcome(optimizer, entry.optimizer) for entry in self.entries]
        return own.count("win"), own.count("tie"), own.count("loss")

    def notes(self) -> list[str]:
        """What a reader must know beside the table."""
        found = []
        seeds = len(self.entries[0].held_out)
        if self.pairs and not statistics.can_tell(seeds, len(self.pairs)):
            needed = statistics.pairs_needed(len(self.pairs))
            found.append(
                f"The study is too small to tell optimizers apart: with {seeds} paired runs each, Wilcoxon's test "
                f"cannot give less than p = {statistics.least_wilcoxon_p(seeds):.2g}, which decides nothing after "
                f"Holm's correction over {len(self.pairs)} comparisons. {needed} seeds could."
            )
        for entry in self.entries:
            found += entry.notes()
        if self.target and not any(entry.reached for entry in self.entries):
            best = max(run.best_validation_accuracy or 0.0 for entry in self.entries for run in entry.held_out)
            found.append(
                f"No run reached the target of {self.target:.2%} on validation (the best reached {best:.2%}); "
                "set a lower one to count steps."
            )
        held = [entry.optimizer for entry in self.entries if entry.own_schedule]
        if held:
            found.append(
                f"{', '.join(held)}: the learning rate stays up after the warm-up, as the method asks for, where that "
                "of the others follows the task's schedule."
            )
        counts = {len(entry.tried) for entry in self.entries}
        if len(counts) > 1:
            found.append(
                f"Budgets differ: from {min(counts)} to {max(counts)} settings were tried, since some were extended."
            )
        return found


def tested(run: Finished) -> float:
    """The test accuracy of a held-out run.

    Raises:
      ValueError: it is a run of the search, which never reads the test split.
    """
    if run.test_accuracy is None:
        raise ValueError(f"the run {run.key} in {run.folder} was never tested")
    return run.test_accuracy


def steps_to(curve: Curve, target: float) -> float:
    """The step of the first validation that reached a target accuracy; infinite if none did or there is no target."""
    reached = [row["step"] for row in curve if row["split"] == "validation" and row["accuracy"] >= target > 0]
    return float(min(reached, default=math.inf))


def result(task: str, target: float, entries: list[Entry]) -> Result:
    """Orders and compares the optimizers of a task."""
    ordered = sorted(entries, key=lambda entry: -entry.test.mean)
    pairs = statistics.compare({entry.optimizer: entry.accuracies for entry in ordered})
    return Result(task, target, ordered, pairs)
