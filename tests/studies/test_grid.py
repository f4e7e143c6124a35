"""A grid over one field: its lanes, its table, and that a repeated command trains nothing again."""

import csv

import numpy as np
import pytest

from lstm_jax.config import Config
from lstm_jax.errors import ConfigError
from lstm_jax.evaluation.epochs import EpochFigures
from lstm_jax.studies import arms
from lstm_jax.studies.grid import Grid, Outcome
from lstm_jax.training.workdir import Lane


def base(**train) -> Config:
    config = Config()
    config.data.reviews = 300
    config.model.hidden_size = config.model.embedding_size = 4
    config.train.epochs, config.train.batch_size, config.train.buckets = 2, 32, 1
    config.train.keep_epochs = "epoch_{epoch}"
    return config


def test_a_traced_field_is_one_stack_of_lanes():
    (stack,) = Grid(base(), "optimizer.learning_rate", (0.1, 0.01), seeds=2).arms()
    rates = [(lane.seed, lane.changes["optimizer.learning_rate"]) for lane in stack.lanes]
    assert rates == [(0, 0.1), (1, 0.1), (0, 0.01), (1, 0.01)]


def test_a_static_field_is_a_stack_a_value():
    grid = Grid(base(), "model.hidden_size", (2, 3), seeds=2)
    assert [arm.config.model.hidden_size for arm in grid.arms()] == [2, 3]
    assert [arm.lanes for arm in grid.arms()] == [(Lane(0, {}), Lane(1, {}))] * 2
    assert grid.base.model.hidden_size == 4


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("model.hiden_size", (2,), "did you mean 'hidden_size'"),
        ("model.hidden_size", (), "has no values"),
        ("optimizer.learning_rate", (0.1, -1.0), r"config\.optimizer\.learning_rate is -1\.0; it must be at least 0"),
    ],
)
def test_a_bad_grid_is_told(field, values, message):
    with pytest.raises(ConfigError, match=message):
        Grid(base(), field, values).arms()


def test_the_table_has_means_and_deviations():
    found = {
        0.1: Outcome(
            [EpochFigures(1, lane, "test", 1.0, accuracy) for lane, accuracy in enumerate((0.5, 0.6))], {1: 2}
        ),
        0.2: Outcome([EpochFigures(1, lane, split, 1.0, 0.25) for lane in (2, 3) for split in ("test", "train")], {}),
        0.3: Outcome([], {0: 1, 1: 1}),
    }
    found[0.1].rows.append(EpochFigures(2, 0, "test", 1.0, 0.7))
    found[0.2].rows.extend(EpochFigures(2, lane, "test", 1.0, 0.3) for lane in (2, 3))
    table = Grid(base(), "optimizer.learning_rate", (0.1, 0.2, 0.3), seeds=2).table(found)
    assert table.splitlines()[2:] == [
        "| epoch 1 | 55.00 ± 7.07 | 25.00 ± 0.00 | diverged |",
        "| epoch 2 | 70.00 (1 of 2 diverged) | 30.00 ± 0.00 | diverged |",
    ]


@pytest.mark.parametrize(
    ("field", "values"), [("optimizer.learning_rate", (1e38, 0.01)), ("model.hidden_size", (2, 3))]
)
def test_what_diverges_is_told_and_the_rest_goes_on(field, values, tmp_path):
    config = base()
    if field == "model.hidden_size":
        config.optimizer.learning_rate = 1e38
    table = Grid(config, field, values, seeds=1).run(tmp_path)
    first, second = (line.split("|")[2:4] for line in table.splitlines()[2:])
    assert [first[0].strip(), second[0].strip()] == ["diverged"] * 2
    assert (first[1].strip() == "diverged") == (field == "model.hidden_size")
    with (tmp_path / "runs.csv").open() as file:
        lost = [(float(row[field]), row["epoch"]) for row in csv.DictReader(file) if row["status"] == "diverged"]
    assert lost == [(value, "1") for value in values[: 2 if field == "model.hidden_size" else 1]]
    assert Grid(config, field, values, seeds=1).run(tmp_path) == table


@pytest.mark.parametrize(("field", "values"), [("optimizer.learning_rate", (0.1, 0.01)), ("model.hidden_size", (2, 3))])
def test_a_study_is_made_once(field, values, tmp_path, monkeypatch):
    grid = Grid(base(), field, values, seeds=2)
    table = grid.run(tmp_path)
    with (tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    # Two values, seeds, epochs and parts each.
    assert len(rows) == 16
    assert {(float(row[field]), row["seed"]) for row in rows} == {(float(v), s) for v in values for s in "01"}
    test_rows = [row for row in rows if row["split"] == "test" and row["epoch"] == "2"]
    means = [100 * np.mean([float(r["accuracy"]) for r in test_rows if float(r[field]) == v]) for v in values]
    assert [cell.split(" ±")[0].strip() for cell in table.splitlines()[-1].split("|")[2:4]] == [
        f"{m:.2f}" for m in means
    ]
    assert (tmp_path / "accuracy.png").stat().st_size > 5_000
    pictures = [(tmp_path / f"loss-{value}.png").read_bytes() for value in values]
    assert pictures[0] != pictures[1], "each value's own losses"

    monkeypatch.setattr(arms.run, "_train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(arms.epochs, "every_epoch", lambda *_: pytest.fail("evaluated again"))
    assert grid.run(tmp_path) == table
