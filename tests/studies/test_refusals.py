"""An invalid study is refused with a clear reason before anything is trained."""

import shutil

import pytest

from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import lock_folder
from lstm_jax.optimizers import Range
from lstm_jax.studies.comparison import Comparison, Task
from lstm_jax.studies.store import Store
from lstm_jax.training import run
from tests.studies.helpers import no_training
from tests.studies.tiny_study import get_config, tiny_task


def test_two_studies_at_once_are_refused(tmp_path):
    with lock_folder(tmp_path), pytest.raises(UserError, match="is in use by another process"):
        get_config().run(tmp_path)


def test_too_little_disk_is_told_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    monkeypatch.setattr(run, "train_lanes", no_training)
    with pytest.raises(UserError, match="GiB free, but the checkpoints of 4 lanes need"):
        get_config().run(tmp_path)


def study(**changes):
    values = {"tasks": {"tiny": tiny_task()}, "optimizers": ("sgd",), **changes}
    return Comparison(**values)


def with_momentum():
    task = tiny_task()
    task.config.optimizer.hparams["momentum"] = 0.5
    return task


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: study(tasks={}), "has no tasks or no optimizers"),
        (lambda: study(optimizers=()), "has no tasks or no optimizers"),
        (lambda: study(optimizers=("adamm",)), "names the optimizer 'adamm'; did you mean 'adam"),
        (lambda: study(optimizers=("sgd", "sgd")), "names an optimizer twice"),
        (lambda: study(spaces={"adam": {"learning_rate": (0.1,)}}), "search space for 'adam', which is not among"),
        (lambda: study(spaces={"sgd": {}}), "the search space holds nothing"),
        (lambda: study(spaces={"sgd": {"learning_rate": (0.0,)}}), "of learning_rate holds 0.0; it must be above 0"),
        (lambda: study(spaces={"sgd": {"learning_rate": Range(0, 1)}}), "of learning_rate holds 0; it must be above 0"),
        (
            lambda: study(spaces={"sgd": {"learning_rate": (0.1,), "b1": (0.9,)}}),
            "holds 'b1', which is no hyper-parameter of it; there are learning_rate",
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
        (lambda: study(optimizers=("adam")), "give a tuple, such as \\('adam',\\)"),
        (lambda: study(held_out_seeds=1), "1 held-out ones; it needs 1 to 1000, and at least 2 held-out ones"),
        (lambda: study(tasks=tiny_task()), "the study's tasks are no dict"),
        (lambda: study(tasks={"../tiny": tiny_task()}), "a task is called '../tiny'; its name is that of a folder"),
        (lambda: study(tasks={"": tiny_task()}), "a task is called ''"),
        (
            lambda: study(tasks={"tiny": with_momentum()}),
            "sets config.optimizer.hparams.momentum, which would hold for every optimizer",
        ),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(made, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        made().run(tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(("seeds", "needed"), [(5, 6), (6, None)])
def test_a_study_that_can_tell_nothing_is_told_so_at_once(seeds, needed, caplog):
    study(optimizers=("sgd", "adam"), held_out_seeds=seeds).check()
    told = (
        f"with {seeds} held-out seeds no difference can be significant among 1 pairs of optimizers; at least {needed} "
        "seeds are needed"
    )
    assert (told in caplog.text) == (needed is not None)


def test_a_damaged_store_is_named_by_its_line(tmp_path):
    (tmp_path / "runs.jsonl").write_text('{"key": "a"}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"runs.jsonl, line 1, is damaged"):
        Store(tmp_path)
