import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lstm_jax.studies import statistics


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.04; made monotone 0.04, 0.06, 0.06, 0.06.
    assert statistics.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert statistics.holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert statistics.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferroni_and_keeps_the_order(p):
    adjusted = np.array(statistics.holm(p))
    assert np.all(adjusted >= np.array(p) - 1e-12)
    assert np.all(adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-12)
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(adjusted[order]) >= 0)


def test_wilcoxon_by_hand():
    # Ranks 1, 2, 3, 4 with signs +, +, −, +: negative ranks sum to 3. Sums of at most 3 among the 16 sign patterns:
    # {}, {1}, {2}, {3}, {1, 2}: 5 on one side, so p = 10/16.
    assert statistics.wilcoxon_p([1.0, 2.0, -3.0, 4.0]) == pytest.approx(10 / 16)
    assert statistics.wilcoxon_p([1.0, 2.0, 3.0]) == pytest.approx(0.25)
    assert statistics.wilcoxon_p([0.0, 0.0, 0.0]) == 1.0


@pytest.mark.parametrize("count", [5, 8, 10, 12])
def test_wilcoxon_is_scipys_where_there_are_no_ties(count):
    sample = np.random.default_rng(count).normal(0.3, 1.0, count)
    assert statistics.wilcoxon_p(sample) == pytest.approx(stats.wilcoxon(sample, method="exact").pvalue)


def test_wilcoxon_with_ties_counts_all_signs():
    sample = [0.2, 0.2, -0.2, 0.4, 0.0, 0.4, 0.6]
    size = np.abs(sample)
    ranks = stats.rankdata(size)[size > 0]  # Pratt: zeros are ranked, then dropped
    observed = sum(r for r, d in zip(ranks, [d for d in sample if d], strict=True) if d > 0)
    centre = ranks.sum() / 2
    patterns = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(ranks))]
    p = np.mean([abs(total - centre) >= abs(observed - centre) - 1e-9 for total in patterns])
    assert statistics.wilcoxon_p(sample) == pytest.approx(p)


def test_a_study_can_be_too_small():
    assert statistics.least_wilcoxon_p(3) == 0.25
    assert statistics.wilcoxon_p([1.0, 2.0, 3.0]) == statistics.least_wilcoxon_p(3)
    assert not statistics.has_power(3, 1)
    assert statistics.has_power(10, 15)
    assert not statistics.has_power(10, 66)
    for comparisons in (1, 15, 66):
        needed = statistics.pairs_needed(comparisons)
        assert statistics.has_power(needed, comparisons)
        assert not statistics.has_power(needed - 1, comparisons)


def test_too_few_pairs_give_no_outcome():
    pairs = statistics.compare({"a": [0.9, 0.91, 0.92], "b": [0.1, 0.11, 0.13]})
    assert [pair.outcome for pair in pairs] == [""]


def test_outcomes_of_a_winner_and_of_one_that_is_the_same():
    rng = np.random.default_rng(0)
    adam = rng.normal(0.9, 0.005, 10)
    pairs = statistics.compare({"adam": adam, "planted": adam.copy(), "worse": adam - 0.02 - rng.uniform(0, 0.01, 10)})
    found = {(pair.first, pair.second): pair for pair in pairs}
    assert found["adam", "planted"].outcome == "tie"
    assert found["adam", "planted"].wilcoxon == found["adam", "planted"].bootstrap == 1.0
    assert found["adam", "planted"].difference == (0.0, 0.0, 0.0)
    assert found["adam", "worse"].outcome == found["planted", "worse"].outcome == "win"
    turned = statistics.compare({"worse": adam - 0.02, "adam": adam})
    assert turned[0].outcome == "loss"


def test_one_failure_against_many_small_gains_is_a_tie():
    """The first is better by the ranks, the second by the mean."""
    second = np.linspace(0.8, 0.81, 12)
    first = second + np.linspace(0.001, 0.004, 12)
    first[5] = 0.0
    (pair,) = statistics.compare({"first": first, "second": second})
    assert pair.wilcoxon < 0.05
    assert pair.difference.mean < 0
    assert pair.outcome == "tie"


def rejection_bounds(count, rate=0.05):
    """Bounds on the rejections of ``count`` true nulls by a test of that rate, which hold in 99.9 % of cases."""
    return stats.binom.ppf([0.0005, 0.9995], count, rate)


@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_the_paired_bootstrap_keeps_its_level_under_the_null(tails):
    rng, count = np.random.default_rng(1), 1000
    rejected = 0
    for n in range(count):
        a, b = rng.normal(0, 1, (2, 10)) if tails == "normal" else rng.exponential(1, (2, 10))
        rejected += statistics.bootstrap_p(a - b, seed=n) < 0.05
    low, high = rejection_bounds(count)
    assert rejected <= high
    assert rejected >= low or tails == "heavy"  # Heavy tails make the test reject too seldom, never too often.


@pytest.mark.parametrize("size", [10, 12])
def test_the_bootstrap_interval_holds_the_mean_as_often_as_it_says(size):
    """The percentile interval, which it expands, does not: it misses the mean in 8.4 % of such samples, not in 5 %."""
    rng, count, missed, plain = np.random.default_rng(2), 1000, 0, 0
    for n in range(count):
        sample = rng.normal(3.0, 1.0, size)
        interval = statistics.bootstrap_interval(sample, seed=n)
        missed += not interval.low <= 3.0 <= interval.high
        means = sample[rng.integers(0, size, (999, size))].mean(axis=1)
        plain += not np.quantile(means, 0.025) <= 3.0 <= np.quantile(means, 0.975)
    low, high = rejection_bounds(count)
    assert low <= missed <= high
    assert plain > high


@given(st.lists(st.floats(0, 1), min_size=statistics.FEW, max_size=15))
def test_the_interval_of_accuracies_stays_within_them(values):
    interval = statistics.bootstrap_interval(values)
    assert min(values) - 1e-12 <= interval.low <= interval.mean + 1e-12
    assert interval.mean - 1e-12 <= interval.high <= max(values) + 1e-12


def test_one_failed_run_does_not_blow_up_the_interval():
    interval = statistics.bootstrap_interval([0.9, 0.901, 0.902, 0.899, 0.9, 0.905, 0.897, 0.9, 0.903, 0.5])
    assert 0.7 < interval.low < 0.8
    assert 0.9 < interval.high < 0.905


def test_holm_keeps_the_rate_of_any_false_outcome():
    """For five equal optimizers, the ten outcomes include a false one in at most 5 % of studies."""
    rng, count, wrong = np.random.default_rng(3), 300, 0
    for _ in range(count):
        samples = rng.normal(0, 1, (5, 12))
        p = [statistics.wilcoxon_p(a - b) for a, b in itertools.combinations(samples, 2)]
        wrong += min(statistics.holm(p)) < 0.05
    assert wrong <= stats.binom.ppf(0.9995, count, 0.05)


def test_the_bootstrap_finds_a_difference_that_is_there():
    rng = np.random.default_rng(4)
    found = [statistics.bootstrap_p(rng.normal(1.5, 1.0, 10), seed=n) < 0.05 for n in range(50)]
    assert np.mean(found) > 0.9


@pytest.mark.parametrize(("values", "mean"), [([0.5], 0.5), ([0.5, 0.5, 0.5], 0.5)])
def test_the_interval_of_equal_values_is_a_point(values, mean):
    assert statistics.bootstrap_interval(values) == (mean, mean, mean)


def test_the_interval_of_few_values_is_students():
    for sample in ([0.1, 0.4, 0.3], [0.2, 0.2, 0.2, 0.4]):
        interval = statistics.bootstrap_interval(sample)
        wanted = stats.t.interval(0.95, len(sample) - 1, np.mean(sample), stats.sem(sample))
        assert interval[1:] == pytest.approx(wanted)


def test_the_bootstrap_says_no_more_than_the_signs_could():
    assert statistics.bootstrap_p([0.1, 0.1]) == 0.5
    assert statistics.bootstrap_p([0.1, 0.1 + 1e-9, 0.1]) >= 0.25
    assert statistics.bootstrap_p([0.1]) == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_the_expected_best_is_the_mean_over_all_draws(scores):
    found = statistics.expected_best(scores)
    for k in range(1, len(scores) + 1):
        assert found[k - 1] == pytest.approx(np.mean([max(draw) for draw in itertools.combinations(scores, k)]))


def test_a_performance_profile_by_hand():
    costs = {"a": [10.0, 20.0, math.inf], "b": [20.0, 10.0, math.inf], "c": [math.inf, 10.0, 30.0]}
    found = statistics.performance_profile(costs, np.array([1.0, 1.9, 2.0]))
    np.testing.assert_allclose(found["a"], [1 / 3, 1 / 3, 2 / 3])
    np.testing.assert_allclose(found["b"], [1 / 3, 1 / 3, 2 / 3])
    np.testing.assert_allclose(found["c"], [2 / 3, 2 / 3, 2 / 3])


def test_the_width_near_the_best_by_hand():
    # On the line from (1, 0.9) to (10, 0.88) the score is 0.89 half a decade on; to the left the range is open.
    assert statistics.width_near_best([1.0, 10.0], [0.9, 0.88]) == (pytest.approx(10**0.5), True)
    both = 10 ** (0.01 / 0.2) * 10 ** (0.01 / 0.4)
    assert statistics.width_near_best([0.1, 1.0, 10.0], [0.7, 0.9, 0.5]) == (pytest.approx(both), False)
    assert statistics.width_near_best([10.0, 0.1, 1.0], [0.895, 0.9, 0.899]) == (pytest.approx(100.0), True)
