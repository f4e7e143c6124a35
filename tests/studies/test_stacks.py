"""Trials are divided into stacks of equal size, and into the same ones after an interruption."""

import pytest

from lstm_jax.studies import stacks, trials
from lstm_jax.studies.trials import SEARCH, Trial
from tests.studies.tiny_study import tiny_task


def chunked(count, finished, most, devices):
    planned = [Trial("tiny", "sgd", (("optimizer.learning_rate", 0.1),), seed, SEARCH) for seed in range(count)]
    config = trials.config_of(tiny_task().config, planned[0].changes, 0)
    return stacks.chunked(planned, config, {trial: str(trial.seed) for trial in planned}, finished, most, devices)


@pytest.mark.parametrize(
    ("count", "most", "devices", "sizes"),
    [(21, 99, 2, [21]), (42, 16, 2, [14] * 3), (10, 4, 1, [4, 4, 2]), (3, 1, 2, [1, 1, 1]), (4, 3, 2, [2, 2])],
)
def test_stacks_are_even_and_the_same_after_an_interruption(count, most, devices, sizes):
    found = chunked(count, (), most, devices)
    assert [len(stack.trials) for stack in found] == sizes
    assert all(len(stack.lanes) % min(devices, most) == 0 for stack in found)
    assert chunked(count, found[0].keys, most, devices) == found[1:]


def test_a_stack_is_filled_up_with_its_last_lane():
    (stack,) = chunked(3, (), 8, 2)
    assert [lane.seed for lane in stack.lanes] == [0, 1, 2, 2]
    assert stack.lanes[0].changes == {"optimizer.learning_rate": 0.1}
