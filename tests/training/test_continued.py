"""A run that begins where another one stopped, with the state of its optimizer."""

import shutil

import jax
import numpy as np
import optax
import pytest

from lstm_jax import config as configs
from lstm_jax.data import corpus
from lstm_jax.errors import ConfigError
from lstm_jax.training import run
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.continued import continued_state
from lstm_jax.training.experiment import experiment
from lstm_jax.training.network import classifier
from lstm_jax.training.workdir import Lane
from tests.training.tiny import tiny_config

SMALL = {"model__layer": "rnn_tanh", "model__hidden_size": 4, "train__buckets": 1, "train__epochs": 1}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The folder of a run of two lanes by Adam with a schedule."""
    path = tmp_path_factory.mktemp("before")
    config = tiny_config(ensemble=2, optimizer__schedule="cosine", **SMALL)
    run.train_lanes(config, path)
    return path


def first_state(config, lanes):
    corpora = corpus.prepare(config.data)
    loop = run.assemble(config, corpora, lanes)
    return run.first_checkpoint(loop.program, config, lanes, corpora)


def shapes_continued(config):
    """Continues a state that has only shapes, so that nothing is compiled."""
    corpora = corpus.prepare(config.data)
    functions = experiment(config, classifier(config, corpora), total_steps=9)
    state = jax.eval_shape(functions.init, 0, configs.hparams(config))
    lane = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), state)
    return continued_state(lane._replace(step=np.zeros(1)), corpora, config, 9)


def after(before, **changes):
    return tiny_config(**{**SMALL, "model__init_from": str(before), "model__init_parts": ("all",), **changes})


def test_weights_and_moments_are_those_of_the_last_step_and_the_schedule_begins_anew(before, caplog):
    caplog.set_level("INFO", "lstm_jax")
    config = after(before, optimizer__schedule="cosine", optimizer__learning_rate=0.5)
    found = first_state(config, [Lane(n, {}) for n in range(3)])
    step, theirs = Checkpoints(before, read_only=True).newest_state()
    turns = [0, 1, 0]
    state = found.state
    np.testing.assert_array_equal(state.params["embedding"], theirs["params.embedding"][turns])
    np.testing.assert_array_equal(state.params["output"]["kernel"], theirs["params.output.kernel"][turns])
    np.testing.assert_array_equal(found.best["embedding"], theirs["params.embedding"][turns])
    is_adam = lambda node: isinstance(node, optax.ScaleByAdamState)
    (adam,) = filter(is_adam, jax.tree.leaves(state.opt_state, is_leaf=is_adam))
    assert adam.count.tolist() == [step] * 3
    (name,) = (path for path in theirs if path.endswith("mu.embedding"))
    np.testing.assert_array_equal(adam.mu["embedding"], theirs[name][turns])
    assert np.abs(adam.mu["embedding"]).max() > 0
    is_schedule = lambda node: isinstance(node, optax.ScaleByScheduleState)
    (schedule,) = filter(is_schedule, jax.tree.leaves(state.opt_state, is_leaf=is_schedule))
    assert (schedule.count.tolist(), state.step.tolist()) == ([0] * 3, [0] * 3)
    np.testing.assert_array_equal(state.hparams["optimizer.learning_rate"], np.float32(0.5))
    assert f"init_from: took all weights and the state of adam after step {step} from {before}" in caplog.text
    assert f"init_from: the learning-rate schedule begins anew, over {step} steps" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer__name": "sgd"}, "whose optimizer is 'adam', and config.optimizer.name is 'sgd', which cannot use"),
        ({"data__classes": "stars"}, "whose classes are negative, positive, and those of this run are 1 star, 2 stars"),
        ({"data__seed": 3, "data__reviews": 200}, "whose vocabulary is another than that of this run's training texts"),
        (
            {"model__hidden_size": 5},
            r"where the shape of params\.layers\.cells\.0\..* is \(.*4.*\), and here it is \(.*5",
        ),
        ({"optimizer__clip_norm": 1.0}, "where the shape of opt_state"),
        ({"model__layer": "lstm"}, "whose layers are 'rnn_tanh', and config.model.layer is 'lstm'"),
    ],
)
def test_a_state_that_does_not_fit_is_told(before, changes, message):
    with pytest.raises(ConfigError, match=message):
        shapes_continued(after(before, **changes))


@pytest.mark.parametrize(("optimizer", "refused"), [("adam", False), ("schedule_free_sgd", True), ("prodigy", True)])
def test_a_schedule_within_which_an_optimizer_would_go_on_is_refused(before, optimizer, refused, tmp_path):
    config = after(tmp_path, optimizer__name=optimizer, optimizer__schedule="cosine")
    shutil.copytree(before, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "config.json").read_text().replace('"name": "adam"', f'"name": "{optimizer}"')
    (tmp_path / "config.json").write_text(text)
    if refused:
        with pytest.raises(
            ConfigError, match=r"which begins anew, but '.*' counts its steps by itself and would go on"
        ):
            shapes_continued(config)
    else:
        assert float(shapes_continued(config).opt_state[0][0].count[0]) == 9


def test_a_folder_without_checkpoints_has_no_state(before, tmp_path):
    shutil.copytree(before, tmp_path / "copy", ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(ConfigError, match="has no state of an optimizer; only a run with checkpoints has one: take"):
        shapes_continued(after(tmp_path / "copy"))
