"""Turns the finished runs of a grid into its figures: settings ranked by validation accuracy, and notes on them."""

import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.studies.settings import written, written_setting
from lstm_jax.studies.store import Finished
from lstm_jax.studies.trials import Changes

NAMED_AT_MOST = 10  # Settings with diverged runs that have a note of their own.


class GridRun(NamedTuple):
    """One run of a grid."""

    seed: int
    finished: Finished
    diverged_at: int | None  # The step at which its loss or gradient became NaN or infinite.
    parameters: int  # Number of weights.
    seconds: float  # Training time of its stack of lanes over the number of lanes, without compiling.
    curve: list[dict[str, Any]]  # Its rows of ``metrics.jsonl``.
    epochs: list[dict[str, Any]]  # Epoch, split, loss and accuracy of the epochs before it diverged, if they were kept.
    diverged_epoch: int | None  # The epoch, from 1, in which it diverged.

    @property
    def validation(self) -> float | None:
        """Validation accuracy of its best step; ``None`` if it diverged before the first validation."""
        return self.finished.best_validation_accuracy

    @property
    def test(self) -> float | None:
        """Test accuracy of the weights of that step."""
        return None if self.validation is None else self.finished.test_accuracy

    def accuracy(self, epoch: int) -> list[float]:
        """The test accuracy after an epoch, in a list; empty if the run had diverged."""
        return [row["accuracy"] for row in self.epochs if (row["split"], row["epoch"]) == ("test", epoch)]


class GridSetting(NamedTuple):
    """A combination of values and its runs, one per seed."""

    changes: Changes
    runs: list[GridRun]
    seconds: float  # Mean over the runs.

    @property
    def values(self) -> tuple[Any, ...]:
        """The values in the order of the fields."""
        return tuple(value for _, value in self.changes)

    @property
    def validations(self) -> list[float]:
        """Validation accuracies of the runs that have one."""
        return [run.validation for run in self.runs if run.validation is not None]

    @property
    def tests(self) -> list[float]:
        """Test accuracies of the same runs."""
        return [run.test for run in self.runs if run.test is not None]

    @property
    def diverged(self) -> list[GridRun]:
        """The runs that diverged."""
        return [run for run in self.runs if run.diverged_at is not None]

    @property
    def mean(self) -> float:
        """Mean validation accuracy. A run that diverged before any validation counts as 0."""
        return float(np.mean([run.validation or 0.0 for run in self.runs]))


class GridResult(NamedTuple):
    """All settings of a grid, the best first."""

    labels: Mapping[str, str]  # A label for each field, by its path.
    ranked: list[GridSetting]
    settings: list[GridSetting]  # In the order of the values.

    @property
    def best(self) -> GridSetting | None:
        """The first setting; ``None`` if no run was ever validated."""
        return self.ranked[0] if self.ranked[0].validations else None

    @property
    def epochs(self) -> int:
        """The number of epochs that were kept and evaluated."""
        return max((row["epoch"] for each in self.settings for run in each.runs for row in run.epochs), default=0)

    def values(self, path: str) -> list[Any]:
        """The values of a field, in the order in which they were given."""
        return list(dict.fromkeys(dict(each.changes)[path] for each in self.settings))

    def notes(self) -> list[str]:
        """Notes that a reader of the table must know."""
        return [*self._ties(), *self._edges(), *self._same(), *self._diverged()]

    def _ties(self) -> Iterator[str]:
        """A note on the settings that seeds cannot tell from the best."""
        if self.best is None:
            return
        several = len(self.best.validations) > 1
        spread = float(np.std(self.best.validations, ddof=1)) if several else 0.0
        others = [each for each in self.ranked[1:] if each.runs[0].finished.key != self.best.runs[0].finished.key]
        near = sum(each.mean >= self.best.mean - spread and not each.diverged for each in others)
        if near and not spread:
            yield (
                f"{near} other setting{'s have' if near > 1 else ' has'} the same validation accuracy as the best; "
                "more seeds may tell them apart."
            )
        elif near:
            yield (
                f"{near} other setting{'s lie' if near > 1 else ' lies'} within one standard deviation of the best; "
                "more seeds may rank them differently."
            )

    def _edges(self) -> Iterator[str]:
        for path, value in self.best.changes if self.best else ():
            values = self.values(path)
            if len(values) > 2 and all(map(is_number, values)) and value in (min(values), max(values)):
                side = "lowest" if value == min(values) else "highest"
                yield (
                    f"The best {self.labels[path]}, {written(value)}, is the {side} of those tried: a better one may "
                    "lie beyond."
                )

    def _same(self) -> Iterator[str]:
        by_run: dict[str, list[GridSetting]] = {}
        for each in self.settings:
            by_run.setdefault(each.runs[0].finished.key, []).append(each)
        for first, *others in by_run.values():
            for other in others:
                yield f"{self._written(other)} is the same run as {self._written(first)}."

    def _diverged(self) -> Iterator[str]:
        lost = [each for each in self.settings if each.diverged]
        for each in lost[:NAMED_AT_MOST]:
            runs = ", ".join(f"{run.seed} at step {run.diverged_at}" for run in each.diverged)
            yield f"{self._written(each)} diverged with {len(each.diverged)} of {len(each.runs)} seeds: {runs}."
        if len(lost) > NAMED_AT_MOST:
            yield f"Runs of {len(lost) - NAMED_AT_MOST} further settings diverged; runs.csv names them."

    def _written(self, setting: GridSetting) -> str:
        return written_setting(self.labels, setting.changes)


def grid_result(labels: Mapping[str, str], settings: list[GridSetting]) -> GridResult:
    """Ranks settings: those with the fewest diverged seeds first, then by mean validation accuracy.

    Among equals the network with fewer weights comes first. Test accuracy plays no part.
    """
    rank = lambda each: (len(each.diverged), -each.mean, each.runs[0].parameters)
    return GridResult(labels, sorted(settings, key=rank), settings)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, which ``True`` is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
