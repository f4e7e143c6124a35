import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from lstm_jax.reports.intervals import (
    f1_by_class,
    macro_f1_interval,
    mean_interval,
    quantile_groups,
    share_interval,
)


def test_wilson_s_interval_of_a_case_worked_by_hand():
    z = stats.norm.ppf(0.975)
    centre, reach = 0.9 + z * z / 20, z * math.sqrt(0.9 * 0.1 / 10 + z * z / 400)
    found = share_interval(9, 10)
    np.testing.assert_allclose(found, (0.9, (centre - reach) / (1 + z * z / 10), (centre + reach) / (1 + z * z / 10)))
    assert share_interval(5, 5).high == 1
    assert share_interval(0, 5).low == 0
    assert all(map(math.isnan, share_interval(0, 0)))


def test_the_normal_interval_needs_two_values():
    values = np.arange(100.0)
    found = mean_interval(values)
    np.testing.assert_allclose((found.low, found.high), stats.norm.interval(0.95, 49.5, values.std(ddof=1) / 10))
    one = mean_interval(np.array([2.0]))
    assert one.mean == 2.0
    assert math.isnan(one.low)
    assert math.isnan(one.high)


def test_macro_f1_leaves_out_classes_that_do_not_occur_as_scikit_learn_does():
    true = np.array([0] * 20 + [1] * 20 + [2] * 5)
    predicted = np.where(np.arange(45) % 4 == 0, 1, true)
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (true, predicted), 1)
    found = macro_f1_interval(confusion)
    assert found.mean == pytest.approx(f1_score(true, predicted, average="macro"))
    assert found.low < found.mean < found.high
    assert found == macro_f1_interval(confusion)
    assert math.isnan(f1_by_class(np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1))[3])


def test_groups_are_of_about_equal_size_and_equal_values_stay_together():
    values = np.random.default_rng(0).permutation(np.arange(80))
    groups = quantile_groups(values)
    assert [len(group) for group in groups] == [10] * 8
    assert all(values[a].max() < values[b].min() for a, b in zip(groups, groups[1:]))  # noqa: B905, RUF007
    many_zeros = np.array([0.0] * 70 + [0.1, 0.2, 0.3])
    assert sum(map(len, quantile_groups(many_zeros))) == 73
    assert len(quantile_groups(many_zeros)[0]) == 70
    assert len(quantile_groups(np.ones(5))) == 1
    assert len(quantile_groups(np.array([3]))) == 1
