"""The weights that are kept after every epoch, and their evaluation."""

import errno
import json
import os
import shutil

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from lstm_jax.config import epoch_name, from_json, to_json, validate
from lstm_jax.data import corpus
from lstm_jax.errors import UserError
from lstm_jax.evaluation import epochs
from lstm_jax.evaluation.figures import evaluate_examples
from lstm_jax.evaluation.predictions import lane_probabilities
from lstm_jax.training import run
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.logging import RunLog
from lstm_jax.training.restore import load_run, shapes_of
from lstm_jax.training.workdir import Lane
from tests.helpers import assert_equal, difference
from tests.training.tiny import tiny_config

STEPS_PER_EPOCH = 9
# Two lanes, whose averaged weights are kept beside a frozen embedding.
CONFIG = tiny_config(
    ensemble=2,
    seed=5,
    model__train_embedding=False,
    optimizer__ema=0.9,
    optimizer__learning_rate=0.05,
    train__epochs=3,
    train__keep_epochs="{layer}_{hidden_size}_{learning_rate}_{seed}_epoch_{epoch}",
)
NAMES = [f"lstm_8_0.05_5_epoch_{epoch}" for epoch in (1, 2, 3)]


def folders(workdir):
    return sorted(path.name for path in (workdir / "epochs").iterdir())


def kept(workdir):
    """The weights of every epoch, read from their folders."""
    trained, checkpoints = load_run(workdir, CONFIG), Checkpoints(workdir, read_only=True)
    shapes = shapes_of(trained.config, trained.model, trained.lanes)
    weights = [checkpoints.restore_epoch(epoch_name(CONFIG, epoch), shapes) for epoch in (1, 2, 3)]
    checkpoints.finish()
    return weights


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("kept")
    return workdir, run.train_lanes(CONFIG, workdir)


@pytest.fixture(scope="module")
def trained(finished):
    run_ = load_run(finished[0], CONFIG)
    return run_, corpus.prepare(CONFIG.data, run_.tokenizer)


@pytest.mark.long
def test_every_epoch_has_a_folder_named_by_the_template(finished):
    assert folders(finished[0]) == NAMES


def as_written(folder):
    """A tree of arrays as Orbax returns it, with NamedTuples as dictionaries of their fields."""
    with ocp.PyTreeCheckpointer() as reader:
        tree = reader.metadata(folder).item_metadata.tree
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        return reader.restore(folder, restore_args=as_numpy)


@pytest.mark.slow
def test_what_is_kept_are_the_evaluated_weights_after_the_epoch(finished):
    workdir, _ = finished
    for epoch in (2, 3):  # checkpoints of earlier epochs are deleted
        state = as_written(workdir / "checkpoints" / str(STEPS_PER_EPOCH * epoch) / "state")
        own = as_written(workdir / "epochs" / NAMES[epoch - 1])
        assert_equal(own, {"params": state["average"], "frozen": state["frozen"]})
    outputs = [weights["params"]["output"]["kernel"] for weights in kept(workdir)]
    assert min(difference(outputs[0], outputs[1]), difference(outputs[1], outputs[2])) > 1e-3


@pytest.mark.long
def test_figures_of_the_best_epoch_are_those_of_the_best_weights(finished, trained):
    run_, corpora = trained
    rows = epochs.every_epoch(run_, corpora)
    assert json.loads((run_.workdir / "epochs.json").read_text()) == [row._asdict() for row in rows]
    wanted = [(epoch, lane, split) for epoch in (1, 2, 3) for split in ("train", "test") for lane in (0, 1)]
    assert [(row.epoch, row.lane, row.split) for row in rows] == wanted
    tested = evaluate_examples(run_, corpora.test, "test")
    for lane, notes in enumerate(finished[1]["lanes"]):
        for split in ("train", "test"):
            reviews = getattr(corpora, split)
            probabilities = lane_probabilities(run_, reviews)[lane]
            right = probabilities[np.arange(len(reviews.labels)), reviews.labels]
            own = [row for row in rows if (row.lane, row.split) == (lane, split)]
            best = own[notes["best_step"] // STEPS_PER_EPOCH - 1]
            assert best.accuracy == np.mean(probabilities.argmax(axis=1) == reviews.labels)
            np.testing.assert_allclose(best.loss, -np.log(right).mean(), rtol=1e-5)
            assert len({row.loss for row in own}) == 3
            assert split == "train" or best.accuracy == tested.lanes[lane]


@pytest.mark.parametrize("template", ["", "another_{epoch}"])
@pytest.mark.slow
def test_a_run_that_kept_nothing_of_that_name_says_so(trained, template):
    run_, corpora = trained
    config = from_json(to_json(CONFIG))
    config.train.keep_epochs = template
    with pytest.raises(UserError, match=r"kept no weights of its epochs; train with --config\.train\.keep_epochs="):
        epochs.every_epoch(run_._replace(config=validate(config)), corpora)


@pytest.mark.slow
def test_a_run_that_was_stopped_early_has_figures_of_the_epochs_it_made(finished, trained, tmp_path):
    run_, corpora = trained
    shutil.copytree(finished[0] / "epochs", tmp_path / "epochs")
    shutil.rmtree(tmp_path / "epochs" / NAMES[2])
    rows = epochs.every_epoch(run_._replace(workdir=tmp_path), corpora)
    assert [row.epoch for row in rows] == [1] * 4 + [2] * 4


@pytest.mark.slow
def test_damaged_weights_of_an_epoch_are_named(finished, trained, tmp_path):
    run_, corpora = trained
    shutil.copytree(finished[0] / "epochs", tmp_path / "epochs")
    for file in (tmp_path / "epochs" / NAMES[1]).rglob("*"):
        if file.is_file():
            file.write_bytes(b"damage")
    with pytest.raises(UserError, match=NAMES[1]):
        epochs.every_epoch(run_._replace(workdir=tmp_path), corpora)


@pytest.mark.long
def test_an_interrupted_run_keeps_all_epochs_in_the_end(finished, tmp_path, monkeypatch):
    def interrupted(run_log, row):
        if row["step"] > STEPS_PER_EPOCH + 4:
            raise KeyboardInterrupt
        write(run_log, row)

    write = RunLog.write
    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.train_lanes(CONFIG, tmp_path)
    assert folders(tmp_path) == NAMES[:1]
    run.train_lanes(CONFIG, tmp_path)
    assert folders(tmp_path) == NAMES
    assert_equal(kept(tmp_path), kept(finished[0]))


@pytest.mark.long
def test_an_epoch_whose_weights_could_not_be_written_is_made_again(tmp_path, monkeypatch):
    """Orbax writes in the background and raises errors at the next write, or when it is waited for."""
    config, begun = tiny_config(model__layer="rnn_tanh", train__keep_epochs="epoch_{epoch}"), []

    def wait(_):
        if begun:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def save(keeper, folder, *_, **__):
        wait(keeper)
        begun.append(folder)

    with monkeypatch.context() as patch:
        patch.setattr(ocp.StandardCheckpointer, "save", save)
        patch.setattr(ocp.StandardCheckpointer, "wait_until_finished", wait)
        with pytest.raises(OSError, match="No space left"):
            run.train_lanes(config, tmp_path)
    assert begun
    run.train_lanes(config, tmp_path)
    assert folders(tmp_path) == ["epoch_1", "epoch_2"]


@pytest.mark.long
def test_a_loss_that_is_not_finite_is_null_in_json(tmp_path, monkeypatch):
    config = tiny_config(model__layer="rnn_tanh", train__epochs=1, train__keep_epochs="epoch_{epoch}")
    run.train_lanes(config, tmp_path, [Lane(0, {}), Lane(1, {})])
    run_, evaluate = load_run(tmp_path, config), epochs.evaluate_corpus

    def overflowing(*arguments):
        sums = evaluate(*arguments)
        return sums | {"loss": np.array([sums["loss"][0], np.inf])}

    monkeypatch.setattr(epochs, "evaluate_corpus", overflowing)
    rows = epochs.every_epoch(run_, corpus.prepare(config.data, run_.tokenizer))
    assert [row.loss is not None for row in rows] == [True, False] * 2

    def refuse(name):
        pytest.fail(f"JSON knows no {name}")

    written = json.loads((tmp_path / "epochs.json").read_text(), parse_constant=refuse)
    assert [row["accuracy"] for row in written] == [row.accuracy for row in rows]
