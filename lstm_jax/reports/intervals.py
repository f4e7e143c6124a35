"""95 % intervals of the figures of an evaluation, and groups of examples of about equal size."""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from lstm_jax.types import HostArray

LEVEL = 0.95
F1_RESAMPLES = 1000


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float


def share_interval(right: int, of: int) -> Interval:
    """A share such as an accuracy, and Wilson's interval (1927); without examples everything is NaN."""
    if not of:
        return Interval(math.nan, math.nan, math.nan)
    found = stats.binomtest(int(right), int(of)).proportion_ci(LEVEL, method="wilson")
    return Interval(right / of, float(found.low), float(found.high))


def mean_interval(values: HostArray) -> Interval:
    """The mean of many independent values and its normal interval; NaN where a single value has none."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    reach = float(stats.norm.ppf((1 + LEVEL) / 2) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return Interval(mean, mean - reach, mean + reach)


def f1_by_class(hits: HostArray, predicted: HostArray, true: HostArray) -> HostArray:
    """The F1 score of each class from counts ``[C]``; NaN for a class that is neither true nor predicted anywhere."""
    both = predicted + true
    return np.divide(2 * hits, both, out=np.full(len(both), math.nan), where=both > 0)


def macro_f1_interval(confusion: HostArray) -> Interval:
    """The mean F1 score of the classes that are true or predicted somewhere, and its percentile bootstrap interval.

    Args:
      confusion: Counts ``[C, C]``, true class by row. Examples are resampled 1,000 times, with a fixed seed.
    """
    classes, (true, predicted) = len(confusion), np.nonzero(confusion)
    counts = confusion[true, predicted]

    def macro(drawn: HostArray) -> float:
        sums = [np.bincount(place, drawn, classes) for place in (predicted, true)]
        return float(np.nanmean(f1_by_class(np.bincount(true, drawn * (true == predicted), classes), *sums)))

    resamples = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), F1_RESAMPLES)
    low, high = np.quantile([macro(drawn) for drawn in resamples], ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(macro(counts), float(low), float(high))


def quantile_groups(values: HostArray, most: int = 8) -> list[HostArray]:
    """The numbers of the examples in at most ``most`` groups of about equal size, from low to high ``values[N]``.

    Equal values share a group, so there are fewer groups if many values are equal.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)[1:-1], method="inverted_cdf"))
    place = np.searchsorted(edges, values)
    return [np.flatnonzero(place == n) for n in np.unique(place)]
