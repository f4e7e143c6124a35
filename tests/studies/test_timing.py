"""Timing of steps, and the choice of how lanes share a device."""

import pytest

from lstm_jax.config import validate
from lstm_jax.data import corpus
from lstm_jax.studies import timing
from lstm_jax.studies.timing import LaneChoice, _measured, step_milliseconds  # imported before a fixture replaces them
from tests.studies.tiny_study import tiny_task


def test_memory_limits_the_lanes(monkeypatch):
    monkeypatch.setattr(timing, "memory_bytes", lambda: 2 * 1000)
    assert timing.most_lanes(LaneChoice("map", 100, {}), state_bytes=50) == 4, "of 5, a multiple of two devices"
    assert timing.most_lanes(LaneChoice("map", 10_000, {}), state_bytes=50) == 2


@pytest.mark.long
def test_steps_and_lanes_are_measured():
    config = validate(tiny_task().config)
    corpora = corpus.prepare(config.data)
    assert step_milliseconds({"adam": config}, corpora)["adam"] > 0
    choice = _measured(config, corpora)
    assert choice.lane_map == min(choice.milliseconds, key=choice.milliseconds.get)
    assert set(choice.milliseconds) == set(timing.LANE_MAPS)
    assert choice.lane_bytes > 0


def test_a_choice_is_measured_once_for_a_network(monkeypatch):
    task = tiny_task().config
    task.model.hidden_size = 5
    corpora = corpus.prepare(task.data)
    found = timing.autotune_lanes(validate(task), corpora)
    monkeypatch.setattr(timing, "_measured", lambda *_: pytest.fail("measured again"))
    other = tiny_task().config
    other.model.hidden_size, other.optimizer.name, other.train.steps = 5, "sgd", 99
    assert timing.autotune_lanes(validate(other), corpora) == found
