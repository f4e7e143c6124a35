"""A study that is repeated, extended, enlarged or killed trains only what is missing, and gets the same figures."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.studies.comparison import Comparison
from lstm_jax.studies.progress import Progress
from lstm_jax.studies.search import Search, learning_rate_of
from lstm_jax.training import run
from tests.studies.helpers import LANES, no_training, rows_of, without_times
from tests.studies.tiny_study import get_config, tiny_task

ROOT = Path(__file__).parents[2]


def test_a_repeated_command_makes_nothing_and_says_so(copied, monkeypatch, caplog):
    monkeypatch.setattr(run, "train_lanes", no_training)
    before = (copied / "runs.csv").read_bytes()
    caplog.set_level("INFO")
    text = get_config().run(copied)
    assert f"all {LANES} runs of the study were finished; none was trained again" in caplog.text
    assert (copied / "runs.csv").read_bytes() == before
    assert text == (copied / "table.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_an_extended_study_makes_the_new_lanes_alone(copied, monkeypatch):
    made, train = [], run.train_lanes

    def counting(config, folder, lanes, *rest):
        made.extend((config.optimizer.name, lane.changes["optimizer.learning_rate"]) for lane in lanes)
        return train(config, folder, lanes, *rest)

    monkeypatch.setattr(run, "train_lanes", counting)
    before = {line for line in (copied / "runs.jsonl").read_text(encoding="utf-8").splitlines()}
    edges = {name: Search(points=2).at_edge(*_chosen(copied, name)) for name in ("sgd", "adam")}
    get_config().run(copied, extend=True)
    after = (copied / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert before <= set(after)
    rows = rows_of(copied)
    tried = {(row["optimizer"], float(row["learning_rate"])) for row in rows if row["stage"] == "search"}
    chosen = {(row["optimizer"], float(row["learning_rate"])) for row in rows if row["stage"] == "held_out"}
    base = {(name, rate) for name in ("sgd", "adam") for rate in _rates(name)}
    assert any(edges.values())
    assert len(tried - base) == 2 * sum(map(abs, edges.values()))
    assert set(made) <= (tried - base) | chosen
    monkeypatch.setattr(run, "train_lanes", no_training)
    get_config().run(copied)  # the extension stays part of the study


@pytest.mark.long
def test_an_interrupted_extension_is_finished_not_made_twice(copied, tmp_path, monkeypatch):
    whole = shutil.copytree(copied, tmp_path / "whole")
    get_config().run(whole, extend=True)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "train_lanes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get_config().run(copied, extend=True)
    get_config().run(copied, extend=True)
    assert without_times(copied) == without_times(whole)


def interrupt(study, folder, monkeypatch):
    """Runs a study until one of its stacks has a checkpoint."""

    def interrupted(_, step, steps):
        if step > 8:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "follow", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.run(folder)


@pytest.mark.long
def test_an_interruption_of_the_second_stage_changes_nothing(copied, finished, monkeypatch):
    lines = (copied / "runs.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder,) = copied.glob("lanes/tiny/adam/held_out-*")
    shutil.rmtree(folder)
    (copied / "runs.jsonl").write_text("".join(line for line in lines if folder.name not in line), encoding="utf-8")
    (copied / "runs.csv").unlink()

    interrupt(get_config(), copied, monkeypatch)
    assert [file.name for file in (folder / "checkpoints").iterdir()] == ["8"]
    get_config().run(copied)
    assert without_times(copied) == without_times(finished)


@pytest.mark.long
def test_an_extension_is_remembered_though_its_optimizer_is_left_out_for_once(copied):
    study = get_config()
    study.run(copied, extend=True)
    extended = without_times(copied)
    study.optimizers = ("adam",)
    study.run(copied)
    assert {row["optimizer"] for row in rows_of(copied)} == {"adam"}
    get_config().run(copied)
    assert without_times(copied) == extended


@pytest.mark.long
def test_a_study_goes_on_where_its_reviews_have_moved_to(tmp_path, monkeypatch):
    """With an interrupted stack of the first stage, and one of the second whose line the store has lost."""
    study = get_config()
    config = study.tasks["tiny"].config
    words = ("good fine great", "bad poor weak")
    rows = [{"text": f"a {words[n % 2]} film {n}", "label": 1 - n % 2} for n in range(200)]
    config.data.source, config.data.path = "files", str(tmp_path / "here.jsonl")
    Path(config.data.path).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    study.optimizers = ("sgd",)

    interrupt(study, tmp_path / "study", monkeypatch)
    config.data.path = str(shutil.move(config.data.path, tmp_path / "there.jsonl"))
    study.run(tmp_path / "study")
    before = without_times(tmp_path / "study")
    store = tmp_path / "study" / "runs.jsonl"
    lines = store.read_text(encoding="utf-8").splitlines(keepends=True)
    store.write_text("".join(line for line in lines if "/held_out-" not in line), encoding="utf-8")
    study.run(tmp_path / "study")
    assert without_times(tmp_path / "study") == before


@pytest.mark.long
def test_listed_rates_are_not_extended(tmp_path):
    study = Comparison(
        {"tiny": tiny_task()}, ("adam",), {"adam": {"learning_rate": (1e-5, 1e-2)}}, Search(), seeds=1, held_out_seeds=2
    )
    text = study.run(tmp_path, extend=True)
    assert "a better one may lie beyond; list more in the study's file" in text
    assert len(rows_of(tmp_path)) == 2 + 2


@pytest.mark.long
def test_runs_whose_folders_are_gone_are_made_again(copied):
    before = without_times(copied)
    shutil.rmtree(copied / "lanes" / "tiny" / "sgd")
    get_config().run(copied)
    assert without_times(copied) == before


def _rates(name):
    return [learning_rate_of(setting) for setting in Search(points=2).settings(OPTIMIZERS[name].space)]


def _chosen(folder, name):
    chosen = next(r for r in rows_of(folder) if r["stage"] == "held_out" and r["optimizer"] == name)
    settings = Search(points=2).settings(OPTIMIZERS[name].space)
    return next(s for s in settings if learning_rate_of(s) == float(chosen["learning_rate"])), settings


@pytest.mark.long
def test_a_larger_study_keeps_what_a_smaller_one_made(copied, monkeypatch):
    made, train = [], run.train_lanes

    def counting(config, folder, lanes, *rest):
        made.append((config.optimizer.name, len(lanes)))
        return train(config, folder, lanes, *rest)

    monkeypatch.setattr(run, "train_lanes", counting)
    study = get_config()
    study.optimizers = ("sgd", "adam", "momentum")
    study.run(copied)
    assert {name for name, _ in made} == {"momentum"}


def command(folder):
    study = ROOT / "tests" / "studies" / "tiny_study.py"
    return [sys.executable, str(ROOT / "compare.py"), f"--config={study}", f"--workdir={folder}"]


@pytest.mark.long
def test_a_killed_study_goes_on_to_the_same_figures(finished, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command(tmp_path), env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    try:
        # In mid-study: some lanes are in the store, others have a checkpoint.
        while not ((tmp_path / "runs.jsonl").exists() and list(tmp_path.glob("lanes/*/*/*/checkpoints/[0-9]*"))):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        refused = subprocess.run(command(tmp_path), env=environment, capture_output=True, text=True)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert refused.returncode == 1
    assert f"error: {tmp_path} is in use by another process" in refused.stderr
    assert not (tmp_path / "runs.csv").exists()
    again = subprocess.run(command(tmp_path), env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert without_times(tmp_path) == without_times(finished)
