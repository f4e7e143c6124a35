import csv
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from lstm_jax import optimizers
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import hold
from lstm_jax.optimizers import OPTIMIZERS, Range
from lstm_jax.studies import results, stacks, statistics, trials
from lstm_jax.studies.comparison import Comparison, Task
from lstm_jax.studies.ledger import Ledger
from lstm_jax.studies.plan import FRESH_FROM
from lstm_jax.studies.search import Search
from lstm_jax.studies.trials import SEARCH, Trial
from lstm_jax.training import journal, run
from tests.studies.tiny_study import get_config, tiny_task

ROOT = Path(__file__).parents[2]
LANES = 2 * (3 * 2 + 3)
TIMES = {"seconds_to_target"}


def rows_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "runs.csv").read_text(encoding="utf-8"))))


def without_times(folder):
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows_of(folder)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    get_config().run(folder)
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "study")


def no_training(*_, **__):
    raise AssertionError("a finished run is made again")


def test_a_study_leaves_what_the_readme_says(finished):
    for name in ("runs.csv", "curves.parquet", "table.md", "table.tex", "report.html", "ledger.jsonl"):
        assert (finished / name).stat().st_size > 0
    pictures = {file.stem for file in (finished / "plots").iterdir()}
    assert pictures >= {"test-accuracy", "learning-curves", "rate-sensitivity", "budget"}
    assert not list(finished.glob("lanes/**/checkpoints"))


def test_runs_csv_has_a_row_a_lane(finished):
    rows = rows_of(finished)
    assert len(rows) == LANES
    assert list(rows[0]) == [
        *("task", "stage", "optimizer", "learning_rate", "seed", "status", "best_validation_accuracy", "best_step"),
        *("final_train_loss", "test_accuracy", "steps_to_target", "seconds_to_target"),
    ]
    search = [row for row in rows if row["stage"] == "search"]
    fresh = [row for row in rows if row["stage"] == "fresh"]
    assert {row["seed"] for row in search} == {"0", "1"}
    assert {row["seed"] for row in fresh} == {str(FRESH_FROM + n) for n in range(3)}
    assert all(row["test_accuracy"] == "" for row in search)
    assert all(0 < float(row["test_accuracy"]) < 1 for row in fresh)
    for name in ("sgd", "adam"):
        by_rate = {}
        for row in search:
            if row["optimizer"] == name:
                by_rate.setdefault(row["learning_rate"], []).append(float(row["best_validation_accuracy"]))
        best = max(by_rate, key=lambda rate: np.mean(by_rate[rate]))
        chosen = {row["learning_rate"] for row in fresh if row["optimizer"] == name}
        assert len(by_rate) == 3
        assert {np.mean(by_rate[rate]) for rate in chosen} == {np.mean(by_rate[best])}


def test_curves_hold_every_lane(finished):
    table = parquet.read_table(finished / "curves.parquet").to_pandas()
    assert len(table.groupby(["task", "stage", "optimizer", "learning_rate", "seed"])) == LANES
    assert set(table[table.split == "validation"].step) == {8, 16, 24}
    for row in rows_of(finished):
        own = table[
            (table.optimizer == row["optimizer"])
            & (table.seed == int(row["seed"]))
            & (table.learning_rate == float(row["learning_rate"]))
            & (table.split == "validation")
        ]
        reached = own[own.accuracy >= 0.5].step
        assert row["steps_to_target"] == (str(reached.min()) if len(reached) else "")


@pytest.mark.parametrize("number", [0, 9, 12])
def test_a_lane_is_the_run_that_train_makes_of_its_config(finished, number, tmp_path):
    row = rows_of(finished)[number]
    setting = (("learning_rate", float(row["learning_rate"])),)
    task = tiny_task().config
    task.seed = int(row["seed"])
    run.train(trials.config_of(task, row["optimizer"], setting), tmp_path, follow=lambda *_: None)
    table = parquet.read_table(finished / "curves.parquet").to_pandas()
    own = table[
        (table.optimizer == row["optimizer"])
        & (table.seed == task.seed)
        & (table.learning_rate == setting[0][1])
        & (table.stage == row["stage"])
    ]
    alone = journal.read(tmp_path / "metrics.jsonl")
    assert [point["step"] for point in alone] == own.step.tolist()
    np.testing.assert_allclose(own.loss, [point["loss"] for point in alone], rtol=1e-5)


def test_a_repeated_command_makes_nothing_and_says_so(copied, monkeypatch, caplog):
    monkeypatch.setattr(run, "train", no_training)
    before = (copied / "runs.csv").read_bytes()
    caplog.set_level("INFO")
    text = get_config().run(copied)
    assert f"all {LANES} runs of the study were finished; none was made again" in caplog.text
    assert (copied / "runs.csv").read_bytes() == before
    assert text == (copied / "table.md").read_text(encoding="utf-8")


def test_an_extended_study_makes_the_new_lanes_alone(copied, monkeypatch):
    made, train = [], run.train

    def counting(config, folder, lanes, *rest):
        made.extend((config.optimizer.name, lane.changes["optimizer.learning_rate"]) for lane in lanes)
        return train(config, folder, lanes, *rest)

    monkeypatch.setattr(run, "train", counting)
    before = {line for line in (copied / "ledger.jsonl").read_text(encoding="utf-8").splitlines()}
    edges = {name: Search(points=3).at_edge(*_chosen(copied, name)) for name in ("sgd", "adam")}
    get_config().run(copied, extend=True)
    after = (copied / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert before <= set(after)
    rows = rows_of(copied)
    tried = {(row["optimizer"], float(row["learning_rate"])) for row in rows if row["stage"] == "search"}
    chosen = {(row["optimizer"], float(row["learning_rate"])) for row in rows if row["stage"] == "fresh"}
    base = {(name, rate) for name in ("sgd", "adam") for rate in _rates(name)}
    assert any(edges.values())
    assert len(tried - base) == 2 * sum(map(abs, edges.values()))
    assert set(made) <= (tried - base) | chosen
    monkeypatch.setattr(run, "train", no_training)
    get_config().run(copied)  # the extension stays part of the study


def test_an_interrupted_extension_is_finished_not_made_twice(copied, tmp_path, monkeypatch):
    whole = shutil.copytree(copied, tmp_path / "whole")
    get_config().run(whole, extend=True)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get_config().run(copied, extend=True)
    get_config().run(copied, extend=True)
    assert without_times(copied) == without_times(whole)


def test_listed_rates_are_not_extended(tmp_path):
    study = Comparison(
        {"tiny": tiny_task()}, ("adam",), {"adam": {"learning_rate": (1e-5, 1e-2)}}, Search(), seeds=1, fresh_seeds=2
    )
    text = study.run(tmp_path, extend=True)
    assert "a better one may lie beyond; list more in the study's file" in text
    assert len(rows_of(tmp_path)) == 2 + 2


def test_settings_that_leave_a_part_out_are_lanes_of_another_program(tmp_path):
    space = {"learning_rate": (0.01,), "model.dropout.pooled": (0.0, 0.5)}
    study = Comparison({"tiny": tiny_task()}, ("adam",), {"adam": space}, Search(), seeds=2, fresh_seeds=2)
    study.run(tmp_path)
    search = [row for row in rows_of(tmp_path) if row["stage"] == "search"]
    assert [row["model.dropout.pooled"] for row in search] == ["0.0", "0.0", "0.5", "0.5"]
    assert len(list(tmp_path.glob("lanes/tiny/adam/search-*"))) == 2


def test_runs_whose_folders_are_gone_are_made_again(copied):
    before = without_times(copied)
    shutil.rmtree(copied / "lanes" / "tiny" / "sgd")
    get_config().run(copied)
    assert without_times(copied) == before


def _rates(name):
    return [results.rate_of(setting) for setting in Search(points=3).settings(OPTIMIZERS[name].space)]


def _chosen(folder, name):
    chosen = next(r for r in rows_of(folder) if r["stage"] == "fresh" and r["optimizer"] == name)
    settings = Search(points=3).settings(OPTIMIZERS[name].space)
    return next(s for s in settings if results.rate_of(s) == float(chosen["learning_rate"])), settings


def test_a_larger_study_keeps_what_a_smaller_one_made(copied, monkeypatch):
    made, train = [], run.train

    def counting(config, folder, lanes, *rest):
        made.append((config.optimizer.name, len(lanes)))
        return train(config, folder, lanes, *rest)

    monkeypatch.setattr(run, "train", counting)
    study = get_config()
    study.optimizers = ("sgd", "adam", "momentum")
    study.run(copied)
    assert {name for name, _ in made} == {"momentum"}


def command(folder):
    study = ROOT / "tests" / "studies" / "tiny_study.py"
    return [sys.executable, str(ROOT / "compare.py"), f"--config={study}", f"--workdir={folder}"]


def test_a_killed_study_goes_on_to_the_same_figures(finished, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command(tmp_path), env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    try:
        # In mid-study: some lanes are in the ledger, others have a checkpoint.
        while not ((tmp_path / "ledger.jsonl").exists() and list(tmp_path.glob("lanes/*/*/*/checkpoints/[0-9]*"))):
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


def test_two_studies_at_once_are_refused(tmp_path):
    with hold(tmp_path), pytest.raises(UserError, match="is in use by another process"):
        get_config().run(tmp_path)


@pytest.fixture
def planted(monkeypatch):
    own = dict(OPTIMIZERS)
    optimizers.register("planted", OPTIMIZERS["adam"].make, rate=1e-3, b1=0.9, b2=0.999, eps=1e-8)
    yield
    OPTIMIZERS.clear()
    OPTIMIZERS.update(own)


def test_adam_by_another_name_ties_with_adam(planted, tmp_path):
    study = Comparison({"tiny": tiny_task()}, ("adam", "planted"), search=Search(points=2), seeds=1, fresh_seeds=6)
    text = study.run(tmp_path)
    rows = rows_of(tmp_path)
    figures = {
        name: [
            {k: v for k, v in row.items() if k not in TIMES | {"optimizer"}} for row in rows if row["optimizer"] == name
        ]
        for name in ("adam", "planted")
    }
    assert figures["adam"] == figures["planted"]
    assert text.count("0/1/0") == 2


def test_a_lane_that_diverges_is_recorded_and_the_others_go_on(tmp_path):
    task = tiny_task()
    study = Comparison(
        {"tiny": task}, ("sgd",), {"sgd": {"learning_rate": (0.1, 1e38)}}, Search(), seeds=1, fresh_seeds=2
    )
    study.run(tmp_path)
    search = [row for row in rows_of(tmp_path) if row["stage"] == "search"]
    assert [row["status"] for row in search] == ["done", "diverged"]
    assert search[1]["final_train_loss"] == ""
    assert {row["learning_rate"] for row in rows_of(tmp_path) if row["stage"] == "fresh"} == {"0.1"}


def test_a_target_that_no_run_reaches_is_told(tmp_path):
    study = Comparison({"tiny": tiny_task(0.999)}, ("sgd",), search=Search(points=1), seeds=1, fresh_seeds=2)
    assert "No run reached the target of 99.90% on validation (the best reached " in study.run(tmp_path)


def test_too_little_disk_is_told_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    monkeypatch.setattr(run, "train", no_training)
    with pytest.raises(UserError, match="GiB free, but the checkpoints of 4 lanes of 'sgd' need"):
        get_config().run(tmp_path)


def study(**changes):
    values = {"tasks": {"tiny": tiny_task()}, "optimizers": ("sgd",), **changes}
    return Comparison(**values)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: study(tasks={}), "has no tasks or no optimizers"),
        (lambda: study(optimizers=()), "has no tasks or no optimizers"),
        (lambda: study(optimizers=("adamm",)), "names the optimizer 'adamm'; there are sgd, momentum"),
        (lambda: study(optimizers=("sgd", "sgd")), "names an optimizer twice"),
        (lambda: study(spaces={"adam": {"learning_rate": (0.1,)}}), "search space for 'adam', which is not among"),
        (lambda: study(spaces={"sgd": {}}), "the search space holds nothing"),
        (lambda: study(spaces={"sgd": {"learning_rate": (0.0,)}}), "of learning_rate holds 0.0; it must be above 0"),
        (lambda: study(spaces={"sgd": {"learning_rate": Range(0, 1)}}), "of learning_rate holds 0; it must be above 0"),
        (
            lambda: study(spaces={"sgd": {"learning_rate": (0.1,), "b1": (0.9,)}}),
            "holds 'b1', which is no hyper-parameter of it; those are learning_rate",
        ),
        (
            lambda: study(spaces={"sgd": {"learning_rate": (0.1,), "train.epochs": (1,)}}),
            "holds 'train.epochs', which is no hyper-parameter",
        ),
        (
            lambda: study(optimizers=("sgd", "adam"), spaces={"adam": {"learning_rate": (0.1,)}}),
            r"different numbers of settings \(sgd 7, adam 1\)",
        ),
        (lambda: study(tasks={"tiny": Task(tiny_task().config, 90.0)}), "target of tiny is 90.0; it is an accuracy"),
        (lambda: study(seeds=0), "has 0 seeds"),
        (lambda: study(lanes=-1), "has -1 lanes at once"),
        (lambda: study(optimizers=("adam")), "give a tuple, as \\('adam',\\)"),
        (lambda: study(fresh_seeds=1), "1 fresh ones"),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(made, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        made().run(tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_damaged_ledger_is_named_by_its_line(tmp_path):
    (tmp_path / "ledger.jsonl").write_text('{"key": "a"}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"ledger.jsonl, line 1, is damaged"):
        Ledger(tmp_path)


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


def test_keys_tell_apart_all_that_defines_a_run(planted):
    task = tiny_task().config
    base = Trial("tiny", SEARCH, "adam", (("learning_rate", 0.1),), 0)
    others = [
        base._replace(seed=1),
        base._replace(optimizer="adamw"),
        base._replace(optimizer="planted"),
        base._replace(setting=(("learning_rate", 0.2),)),
        base._replace(setting=(("learning_rate", 0.1), ("b1", 0.5))),
    ]
    changed = tiny_task().config
    changed.train.steps = 25
    keys = [trials.key(task, trial, "x") for trial in (base, *others)]
    keys += [trials.key(changed, base, "x"), trials.key(task, base, "other reviews")]
    assert len(set(keys)) == len(keys)
    assert trials.key(task, base._replace(stage="fresh", task="renamed"), "x") == keys[0]
    moved = tiny_task().config
    moved.data.source, moved.train.devices, moved.seed = "files", 1, 7
    paths = []
    for path in ("here", "/there"):
        moved.data.path = path
        paths.append(trials.key(moved, base, "x"))
    assert paths[0] == paths[1]


def test_an_optimizer_whose_rate_must_not_fall_keeps_the_warm_up_alone():
    task = tiny_task().config
    task.optimizer.schedule, task.optimizer.warmup = "one_cycle", 0.3
    rate = (("learning_rate", 0.1),)
    assert trials.config_of(task, "schedule_free_adamw", rate).optimizer.schedule == "warmup"
    assert trials.config_of(task, "adam", rate).optimizer.schedule == "one_cycle"
    task.optimizer.schedule, task.optimizer.warmup = "cosine", 0.0
    assert trials.config_of(task, "schedule_free_sgd", rate).optimizer.schedule == "constant"


def test_the_chosen_setting_is_the_best_of_those_that_did_not_diverge():
    def tried(rate, accuracies, diverged=0):
        runs = [
            results.Finished("", "diverged" if n < diverged else "done", a, 1, None, None, "", 0)
            for n, a in enumerate(accuracies)
        ]
        return results.Tried((("learning_rate", rate),), runs)

    trials_ = [tried(0.1, [0.8, 0.8]), tried(0.2, [0.9, 0.8]), tried(0.3, [0.99, 0.99], diverged=1)]
    assert results.choose(trials_) == trials_[1]
    equals = [tried(rate, [0.8]) for rate in (0.3, 0.1, 0.2)]
    assert results.choose(equals) == equals[2]


def test_a_setting_that_diverged_scores_no_better_than_the_others():
    def tried(rate, accuracy, diverged):
        status = "diverged" if diverged else "done"
        return results.Tried((("learning_rate", rate),), [results.Finished("", status, accuracy, 1, None, None, "", 0)])

    own = [tried(0.1, 0.7, False), tried(0.2, 0.9, False), tried(0.4, 0.95, True), tried(0.8, None, True)]
    entry = results.Entry("sgd", own, 0, True, own[1], [], [], statistics.Interval(0, 0, 0), [], 1.0)
    assert entry.scores() == [0.7, 0.9, 0.7, 0.0]
    assert entry.by_rate() == ([0.1, 0.2, 0.4, 0.8], [0.7, 0.9, 0.7, 0.0])


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


def test_step_times_are_kept(finished):
    (times,) = json.loads((finished / "step-times.json").read_text(encoding="utf-8")).values()
    assert set(times) == {"sgd", "adam"}
    assert all(value > 0 for value in times.values())
