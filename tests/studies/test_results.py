"""The chosen setting, the scores and the steps to a target, against values computed by hand."""

import math

import pytest

from lstm_jax.studies import results, statistics
from lstm_jax.studies.plan import Tried, choose


def test_the_chosen_setting_is_the_best_of_those_that_did_not_diverge():
    def tried(rate, accuracies, diverged=0):
        runs = [
            results.Finished("", "diverged" if n < diverged else "done", a, 1, None, None, "", 0)
            for n, a in enumerate(accuracies)
        ]
        return Tried((("learning_rate", rate),), runs)

    trials_ = [tried(0.1, [0.8, 0.8]), tried(0.2, [0.9, 0.8]), tried(0.3, [0.99, 0.99], diverged=1)]
    assert choose(trials_) == trials_[1]
    equals = [tried(rate, [0.8]) for rate in (0.3, 0.1, 0.2)]
    assert choose(equals) == equals[2]


def test_a_setting_that_diverged_scores_no_better_than_the_others():
    def tried(rate, accuracy, diverged):
        status = "diverged" if diverged else "done"
        return Tried((("learning_rate", rate),), [results.Finished("", status, accuracy, 1, None, None, "", 0)])

    own = [tried(0.1, 0.7, False), tried(0.2, 0.9, False), tried(0.4, 0.95, True), tried(0.8, None, True)]
    entry = results.Entry("sgd", own, 0, True, own[1], [], [], statistics.Interval(0, 0, 0), [], 1.0)
    assert entry.scores() == [0.7, 0.9, 0.7, 0.0]
    assert entry.by_learning_rate(undiverged=True) == ([0.1, 0.2], [0.7, 0.9])
    assert entry.by_learning_rate() == ([0.1, 0.2, 0.4, 0.8], [0.7, 0.9, 0.7, 0.0])


def test_a_run_that_was_not_tested_has_no_test_accuracy():
    with pytest.raises(ValueError, match="the run a in lanes/x was never tested"):
        results.tested(results.Finished("a", "done", 0.9, 1, None, None, "lanes/x", 0))


def test_steps_to_a_target():
    curve = [
        {"step": step, "split": split, "accuracy": accuracy}
        for step, split, accuracy in [
            (5, "train", 0.9),
            (10, "validation", 0.7),
            (20, "validation", 0.8),
            (30, "validation", 0.9),
        ]
    ]
    assert results.steps_to(curve, 0.8) == 20
    assert results.steps_to(curve, 0.95) == math.inf
    assert results.steps_to(curve, 0.0) == math.inf
