"""The files of a finished study; its lanes equal single runs of train.py."""

import json

import numpy as np
import pytest
from pyarrow import parquet

from lstm_jax.studies import trials
from lstm_jax.studies.comparison import Comparison
from lstm_jax.studies.plan import HELD_OUT_FROM, Plan
from lstm_jax.studies.search import Search
from lstm_jax.training import run
from lstm_jax.training.logging import read_metrics
from tests.studies.helpers import LANES, TIMES, rows_of
from tests.studies.tiny_study import tiny_task

pytestmark = pytest.mark.long


def test_a_study_leaves_what_the_readme_says(finished):
    for name in ("runs.csv", "curves.parquet", "table.md", "table.tex", "report.html", "runs.jsonl"):
        assert (finished / name).stat().st_size > 0
    pictures = {file.stem for file in (finished / "plots").iterdir()}
    assert pictures >= {"test-accuracy", "learning-curves", "learning-rate-sensitivity", "budget"}
    assert not list(finished.glob("lanes/**/checkpoints"))


def test_runs_csv_has_a_row_a_lane(finished):
    rows = rows_of(finished)
    assert len(rows) == LANES
    assert list(rows[0]) == [
        *("task", "stage", "optimizer", "learning_rate", "seed", "status", "best_validation_accuracy", "best_step"),
        *("final_train_loss", "test_accuracy", "steps_to_target", "seconds_to_target"),
    ]
    search = [row for row in rows if row["stage"] == "search"]
    held_out = [row for row in rows if row["stage"] == "held_out"]
    assert {row["seed"] for row in search} == {"0", "1"}
    assert {row["seed"] for row in held_out} == {str(HELD_OUT_FROM + n) for n in range(4)}
    assert all(row["test_accuracy"] == "" for row in search)
    assert all(0 < float(row["test_accuracy"]) < 1 for row in held_out)
    for name in ("sgd", "adam"):
        by_rate = {}
        for row in search:
            if row["optimizer"] == name:
                by_rate.setdefault(row["learning_rate"], []).append(float(row["best_validation_accuracy"]))
        best = max(by_rate, key=lambda rate: np.mean(by_rate[rate]))
        chosen = {row["learning_rate"] for row in held_out if row["optimizer"] == name}
        assert len(by_rate) == 2
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


@pytest.mark.parametrize("number", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (9, 13))])
def test_a_lane_is_the_run_that_train_makes_of_its_config(finished, number, tmp_path):
    row = rows_of(finished)[number]
    setting = (("learning_rate", float(row["learning_rate"])),)
    task = tiny_task().config
    task.seed = int(row["seed"])
    trial = Plan("tiny", row["optimizer"], task, {}, Search(), (1, 1)).trial(setting, task.seed, trials.SEARCH)
    run.train_lanes(trials.config_of(task, trial.changes, trial.seed), tmp_path, follow=lambda *_: None)
    table = parquet.read_table(finished / "curves.parquet").to_pandas()
    own = table[
        (table.optimizer == row["optimizer"])
        & (table.seed == task.seed)
        & (table.learning_rate == setting[0][1])
        & (table.stage == row["stage"])
    ]
    alone = read_metrics(tmp_path / "metrics.jsonl")
    assert [point["step"] for point in alone] == own.step.tolist()
    np.testing.assert_allclose(own.loss, [point["loss"] for point in alone], rtol=1e-5)


@pytest.mark.long
def test_settings_that_leave_a_part_out_are_lanes_of_another_program(tmp_path):
    space = {"learning_rate": (0.01,), "model.dropout.pooled": (0.0, 0.5)}
    study = Comparison({"tiny": tiny_task()}, ("adam",), {"adam": space}, Search(), seeds=2, held_out_seeds=2)
    study.run(tmp_path)
    search = [row for row in rows_of(tmp_path) if row["stage"] == "search"]
    assert [row["model.dropout.pooled"] for row in search] == ["0.0", "0.0", "0.5", "0.5"]
    assert len(list(tmp_path.glob("lanes/tiny/adam/search-*"))) == 2


@pytest.mark.long
def test_adam_by_another_name_ties_with_adam(planted, tmp_path):
    study = Comparison({"tiny": tiny_task()}, ("adam", "planted"), search=Search(points=2), seeds=1, held_out_seeds=6)
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


@pytest.mark.long
def test_a_lane_that_diverges_is_recorded_and_the_others_go_on(tmp_path):
    task = tiny_task()
    study = Comparison(
        {"tiny": task}, ("sgd",), {"sgd": {"learning_rate": (0.1, 1e38)}}, Search(), seeds=1, held_out_seeds=2
    )
    study.run(tmp_path)
    search = [row for row in rows_of(tmp_path) if row["stage"] == "search"]
    assert [row["status"] for row in search] == ["done", "diverged"]
    assert search[1]["final_train_loss"] == ""
    assert {row["learning_rate"] for row in rows_of(tmp_path) if row["stage"] == "held_out"} == {"0.1"}


@pytest.mark.long
def test_a_target_that_no_run_reaches_is_told(tmp_path):
    study = Comparison({"tiny": tiny_task(0.999)}, ("sgd",), search=Search(points=1), seeds=1, held_out_seeds=2)
    assert "No run reached the target of 99.90% on validation (the best reached " in study.run(tmp_path)


def test_step_times_are_kept(finished):
    (times,) = json.loads((finished / "step-times.json").read_text(encoding="utf-8")).values()
    assert set(times) == {"sgd", "adam"}
    assert all(value > 0 for value in times.values())
