"""A grid over fields: its trials, its table, and that a repeated command trains nothing again."""

import csv
import shutil

import numpy as np
import pytest

from lstm_jax.config import Config
from lstm_jax.errors import ConfigError
from lstm_jax.studies import stacks, trials
from lstm_jax.studies.grid import Grid
from lstm_jax.studies.reports import grid as report
from lstm_jax.studies.reports.grid import GridRun
from lstm_jax.training import run
from tests.studies.helpers import no_training

SIZES, RATES = (2, 3), (1e38, 0.01)


def base() -> Config:
    config = Config()
    config.data.reviews = 300
    config.model.hidden_size = config.model.embedding_size = 4
    config.train.epochs, config.train.batch_size, config.train.buckets = 2, 32, 1
    return config


def joint() -> Grid:
    return Grid(base(), {"model.hidden_size": SIZES, "optimizer.learning_rate": RATES}, seeds=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    joint().run(folder)
    return folder


def rows_of(folder):
    with (folder / "runs.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_traced_field_is_one_program():
    grid = Grid(base(), {"optimizer.learning_rate": (0.1, 0.01)}, seeds=2)
    (group,) = trials.group_by_program(grid.trials(), grid.task)
    assert [(trial.seed, *trial.changes[0]) for trial in group] == [
        (seed, "optimizer.learning_rate", rate) for rate in (0.1, 0.01) for seed in (0, 1)
    ]


def test_a_static_field_is_a_program_a_value():
    grid = Grid(base(), {"model.hidden_size": (2, 3)}, seeds=2)
    groups = trials.group_by_program(grid.trials(), grid.task)
    assert [[trial.name for trial in group] for group in groups] == [["hidden_size=2"] * 2, ["hidden_size=3"] * 2]
    assert grid.base.model.hidden_size == 4


def test_a_grid_of_several_fields_has_all_combinations():
    points = [tuple(value for _, value in point) for point in joint().points()]
    assert points == [(size, rate) for size in SIZES for rate in RATES]


@pytest.mark.parametrize(
    ("fields", "seeds", "message"),
    [
        ({"model.hiden_size": (2,)}, 1, "did you mean 'hidden_size'"),
        ({"model.hidden_size": ()}, 1, r"values of model\.hidden_size are \(\); give a tuple of at least one"),
        ({"model.hidden_size": 3}, 1, r"values of model\.hidden_size are 3; give a tuple of at least one"),
        ({"optimizer.learning_rate": (0.1, -1.0)}, 1, r"learning_rate is -1\.0; it must be at least 0"),
        ("model.hidden_size", 1, r"fields are 'model\.hidden_size'; give a dict"),
        ({}, 1, r"fields are \{\}; give a dict"),
        ({"model.hidden_size": (2,)}, 0, "the grid has 0 seeds; it needs at least 1"),
    ],
)
def test_a_bad_grid_is_refused(fields, seeds, message):
    with pytest.raises(ConfigError, match=message):
        Grid(base(), fields, seeds).trials()


def test_the_table_has_means_and_deviations():
    def made(value, seed, accuracies, diverged=None):
        rows = [
            {"epoch": epoch, "split": split, "loss": 1.0, "accuracy": accuracy}
            for epoch, accuracy in enumerate(accuracies, start=1)
            for split in ("train", "test")
        ]
        return GridRun((value,), seed, rows, diverged, [])

    by_values = {
        (0.1,): [made(0.1, 0, [0.5, 0.7]), made(0.1, 1, [0.6], diverged=2)],
        (0.2,): [made(0.2, 0, [0.25, 0.3]), made(0.2, 1, [0.25, 0.3])],
        (0.3,): [made(0.3, seed, [], diverged=1) for seed in (0, 1)],
    }
    assert report.grid_table(("optimizer.learning_rate",), by_values, 2).splitlines() == [
        "| learning rate | 0.1 | 0.2 | 0.3 |",
        "|---|---|---|---|",
        "| epoch 1 | 55.00 ± 7.07 | 25.00 ± 0.00 | diverged |",
        "| epoch 2 | 70.00 (1 of 2 diverged) | 30.00 ± 0.00 | diverged |",
    ]


@pytest.mark.slow
def test_a_grid_leaves_figures_of_every_run_and_epoch(trained):
    rows = rows_of(trained)
    finished = [row for row in rows if row["status"] == "ok"]
    assert len(finished) == 2 * 2 * 2 * 2, "sizes, seeds, epochs, splits"
    assert {(row["model.hidden_size"], row["seed"]) for row in finished} == {(s, n) for s in "23" for n in "01"}
    lost = [row for row in rows if row["status"] == "diverged"]
    assert {(row["optimizer.learning_rate"], row["epoch"]) for row in lost} == {("1e+38", "1")}
    assert len(lost) == 4
    lines = (trained / "table.md").read_text().splitlines()
    assert lines[0] == "| hidden size, learning rate | 2, 1e+38 | 2, 0.01 | 3, 1e+38 | 3, 0.01 |"
    cells = [cell.strip() for cell in lines[-1].split("|")[2:6]]
    for size, cell in (("2", cells[1]), ("3", cells[3])):
        own = [row for row in finished if (row["model.hidden_size"], row["split"], row["epoch"]) == (size, "test", "2")]
        assert cell.split(" ±")[0] == f"{100 * np.mean([float(row['accuracy']) for row in own]):.2f}"
    assert cells[0] == cells[2] == "diverged"


@pytest.mark.slow
def test_a_grid_leaves_pictures_and_weights(trained):
    assert (trained / "accuracy.png").stat().st_size > 5_000
    pictures = [(trained / f"loss-{size}, 0.01.png").read_bytes() for size in SIZES]
    assert pictures[0] != pictures[1], "the losses of each point"
    for size in SIZES:
        (folder,) = trained.glob(f"lanes/*/hidden_size={size}/grid-*")
        assert any((folder / "checkpoints").iterdir())
        assert {file.name for file in (folder / "epochs").iterdir()} == {"epoch_1", "epoch_2"}


@pytest.mark.slow
def test_a_repeated_grid_trains_nothing(trained, tmp_path, monkeypatch):
    copied = shutil.copytree(trained, tmp_path / "grid")
    monkeypatch.setattr(run, "train_lanes", no_training)
    monkeypatch.setattr(stacks, "every_epoch", no_training)
    assert joint().run(copied) == (trained / "table.md").read_text()


@pytest.mark.slow
def test_a_grid_with_more_values_trains_those_alone(trained, tmp_path, monkeypatch):
    copied = shutil.copytree(trained, tmp_path / "grid")
    made = []

    def counting(config, folder, lanes, *rest):
        made.extend((config.model.hidden_size, lane.changes["optimizer.learning_rate"]) for lane in lanes)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train_lanes", counting)
    larger = joint()
    larger.fields = {"model.hidden_size": SIZES, "optimizer.learning_rate": (*RATES, 0.1)}
    with pytest.raises(KeyboardInterrupt):
        larger.run(copied)
    assert made == [(2, 0.1), (2, 0.1)]
