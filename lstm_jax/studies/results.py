"""Turns finished runs into the figures of a comparison: accuracies, steps and seconds to the target, test outcomes."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from lstm_jax.reports.intervals import Interval
from lstm_jax.studies import statistics
from lstm_jax.studies.plan import Tried
from lstm_jax.studies.search import LEARNING_RATE, Setting, learning_rate_of
from lstm_jax.studies.statistics import Pair, Width
from lstm_jax.studies.store import DIVERGED, Finished
from lstm_jax.studies.trials import Trial

Curve = list[dict[str, Any]]  # The rows of one lane in ``metrics.jsonl``.


class RunRow(NamedTuple):
    """One run of a comparison, for ``runs.csv`` and ``curves.parquet``."""

    trial: Trial  # The trial; its ``name`` is the optimizer's.
    setting: Setting
    finished: Finished
    curve: Curve
    target: float
    step_ms: float  # Duration of a step of a single run at the chosen setting.

    @property
    def steps(self) -> float:
        """Steps to the target; infinite if it was not reached."""
        return steps_to(self.curve, self.target)


class Entry(NamedTuple):
    """An optimizer on one task."""

    optimizer: str
    tried: list[Tried]
    edge: int  # −1 or 1 if the best learning rate is at the lower or upper end of those tried, otherwise 0.
    extensible: bool  # Whether ``--extend`` can try more there.
    best: Tried
    held_out: list[Finished]  # Runs of the best setting, by seed.
    curves: list[Curve]  # Curves of these runs.
    test: Interval  # Mean and interval of their test accuracy.
    steps: list[float]  # Steps to the target by seed; infinite if it was not reached.
    step_ms: float  # Duration of a step of a single run.
    own_schedule: bool = False  # Whether its learning rate stays constant although the task's schedule decays it.

    @property
    def name(self) -> str:
        """The optimizer, with the chosen hyper-parameters other than the learning rate."""
        others = ", ".join(f"{name}={value:g}" for name, value in self.best.setting if name != LEARNING_RATE)
        return f"{self.optimizer} ({others})" if others else self.optimizer

    @property
    def learning_rate(self) -> float:
        """The chosen learning rate."""
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
        """Seconds to the target, by seed."""
        return [steps * self.step_ms / 1e3 for steps in self.steps]

    @property
    def accuracies(self) -> list[float]:
        """Test accuracies by seed. A run that diverged counts with its best weights before the divergence."""
        return [tested(run) for run in self.held_out]

    def scores(self) -> list[float]:
        """The validation accuracy of each setting tried. One with a diverged seed scores no better than the others."""
        floor = min([each.accuracy for each in self.tried if not each.diverged], default=1.0)
        return [min(each.accuracy, floor) if each.diverged else each.accuracy for each in self.tried]

    def by_learning_rate(self, undiverged: bool = False) -> tuple[list[float], list[float]]:
        """The learning rates tried and the best score of each, without diverged settings if ``undiverged``."""
        found: dict[float, float] = {}
        for each, score in zip(self.tried, self.scores(), strict=True):
            if not (undiverged and each.diverged):
                learning_rate = learning_rate_of(each.setting)
                found[learning_rate] = max(score, found.get(learning_rate, 0.0))
        return sorted(found), [found[learning_rate] for learning_rate in sorted(found)]

    def width(self) -> Width | None:
        """The range of learning rates that lose less than a point of validation accuracy. ``None`` if one was tried."""
        learning_rates, scores = self.by_learning_rate()
        return statistics.width_near_best(learning_rates, scores) if len(learning_rates) > 1 else None

    def notes(self) -> Iterator[str]:
        """Notes on the optimizer that a reader of its row must know."""
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
                "their best weights before that."
            )


class Result(NamedTuple):
    """All optimizers on one task, the best on the test split first."""

    task: str
    target: float  # Validation accuracy; 0: none.
    entries: list[Entry]
    pairs: list[Pair]

    def outcome(self, optimizer: str, other: str) -> str:
        """The outcome of an optimizer against another: win | tie | loss, or empty if the study is too small to tell."""
        mirrored = {"win": "loss", "loss": "win", "tie": "tie", "": ""}
        for pair in self.pairs:
            if (pair.first, pair.second) == (optimizer, other):
                return pair.outcome
            if (pair.first, pair.second) == (other, optimizer):
                return mirrored[pair.outcome]
        return ""

    @property
    def first_validation(self) -> int:
        """The step of the first validation, before which no target can be reached."""
        curves = (curve for entry in self.entries for curve in entry.curves)
        return min((row["step"] for curve in curves for row in curve if row["split"] == "validation"), default=0)

    def record(self, optimizer: str) -> tuple[int, int, int]:
        """Wins, ties and losses of an optimizer against the others."""
        own = [self.outcome(optimizer, entry.optimizer) for entry in self.entries]
        return own.count("win"), own.count("tie"), own.count("loss")

    def notes(self) -> list[str]:
        """Notes that a reader of the table must know."""
        found = []
        seeds = len(self.entries[0].held_out)
        if self.pairs and not statistics.has_power(seeds, len(self.pairs)):
            needed = statistics.pairs_needed(len(self.pairs))
            found.append(
                f"The study is too small to tell optimizers apart: with {seeds} paired runs each, Wilcoxon's test "
                f"cannot give less than p = {statistics.least_wilcoxon_p(seeds):.2g}, which is not significant after "
                f"Holm's correction over {len(self.pairs)} comparisons. It takes {needed} seeds."
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
                f"{', '.join(held)}: the learning rate stays constant after the warm-up, as the method requires; for "
                "the others it follows the task's schedule."
            )
        counts = {len(entry.tried) for entry in self.entries}
        if len(counts) > 1:
            found.append(
                f"Budgets differ: {min(counts)} to {max(counts)} settings were tried, because some searches were "
                "extended."
            )
        return found


def tested(run: Finished) -> float:
    """The test accuracy of a held-out run.

    Raises:
      ValueError: The run belongs to the search, which never reads the test split.
    """
    if run.test_accuracy is None:
        raise ValueError(f"the run {run.key} in {run.folder} was never tested")
    return run.test_accuracy


def steps_to(curve: Curve, target: float) -> float:
    """The step of the first validation that reached a target accuracy; infinite if none did or there is no target."""
    reached = [row["step"] for row in curve if row["split"] == "validation" and row["accuracy"] >= target > 0]
    return float(min(reached, default=math.inf))


def result(task: str, target: float, entries: list[Entry]) -> Result:
    """Compares the optimizers of a task and orders them by mean test accuracy."""
    ordered = sorted(entries, key=lambda entry: -entry.test.mean)
    pairs = statistics.compare({entry.optimizer: entry.accuracies for entry in ordered})
    return Result(task, target, ordered, pairs)
