"""What trackers are given: TensorBoard's files are read again; trackio and wandb are stand-ins with their interface."""

import contextlib
import sys
from types import SimpleNamespace
from unittest import mock

import pytest
from tensorboardX.event_file_writer import EventFileWriter

from lstm_jax.errors import ConfigError, UserError
from lstm_jax.registry import TRACKERS
from lstm_jax.training import run, trackers
from lstm_jax.training.trackers import TrackedLane
from lstm_jax.training.workdir import Lane
from tests.training.tiny import timeless, tiny_config

LANE = TrackedLane("a/run", "lane1", {"seed": 0}, first_step=5)


@pytest.fixture
def recorded():
    """A tracker of the test's own, and what it was given: lanes that were opened, values by step, lanes closed."""
    found = SimpleNamespace(opened=[], written=[], closed=[])

    @contextlib.contextmanager
    def mine(lane):
        found.opened.append(lane)
        yield lambda step, values: found.written.append((lane.lane, step, values))
        found.closed.append(lane.lane)

    trackers.register("mine", mine)
    yield found
    TRACKERS.unregister("mine")


@pytest.mark.slow
def test_a_tracker_of_ones_own_sees_every_row_of_every_lane(recorded, tmp_path):
    run.train_lanes(tiny_config(train__tracker="mine"), tmp_path, [Lane(0, {}), Lane(1, {})])
    assert [lane.lane for lane in recorded.opened] == ["lane0", "lane1"]
    assert recorded.closed == ["lane1", "lane0"]
    assert recorded.opened[0].config["train"]["tracker"] == "mine"
    rows = timeless(tmp_path)
    assert [(f"lane{row['lane']}", row["step"]) for row in rows] == [(lane, step) for lane, step, _ in recorded.written]
    for row, (_, _, values) in zip(rows, recorded.written, strict=True):
        assert values[f"loss/{row['split']}"] == row["loss"]
        assert values[f"accuracy/{row['split']}"] == row["accuracy"]
        assert ("learning_rate/train" in values) == (row["split"] == "train")
        assert not any(name.startswith(("step", "lane", "seconds")) for name in values)


def test_a_run_evaluates_without_its_tracker(recorded):
    config = tiny_config(train__tracker="mine")
    TRACKERS.unregister("mine")
    from lstm_jax.config import from_json, to_json, validate

    with pytest.raises(ConfigError, match=r"config\.train\.tracker is 'mine'"):
        validate(from_json(to_json(config)))
    assert validate(from_json(to_json(config)), trains=False).train.tracker == "mine"
    trackers.register("mine", trackers.no_tracker)


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_missing_package_is_named_before_anything_is_trained(monkeypatch, tmp_path, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=f"pip install {name}"):
        run.train_lanes(tiny_config(train__tracker=name), tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.jsonl").exists()  # Nothing was trained.


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_resumed_lane_keeps_its_run(monkeypatch, tmp_path, name):
    library = mock.Mock()
    monkeypatch.setitem(sys.modules, name, library)
    for _ in range(2):
        with TRACKERS[name](LANE._replace(workdir=tmp_path)) as write:
            write(7, {"loss/train": 0.5})
    first, second = library.init.call_args_list
    assert first == second
    assert first.kwargs["resume"] == "allow"
    assert first.kwargs["config"] == {"seed": 0}
    assert first.kwargs["name"] == f"{tmp_path.name}/lane1"
    own = library.init.return_value
    own.log.assert_called_with({"loss/train": 0.5}, step=7)
    assert own.finish.call_count == 2


def test_tensorboard_replaces_the_steps_that_a_resumed_run_repeats(tmp_path, monkeypatch):
    events = []
    monkeypatch.setattr(EventFileWriter, "add_event", lambda self, event, *_: events.append(event))
    with TRACKERS["tensorboard"](LANE._replace(workdir=tmp_path)) as write:
        write(7, {"loss/train": 0.5})
    assert any(event.step == 5 and event.session_log.status == 1 for event in events)  # From step 5 on, all is purged.
    (value,) = [each for event in events for each in event.summary.value]
    assert (value.tag, value.simple_value) == ("loss/train", 0.5)
    assert list((tmp_path / "tensorboard" / "lane1").glob("events*"))
