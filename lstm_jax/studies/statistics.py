"""Statistical comparison of optimizers from a few paired runs of each.

All functions are pure. Samples of two optimizers are paired by seed, since lanes of one seed share initial weights and
the order of examples.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from lstm_jax.reports.intervals import Interval
from lstm_jax.types import HostArray

Figures = Sequence[float] | HostArray
RESAMPLES = 9_999
CONFIDENCE = 0.95
FEW = 6  # Smaller samples get Student's interval.
ALPHA = 1 - CONFIDENCE


def bootstrap_interval(values: Figures, confidence: float = CONFIDENCE, seed: int = 0) -> Interval:
    """The mean and its expanded percentile bootstrap interval (Hesterberg 2015, section 4).

    The plain percentile interval of few values is too narrow: resamples vary less than samples, and its tails are those
    of a normal distribution. Smaller tail probabilities correct both. Unlike the bootstrap-t interval it stays within
    the values, so that a single failed run does not blow it up. Fewer than ``FEW`` values have too few different
    resamples; they get Student's interval.

    Args:
      values: Independent figures. If there is only one, or all are equal, the interval is a point.
      confidence: The probability that the interval covers the mean.
      seed: The seed of the resampling.
    """
    sample = np.asarray(values, np.float64)
    mean = float(sample.mean())
    if len(sample) < 2 or np.ptp(sample) == 0:
        return Interval(mean, mean, mean)
    count = len(sample)
    quantile = float(stats.t.ppf((1 + confidence) / 2, count - 1))
    if count < FEW:
        reach = quantile * float(sample.std(ddof=1)) / math.sqrt(count)
        return Interval(mean, mean - reach, mean + reach)
    tail = float(stats.norm.cdf(-math.sqrt(count / (count - 1)) * quantile))
    low, high = np.quantile(_resampled(sample, seed).mean(axis=1), (tail, 1 - tail))
    return Interval(mean, float(low), float(high))


def _resampled(sample: HostArray, seed: int) -> HostArray:
    """Resamples of a sample of n values, drawn with replacement, ``[RESAMPLES, n]``."""
    return sample[np.random.default_rng(seed).integers(0, len(sample), (RESAMPLES, len(sample)))]


def _pivots(sample: HostArray, seed: int) -> tuple[float, HostArray]:
    """The sample's t statistic against 0, and that of resamples against the sample's mean."""
    count, mean, drawn = len(sample), sample.mean(), _resampled(sample, seed)
    errors = drawn.std(axis=1, ddof=1) / math.sqrt(count)
    shifts = drawn.mean(axis=1) - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        pivots = np.where(errors > 0, shifts / errors, np.where(shifts == 0, 0.0, np.sign(shifts) * np.inf))
    return float(mean / (sample.std(ddof=1) / math.sqrt(count))), pivots


def bootstrap_p(differences: Figures, seed: int = 0) -> float:
    """Two-sided p-value of the paired bootstrap-t test that the mean difference is 0 (Efron & Tibshirani 1993, ch. 16).

    It is 1 if all differences are 0, and never below 2^(1 - n), the smallest p-value that n signs alone can give.
    """
    sample = np.asarray(differences, np.float64)
    least = least_wilcoxon_p(len(sample))
    if len(sample) < 2 or not sample.any():
        return 1.0
    if np.ptp(sample) == 0:
        return least
    observed, pivots = _pivots(sample, seed)
    return max(least, float((1 + np.sum(np.abs(pivots) >= abs(observed))) / (RESAMPLES + 1)))


def wilcoxon_p(differences: Figures) -> float:
    """Two-sided exact p-value of Wilcoxon's signed-rank test, zeros ranked and then dropped (Pratt 1959).

    scipy's test is exact with ties only for few pairs. Here the null distribution of the rank sum is computed by adding
    one rank after another. Tied ranks may be halves, so all ranks are doubled.
    """
    ranks, positive = _ranks(differences)
    if not len(ranks):
        return 1.0
    ways = np.zeros(ranks.sum() + 1)
    ways[0] = 1.0
    for rank in ranks:
        added = 0.5 * ways
        added[rank:] += 0.5 * ways[: len(ways) - rank]
        ways = added
    sums = np.arange(len(ways))
    far = np.abs(2 * sums - ranks.sum()) >= abs(2 * ranks[positive].sum() - ranks.sum())
    return min(1.0, float(ways[far].sum()))


def _ranks(differences: Figures) -> tuple[HostArray, HostArray]:
    """Twice the ranks of the non-zero differences, as integers, and which of these are positive.

    Differences are rounded first, so that rounding errors break no ties.
    """
    sample = np.round(np.asarray(differences, np.float64), 12)
    ranks = np.round(2 * stats.rankdata(np.abs(sample))).astype(int)
    return ranks[sample != 0], sample[sample != 0] > 0


def least_wilcoxon_p(pairs: int) -> float:
    """The smallest p-value that ``pairs`` pairs can give: all differences have one sign."""
    return min(1.0, 2.0 ** (1 - pairs))


def pairs_needed(comparisons: int, alpha: float = ALPHA) -> int:
    """The number of pairs that Wilcoxon's test needs to find a difference among ``comparisons`` after Holm."""
    return max(1, math.ceil(1 + math.log2(comparisons / alpha)))


def holm(p_values: Figures) -> list[float]:
    """p-values adjusted for all comparisons together by Holm's step-down method (1979), in the given order."""
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, n in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * float(p_values[n])))
        adjusted[n] = largest
    return adjusted


class Pair(NamedTuple):
    """Two optimizers on the same seeds."""

    first: str
    second: str
    difference: Interval  # first − second
    wilcoxon: float  # p-value, with Holm's correction over all comparisons.
    bootstrap: float  # p-value, likewise.
    outcome: str  # win | tie | loss of the first; "" if the study is too small to tell.


def compare(samples: Mapping[str, Figures], alpha: float = ALPHA) -> list[Pair]:
    """Compares every pair of optimizers by Wilcoxon's test, with Holm's correction over all pairs.

    Args:
      samples: Figures by optimizer, in the same order of seeds for all; larger is better.
      alpha: The probability that any win or loss is false if no optimizers differ.
    """
    names = list(samples)
    pairs = [(a, b) for n, a in enumerate(names) for b in names[n + 1 :]]
    if not pairs:
        return []
    differences = [np.subtract(samples[a], samples[b]) for a, b in pairs]
    wilcoxon = holm([wilcoxon_p(each) for each in differences])
    bootstrap = holm([bootstrap_p(each) for each in differences])
    tells = has_power(len(differences[0]), len(pairs), alpha)
    rows = []
    for (a, b), each, w, p in zip(pairs, differences, wilcoxon, bootstrap, strict=True):
        outcome = _outcome(each) if w < alpha else "tie"
        rows.append(Pair(a, b, bootstrap_interval(each), w, p, outcome if tells else ""))
    return rows


def _outcome(differences: HostArray) -> str:
    """The outcome by the sum of ranks; a tie if the mean says the opposite, as after a single failed run."""
    ranks, positive = _ranks(differences)
    lead = ranks[positive].sum() - ranks[~positive].sum()
    if lead * differences.mean() <= 0:
        return "tie"
    return "win" if lead > 0 else "loss"


def has_power(pairs: int, comparisons: int, alpha: float = ALPHA) -> bool:
    """Whether ``pairs`` pairs can give any significant difference among ``comparisons`` comparisons."""
    return comparisons * least_wilcoxon_p(pairs) < alpha


def expected_best(scores: Figures) -> list[float]:
    """The expected best of 1, 2, … N trials drawn from N without replacement (Dodge et al. 2019, unbiased form)."""
    ordered, count = np.sort(np.asarray(scores, np.float64)), len(scores)
    found = []
    for k in range(1, count + 1):
        ways = math.comb(count, k)
        found.append(sum(float(v) * (math.comb(n, k - 1) / ways) for n, v in enumerate(ordered)))
    return found


def performance_profile(costs: Mapping[str, Figures], ratios: HostArray) -> dict[str, HostArray]:
    """The share of instances that an optimizer solves within a ratio of the lowest cost (Dolan & Moré 2002).

    Args:
      costs: Steps or seconds to the target by optimizer and instance; infinite if it was never reached.
      ratios: The ratios at which the profile is evaluated, from 1 up.
    """
    table = np.array(list(costs.values()), np.float64)
    best = table.min(axis=0)
    with np.errstate(invalid="ignore"):
        relative = np.where(np.isfinite(table), table / best, np.inf)
    return {name: np.mean(row[None, :] <= ratios[:, None], axis=1) for name, row in zip(costs, relative, strict=True)}


class Width(NamedTuple):
    """A range of learning rates."""

    factor: float  # The ratio of its ends.
    open: bool  # Whether it reaches the lowest or highest learning rate tried, so that it may be wider.


def width_near_best(learning_rates: Figures, scores: Figures, within: float = 0.01) -> Width:
    """The range of learning rates around the best whose scores are less than ``within`` below the best score.

    Scores between two learning rates are interpolated linearly in their logarithm.
    """
    order = np.argsort(learning_rates)
    x, y = np.log(np.asarray(learning_rates, np.float64)[order]), np.asarray(scores, np.float64)[order]
    best = int(np.argmax(y))
    level, ends, unfinished = y[best] - within, [], False
    for side in (-1, 1):
        n = best
        while 0 <= n + side < len(x) and y[n + side] >= level:
            n += side
        end = x[n]
        if 0 <= n + side < len(x):
            share = (y[n] - level) / (y[n] - y[n + side])
            end = x[n] + share * (x[n + side] - x[n])
        else:
            unfinished = True
        ends.append(end)
    return Width(float(np.exp(ends[1] - ends[0])), unfinished)
