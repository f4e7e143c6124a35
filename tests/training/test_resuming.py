"""Runs that were stopped, killed or damaged go on, and end bit-equal to an uninterrupted one."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from lstm_jax.errors import UserError
from lstm_jax.training import run
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.logging import RunLog
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import Lane
from tests.training.tiny import assert_same_run, tiny_config

ROOT = Path(__file__).parents[2]
STEPS_PER_EPOCH = 9


@pytest.mark.slow
def test_a_run_stopped_between_checkpoints_goes_on_bit_equal(finished, tmp_path, monkeypatch):
    seen = []

    def stop_after_the_third_row(run_log, row):
        seen.append(row)
        if len(seen) == 7:
            raise KeyboardInterrupt
        original(run_log, row)

    original = RunLog.write
    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "write", stop_after_the_third_row)
        with pytest.raises(KeyboardInterrupt):
            run.train_lanes(tiny_config(), tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "interrupted"
    run.train_lanes(tiny_config(), tmp_path)
    assert_same_run(finished[0], tmp_path)


class Killed(BaseException):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("row", [2, 5])
def test_a_run_killed_in_an_epoch_goes_on_from_the_last_timed_checkpoint(finished, tmp_path, monkeypatch, caplog, row):
    """Every chunk ends with a checkpoint, also those between two rows of metrics."""
    written = itertools.count()

    def killed(run_log, values):
        if next(written) == row:
            raise Killed
        write_row(run_log, values)

    write_row, config = RunLog.write, tiny_config(train__checkpoint_seconds=1e-9)
    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "write", killed)
        with pytest.raises(Killed):
            run.train_lanes(config, tmp_path)
    kept = max(int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    assert kept % STEPS_PER_EPOCH
    with caplog.at_level("WARNING"):
        run.train_lanes(config, tmp_path)
    assert f"resuming from step {kept}" in caplog.text
    assert_same_run(finished[0], tmp_path)


@pytest.mark.slow
def test_lanes_that_stop_diverge_and_average_go_on_bit_equal_from_timed_checkpoints(tmp_path, monkeypatch):
    changes = {"optimizer__ema": 0.9, "train__epochs": 3, "train__validate_every": 5, "train__patience": 2}
    asked = [Lane(0, {}), Lane(1, {"optimizer.learning_rate": 1e38}), Lane(2, {"optimizer.learning_rate": 1e-12})]
    whole = run.train_lanes(tiny_config(**changes, optimizer__name="sgd"), tmp_path / "whole", asked)
    assert [(lane["diverged_at"], lane["stopped"]) for lane in whole["lanes"]][1:] == [(1, False), (None, True)]
    timed, save = tiny_config(**changes, optimizer__name="sgd", train__checkpoint_seconds=1e-9), Checkpoints.save
    for calls in (2, 4):
        left = itertools.count(calls, -1)

        def killed(checkpoints, *args, left=left):
            if not next(left):
                raise Killed
            save(checkpoints, *args)

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", killed)
            with pytest.raises(Killed):
                run.train_lanes(timed, tmp_path / "killed", asked)
    again = run.train_lanes(timed, tmp_path / "killed", asked)
    assert again["lanes"] == whole["lanes"]
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
def test_a_run_killed_before_its_first_validation_has_no_weights_to_evaluate(tmp_path, monkeypatch):
    config = tiny_config(train__checkpoint_seconds=1e-9)
    with monkeypatch.context() as patch:
        patch.setattr("lstm_jax.training.loop._validate", mock.Mock(side_effect=Killed))
        with pytest.raises(Killed):
            run.train_lanes(config, tmp_path)
    with pytest.raises(UserError, match="was interrupted at step 8, before its first validation"):
        load_run(tmp_path, config)


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(finished, tmp_path, caplog):
    run.train_lanes(tiny_config(), tmp_path)
    (tmp_path / "summary.json").unlink()
    for file in (tmp_path / "checkpoints" / "18").rglob("*"):
        if file.is_file():
            file.write_bytes(b"damage")
    with caplog.at_level("WARNING"):
        run.train_lanes(tiny_config(), tmp_path)
    assert "damaged" in caplog.text
    assert "resuming from step 9" in caplog.text
    assert_same_run(finished[0], tmp_path)


@pytest.mark.slow
def test_a_run_whose_checkpoints_are_all_damaged_says_so(tmp_path):
    run.train_lanes(tiny_config(train__epochs=1), tmp_path)
    (tmp_path / "summary.json").unlink()
    for file in (tmp_path / "checkpoints").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    with pytest.raises(UserError, match=r"every checkpoint in .* is damaged"):
        run.train_lanes(tiny_config(train__epochs=1), tmp_path)


def test_a_run_does_not_go_on_with_other_reviews(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "summary.json").unlink()
    facts = json.loads((tmp_path / "data.json").read_text()) | {"fingerprint": "another"}
    (tmp_path / "data.json").write_text(json.dumps(facts))
    before = (tmp_path / "tokenizer.json").stat().st_mtime_ns
    with pytest.raises(UserError, match="the reviews or their vocabulary have changed"):
        run.train_lanes(tiny_config(), tmp_path)
    assert (tmp_path / "tokenizer.json").stat().st_mtime_ns == before


@pytest.mark.long
def test_killed_at_any_moment_and_started_again_it_ends_bit_equal(finished, tmp_path):
    command = [sys.executable, "train.py", "--config=tests/training/tiny_run.py", f"--workdir={tmp_path}"]
    rng, environment = np.random.default_rng(), {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    for _ in range(2):
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.time() + 60
        while not (tmp_path / "metrics.jsonl").exists() and time.time() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert_same_run(finished[0], tmp_path)
