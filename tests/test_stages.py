import logging
import time

import pytest

from lstm_jax import stages


def test_a_short_stage_is_not_mentioned(caplog):
    with caplog.at_level(logging.INFO), stages.stage("reading"):
        pass
    assert not caplog.records


def test_a_long_stage_is_named_while_it_lasts_and_timed_at_its_end(caplog, monkeypatch):
    monkeypatch.setattr(stages, "QUIET_SECONDS", 0.01)
    with caplog.at_level(logging.INFO), stages.stage("reading"):
        deadline = time.monotonic() + 10
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)
        assert caplog.messages == ["reading …"]
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("reading took 0.")


def test_a_stage_that_fails_is_not_said_to_be_done(caplog, monkeypatch):
    monkeypatch.setattr(stages, "QUIET_SECONDS", 0.0)
    with caplog.at_level(logging.INFO), pytest.raises(ValueError, match="bad"), stages.stage("reading"):
        raise ValueError("bad")
    assert not any("took" in message for message in caplog.messages)
