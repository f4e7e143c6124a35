"""Trials become stacks of lanes, even ones, and the same after an interruption."""

import pytest

from lstm_jax.studies import stacks
from lstm_jax.studies.trials import SEARCH, Trial
from tests.studies.tiny_study import tiny_task


@pytest.mark.parametrize(
    ("count", "most", "devices", "sizes"),
    [(21, 99, 2, [21]), (42, 16, 2, [14] * 3), (10, 4, 1, [4, 4, 2]), (3, 1, 2, [1, 1, 1]), (4, 3, 2, [2, 2])],
)
def test_stacks_are_even_and_the_same_after_an_interruption(count, most, devices, sizes):
    planned = [Trial("tiny", SEARCH, "sgd", (("learning_rate", 0.1),), seed) for seed in range(count)]
    keys = {trial: str(trial.seed) for trial in planned}
    task = tiny_task().config
    found = stacks.stacks(planned, task, keys, (), most, devices)
    assert [len(stack.trials) for stack in found] == sizes
    assert all(len(stack.lanes) % min(devices, most) == 0 for stack in found)
    finished = found[0].keys
    assert stacks.stacks(planned, task, keys, finished, most, devices) == found[1:]


def test_a_stack_is_filled_up_with_its_last_lane():
    planned = [Trial("tiny", SEARCH, "sgd", (("learning_rate", 0.1),), seed) for seed in range(3)]
    (stack,) = stacks.stacks(planned, tiny_task().config, {trial: str(trial.seed) for trial in planned}, (), 8, 2)
    assert [lane.seed for lane in stack.lanes] == [0, 1, 2, 2]
