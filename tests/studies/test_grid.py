"""A grid over fields: its trials, what it refuses, its files, and that no finished run is trained again."""

import csv
import dataclasses
import os
import shutil

import numpy as np
import pytest

from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.data import corpus
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.studies import stacks, trials
from lstm_jax.studies.grid import Grid
from lstm_jax.studies.runner import Runner
from lstm_jax.training import run
from tests.studies.helpers import no_training

SIZE, RATE, POOLED = "model.hidden_size", "optimizer.learning_rate", "model.dropout.pooled"
FIELDS = {SIZE: (2, 3), RATE: (1e38, 0.01), POOLED: (0.0, 0.5)}


def base(**changes) -> Config:
    config = Config()
    config.data.reviews = 300
    config.model.hidden_size = config.model.embedding_size = 4
    config.train.epochs, config.train.batch_size, config.train.buckets = 2, 32, 1
    for path, value in changes.items():
        configs.set_field(config, path.replace("__", "."), value)
    return config


def joint(**changes) -> Grid:
    return dataclasses.replace(Grid(base(), FIELDS, seeds=2), **changes)


def groups_of(grid: Grid) -> list[list[trials.Trial]]:
    return trials.group_by_program(grid.trials(), grid.base)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    joint().run(folder)
    return folder


@pytest.fixture
def copied(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "grid")


@pytest.fixture
def made(monkeypatch):
    """The lanes of which training begins; it ends at once, as if interrupted."""
    found = []

    def train(config, folder, lanes, *rest):
        found.extend((config.model.hidden_size, lane.hparams(config)[RATE], lane.seed) for lane in lanes)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train_lanes", train)
    return found


def rows_of(folder, name="runs.csv"):
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def test_traced_fields_and_seeds_are_lanes_of_one_program():
    grid = Grid(base(), {RATE: (0.1, 0.01), "optimizer.hparams.b1": (0.5, 0.9)}, seeds=2)
    (group,) = groups_of(grid)
    assert [(trial.seed, *(value for _, value in trial.changes)) for trial in group] == [
        (seed, rate, b1) for rate in (0.1, 0.01) for b1 in (0.5, 0.9) for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("fields", "names", "lanes"),
    [
        ({SIZE: (2, 3)}, ["hidden_size=2", "hidden_size=3"], 2),
        ({SIZE: (2, 4), RATE: (0.1, 0.2, 0.3)}, ["hidden_size=2", "base"], 6),
        ({SIZE: (4,), "model.layers": (1, 2), RATE: (0.1, 0.2)}, ["base", "layers=2"], 4),
        ({POOLED: (0.0, 0.1, 0.5)}, ["base", "base"], None),
        ({"model.layer": ("lstm", "gru"), "model.bidirectional": (False, True)}, None, 2),
        ({"model.head": ((), (8,), [8, 4])}, None, 2),
        ({"model.dropout.layers": (0.1, 0.2), "model.layers": (2, 3)}, ["layers=2", "layers=3"], 4),
        ({"optimizer.name": ("sgd", "adam"), RATE: (0.1, 0.01)}, ["optimizer.name=sgd", "base"], 4),
        ({"data.reviews": (200, 300), "data.seed": (0, 1)}, None, 2),
        ({"train.epochs": (1, 2)}, ["epochs=1", "base"], 2),
        ({"train.steps": (3, 5), "train.batch_size": (16, 32)}, None, 2),
        ({"objectives.adversarial.weight": (0.0, 0.5, 1.0)}, ["base", "base"], None),
        ({RATE: np.geomspace(0.001, 0.1, 3), SIZE: np.array([2, 3])}, ["hidden_size=2", "hidden_size=3"], 6),
    ],
)
def test_every_combination_is_a_program_of_its_static_values(fields, names, lanes):
    groups = groups_of(Grid(base(), fields, seeds=2))
    assert names is None or [group[0].name for group in groups] == names
    assert lanes is None or {len(group) for group in groups} == {lanes}
    assert sum(map(len, groups)) == 2 * np.prod([len(values) for values in fields.values()])


def test_names_of_folders_are_never_too_long():
    name = "x" * 300
    (group, *_) = groups_of(Grid(base(), {"data.subset": ("",), "data.category": (name, f"{name}y")}))
    folder = f"{group[0].name}"
    assert len(os.fsencode(folder)) < 200


@pytest.mark.parametrize(
    ("fields", "changes", "message"),
    [
        ({"model.hiden_size": (2,)}, {}, "did you mean 'hidden_size'"),
        ({SIZE: ()}, {}, r"values of model\.hidden_size are \(\); give a tuple of at least one"),
        ({SIZE: 3}, {}, r"values of model\.hidden_size are 3; give a tuple of at least one"),
        ({"model.layer": "gru"}, {}, "values of model.layer are 'gru'; give a tuple"),
        ({RATE: (0.1, -1.0)}, {}, r"combination learning rate -1: config\.optimizer\.learning_rate is -1\.0; it must"),
        ({RATE: (float("nan"),)}, {}, "combination learning rate nan: "),
        ({RATE: ("0.1",)}, {}, "combination learning rate 0.1: config.optimizer.learning_rate is '0.1' of type str"),
        ({SIZE: (2, None)}, {}, "combination hidden size None: config.model.hidden_size is None"),
        ("model.hidden_size", {}, r"fields are 'model\.hidden_size'; give a dict"),
        ({}, {}, r"fields are \{\}; give a dict"),
        ({SIZE: (2,)}, {"seeds": 0}, "the grid has 0 seeds; it needs at least 1"),
        ({SIZE: (2,)}, {"lanes": -1}, "the grid has -1 lanes at once"),
        ({SIZE: (2,)}, {"base": "imdb"}, "the grid's base is 'imdb'; give a Config"),
        ({SIZE: (2,)}, {"base": base(ensemble=3)}, "base has config.ensemble 3, but each run of a grid is a single"),
        ({SIZE: (2,)}, {"base": base(seed=2**32 - 1), "seeds": 2}, "2 seeds from 4294967295 on"),
        ({SIZE: (2, 3, 2)}, {}, "values of model.hidden_size hold 2 twice"),
        ({RATE: (1, 1.0)}, {}, "values of optimizer.learning_rate hold 1 twice"),
        ({"model.head": ([8], (8,))}, {}, r"values of model.head hold \(8,\) twice"),
        ({"seed": (0, 1)}, {}, r"cannot vary config.seed: Grid\(seeds=…\) says how many"),
        ({"ensemble": (1, 2)}, {}, "cannot vary config.ensemble: each run of a grid is a single network"),
        ({"train.keep_epochs": ("a_{epoch}",)}, {}, "cannot vary config.train.keep_epochs: set it in the base"),
        ({"train.log_every": (1, 2)}, {}, "cannot vary config.train.log_every, which does not define a run"),
        ({"model": (2,)}, {}, "config.model is a group of fields"),
        ({"optimizer.hparams": (2,)}, {}, "config.optimizer.hparams is a mapping"),
        (
            {"optimizer.name": ("adam", "sgd"), "optimizer.hparams.b1": (0.9,)},
            {},
            "combination optimizer.name sgd, b1 0.9: config.optimizer.hparams of 'sgd' has no hyper-parameter 'b1'",
        ),
        (
            {"model.segment": (0, 50), "model.pooling": ("max", "last")},
            {},
            "combination segment 50, pooling last: config.model.pooling is 'last'; with config.model.segment",
        ),
        (
            {"train.steps": (0, 5)},
            {"base": base(train__keep_epochs="epoch_{epoch}")},
            "combination steps 5: config.train.keep_epochs keeps the weights validated after each epoch",
        ),
    ],
)
def test_a_bad_grid_is_refused(fields, changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        Grid(**{"base": base(), "fields": fields, **changes}).run(tmp_path / "grid")
    assert not (tmp_path / "grid").exists()


def test_a_network_that_does_not_fit_its_data_is_refused_before_anything_is_trained(tmp_path, made):
    with pytest.raises(ConfigError, match=r"combination embedding rows 5: config\.model\.embedding_rows is 5"):
        Grid(base(), {"model.embedding_rows": (0, 5)}).run(tmp_path)
    files = {"data.source": ("files",), "data.path": (str(tmp_path / "nothing"),)}
    with pytest.raises(UserError, match=r"combination data\.source files, data\.path .*nothing"):
        Grid(base(), files).run(tmp_path)
    assert not made


def test_a_field_at_the_value_of_the_base_is_the_same_run(tmp_path):
    values = {
        **{"optimizer.hparams.b1": (0.5, 0.9), POOLED: (0, 0.5), "model.head": ((), (2,)), SIZE: (4, 5)},
        **{"objectives.adversarial.weight": (0.0, 1.0), "data.reviews": (300, 310), "optimizer.name": ("sgd", "adam")},
    }
    runner = Runner({"grid": base()}, tmp_path)
    known = {runner.key(trial) for trial in Grid(base(), {RATE: (0.001, 0.1)}).trials()}
    for path, each in values.items():
        keys = [runner.key(trial) for trial in Grid(base(), {path: each, RATE: (0.001, 0.1)}).trials()]
        assert len(set(keys)) == 4
        assert len(known & set(keys)) == 2, path


def test_combinations_that_say_the_same_are_trained_once(tmp_path, made):
    fields = {"objectives.adversarial.weight": (0.0,), "objectives.adversarial.epsilon": (1.0, 2.0)}
    with pytest.raises(KeyboardInterrupt):
        Grid(base(), fields, seeds=2).run(tmp_path)
    assert [seed for *_, seed in made] == [0, 1]


@pytest.mark.parametrize(
    ("further", "lanes"),
    [({"optimizer.hparams.b1": (0.9,)}, 0), ({"optimizer.hparams.b1": (0.9, 0.5)}, 2), ({"model.layers": (1, 2)}, 0)],
)
def test_an_interrupted_stack_goes_on_where_the_grid_got_a_further_field(further, lanes, tmp_path, monkeypatch):
    """The folder, its config and its lanes are the same, though the values of the base are spelled out now."""
    claimed, train = [], run.train_lanes

    def begin(config, folder, own, corpora, follow):
        claimed.append(folder)
        if len(claimed) == 2:  # the workdir accepts the config and lanes that it has
            with run.Workdir(folder, config, own):
                raise KeyboardInterrupt
        return train(config, folder, own, corpora, interrupt)

    def interrupt(step, total):
        if step > total / 2:  # A folder without a checkpoint would be made anew.
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "train_lanes", begin)
    for fields in ({RATE: (0.1,)}, {RATE: (0.1,), **further}):
        with pytest.raises(KeyboardInterrupt):
            Grid(base(), fields, seeds=2, lanes=lanes).run(tmp_path)
    assert claimed[0] == claimed[1]
    assert (claimed[0] / "config.json").exists()


def test_runs_of_other_values_do_not_change_what_an_interrupted_stack_is(tmp_path, monkeypatch):
    claimed = []
    monkeypatch.setattr(run, "train_lanes", lambda config, folder, *_: claimed.append((folder, config)) or 1 / 0)
    for rates in ((0.1, 0.2), (0.1,)):
        with pytest.raises(ZeroDivisionError):
            Grid(base(), {RATE: rates}, seeds=2, lanes=2).run(tmp_path)
    (first, config), (second, other) = claimed
    assert first == second
    assert config.optimizer.learning_rate == other.optimizer.learning_rate == 0.1


@pytest.mark.long
def test_a_grid_leaves_figures_of_every_run(trained):
    rows = rows_of(trained)
    assert len(rows) == 2 * 2 * 2 * 2
    lost = [row for row in rows if row["status"] == "diverged"]
    assert {(row[RATE], row["diverged_at"]) for row in lost} == {("1e+38", "1")}
    assert len(lost) == 8
    done = [row for row in rows if row["status"] == "done"]
    assert all(0 < float(row["test_accuracy"]) < 1 for row in done)
    assert len({row["parameters"] for row in rows}) == 2
    text = (trained / "table.md").read_text()
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert lines[0][1:5] == ["hidden size", "learning rate", "dropout.pooled", "validation"]
    settings = {}
    for row in done:
        settings.setdefault((row[SIZE], row[POOLED]), []).append(float(row["best_validation_accuracy"]))
    size, pooled = max(settings, key=lambda each: np.mean(settings[each]))
    best = np.mean(settings[size, pooled])
    assert lines[1][4].startswith(f"{100 * best:.2f} ± ")
    assert [line[4] for line in lines[5:]] == ["diverged"] * 4
    assert f"--config.model.hidden_size={lines[1][1]} --config.optimizer.learning_rate=0.01 " in text
    assert "hidden size 2, learning rate 1e+38, dropout.pooled 0 diverged with 2 of 2 seeds: 0 at step 1" in text


@pytest.mark.long
@pytest.mark.parametrize("validate_every", [1, 0])
def test_a_grid_of_which_every_run_diverges_early_ends_and_is_not_trained_again(tmp_path, validate_every, caplog):
    """With two validations the first is in the chunk that diverges; with one no checkpoint was due before it."""
    lost = base()
    lost.train.validate_every, lost.train.steps_per_call = validate_every, 1
    grid = Grid(lost, {RATE: (1e38, 2e38)}, lanes=2)
    text = grid.run(tmp_path)
    assert "No run reached a validation before it diverged" in text
    with caplog.at_level("INFO"):
        assert grid.run(tmp_path) == text
    assert "none was trained again" in caplog.text


@pytest.mark.slow
def test_a_grid_leaves_a_picture_and_a_page_but_no_weights(trained):
    assert (trained / "plots" / "validation-accuracy.png").stat().st_size > 5_000
    assert "data:image/png" in (trained / "report.html").read_text()
    assert len(list(trained.glob("lanes/grid/hidden_size=*/grid-*"))) == 4, "dropout 0 leaves a part out"
    assert not list(trained.glob("lanes/**/checkpoints"))
    assert not (trained / "epochs.csv").exists()


@pytest.mark.slow
def test_a_repeated_grid_trains_nothing_and_fewer_values_are_shown_alone(copied, monkeypatch, caplog):
    table = (copied / "table.md").read_text()
    monkeypatch.setattr(run, "train_lanes", no_training)
    caplog.set_level("INFO")
    assert joint().run(copied) == table
    assert "all 16 runs of the grid were finished; none was trained again" in caplog.text
    fewer = joint(fields={POOLED: (0.5,), SIZE: (2, 3), RATE: (0.01,)}, seeds=1)
    text = fewer.run(copied)
    assert "| rank | dropout.pooled | hidden size | learning rate |" in text
    assert len(rows_of(copied)) == 2
    assert "diverged" not in text


@pytest.mark.slow
def test_a_grid_with_more_values_or_fields_trains_those_alone(copied, made):
    for fields, seeds, wanted in (
        ({**FIELDS, RATE: (*FIELDS[RATE], 0.1)}, 2, [(2, 0.1, 0), (2, 0.1, 1)]),
        (FIELDS, 3, [(2, 1e38, 2), (2, 0.01, 2)]),
        ({**FIELDS, "model.layers": (1, 2)}, 2, [(2, rate, seed) for rate in FIELDS[RATE] for seed in (0, 1)]),
    ):
        made.clear()
        with pytest.raises(KeyboardInterrupt):
            joint(fields=fields, seeds=seeds).run(copied)
        assert made == wanted


@pytest.mark.long
def test_an_interrupted_grid_ends_as_if_it_had_not_been(trained, tmp_path, monkeypatch):
    train, count = run.train_lanes, []

    def killed(config, folder, lanes, corpora, follow):
        count.append(folder)
        steps = []

        def limited(step, total):
            steps.append(step)
            if len(count) == 2 and step >= total / 2:
                raise KeyboardInterrupt
            follow(step, total)

        return train(config, folder, lanes, corpora, limited)

    monkeypatch.setattr(run, "train_lanes", killed)
    with pytest.raises(KeyboardInterrupt):
        joint().run(tmp_path)
    assert not (tmp_path / "table.md").exists()
    joint().run(tmp_path)
    assert count.count(count[1]) == 2
    assert len(count) == 5
    without = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(each)] for each in (trained, tmp_path)
    ]
    assert without[0] == without[1]


@pytest.mark.long
def test_epochs_that_the_base_keeps_are_evaluated_and_their_weights_kept(tmp_path, monkeypatch):
    grid = Grid(base(train__keep_epochs="epoch_{epoch}"), {SIZE: (2, 3)}, seeds=2)
    text = grid.run(tmp_path)
    rows = rows_of(tmp_path, "epochs.csv")
    assert len(rows) == 2 * 2 * 2 * 2, "sizes, seeds, epochs, splits"
    lines = text.splitlines()
    assert lines[-4] == "| hidden size | 2 | 3 |"
    own = [float(row["accuracy"]) for row in rows if (row[SIZE], row["split"], row["epoch"]) == ("2", "test", "2")]
    assert lines[-1].startswith(f"| epoch 2 | {100 * np.mean(own):.2f} ± ")
    pictures = {file.name for file in tmp_path.glob("*.png")}
    assert pictures == {"accuracy.png", "loss-2.png", "loss-3.png"}
    best = {(row[SIZE], row["seed"]): row for row in rows_of(tmp_path)}
    for row in rows:
        run_of = best[row[SIZE], row["seed"]]
        if row["split"] == "test" and int(row["epoch"]) * 6 == int(run_of["best_step"]):
            assert float(row["accuracy"]) == pytest.approx(float(run_of["test_accuracy"]))
    for size in (2, 3):
        (folder,) = tmp_path.glob(f"lanes/*/hidden_size={size}/grid-*")
        assert any((folder / "checkpoints").iterdir())
        assert {file.name for file in (folder / "epochs").iterdir()} == {"epoch_1", "epoch_2"}
    monkeypatch.setattr(run, "train_lanes", no_training)
    monkeypatch.setattr(stacks, "every_epoch", no_training)
    assert grid.run(tmp_path) == text


@pytest.mark.long
def test_data_may_differ_between_programs(tmp_path):
    fields = {"data.reviews": (200, 300), "train.steps": (2, 3), "model.head": ((), (3,))}
    Grid(base(), fields).run(tmp_path)
    assert [(row["data.reviews"], row["train.steps"], row["model.head"]) for row in rows_of(tmp_path)] == [
        (reviews, steps, head) for reviews in ("200", "300") for steps in "23" for head in ("()", "(3,)")
    ]
    sizes = {len(corpus.prepare(base(data__reviews=count).data).train.labels) for count in (200, 300)}
    assert len(sizes) == 2
