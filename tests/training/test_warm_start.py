"""A run that begins with the weights of another run."""

import jax
import numpy as np
import pytest

from lstm_jax.data import corpus
from lstm_jax.errors import ConfigError
from lstm_jax.training import run, warm_start
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import Lane
from tests.training.tiny import tiny_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The folder of a finished run of two lanes on two classes."""
    path = tmp_path_factory.mktemp("before")
    run.train_lanes(tiny_config(ensemble=2, train__epochs=1), path)
    return path


def state_of(config, lanes):
    """The state that a run begins with, and its vocabulary."""
    corpora = corpus.prepare(config.data)
    loop = run.assemble(config, corpora, lanes)
    return run.first_checkpoint(loop.program, config, lanes, corpora), corpora.tokenizer


@pytest.mark.parametrize("train_embedding", [True, False])
def test_layers_and_words_are_the_other_runs_and_the_head_is_new(before, train_embedding, tmp_path):
    config = tiny_config(
        data__classes="stars", data__seed=5, model__init_from=str(before), model__train_embedding=train_embedding
    )
    checkpoint, tokenizer = state_of(config, [Lane(0, {}), Lane(1, {}), Lane(2, {})])
    state, other = checkpoint.state, load_run(before, tiny_config(ensemble=2, train__epochs=1))
    turns = [0, 1, 0]
    theirs = other.variables["params"]
    jax.tree.map(
        lambda new, old: np.testing.assert_array_equal(new, np.asarray(old)[turns]),
        state.params["layers"],
        theirs["layers"],
    )
    own = (state.params if train_embedding else state.frozen)["embedding"]
    shared = [word for word in tokenizer.get_vocab() if other.tokenizer.token_to_id(word) is not None]
    assert len(shared) > 100
    for word in shared[:50]:
        old = np.asarray(theirs["embedding"])[turns, other.tokenizer.token_to_id(word)]
        np.testing.assert_array_equal(own[:, tokenizer.token_to_id(word)], old)
    assert state.params["output"]["kernel"].shape[-1] == 5
    jax.tree.map(np.testing.assert_array_equal, checkpoint.best, state.params)


def test_unknown_words_go_the_way_of_the_known_ones():
    rng = np.random.default_rng(0)
    own, turn = rng.normal(size=(1, 40, 6)), rng.normal(size=(6, 6))
    theirs = np.concatenate([own[:, 10:] @ turn, rng.normal(size=(1, 3, 6))], axis=1)
    shared = [(row, row - 10) for row in range(10, 40)]
    np.testing.assert_allclose(warm_start.mapped_embedding(own, theirs, shared), own @ turn, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__hidden_size": 9}, "whose layers are of other kinds"),
        ({"model__embedding_size": 9}, "another size"),
        ({"model__layer": "gru"}, "whose layers are 'lstm', and config.model.layer is 'gru'"),
    ],
)
def test_other_sizes_are_told(before, changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        run.train_lanes(tiny_config(model__init_from=str(before), **changes), tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"which cannot be loaded: .* holds no config\.json"):
        run.train_lanes(tiny_config(model__init_from=str(tmp_path / "nothing")), tmp_path / "new")


def test_an_interrupted_run_goes_on_from_its_own_weights(before, tmp_path, monkeypatch):
    config = tiny_config(model__init_from=str(before))
    run.train_lanes(config, tmp_path)
    (tmp_path / "summary.json").unlink()
    monkeypatch.setattr(run, "transfer", lambda *_: pytest.fail("began again"))
    assert run.train_lanes(config, tmp_path)["status"] == "done"


def test_an_optimizer_that_remembers_where_it_began_does_so_from_the_given_weights(before):
    config = tiny_config(data__seed=5, model__init_from=str(before), optimizer__name="madgrad")
    checkpoint, _ = state_of(config, [Lane(0, {}), Lane(1, {})])
    state = checkpoint.state
    remembers = lambda node: hasattr(node, "x0")
    (own,) = filter(remembers, jax.tree.leaves(state.opt_state, is_leaf=remembers))
    jax.tree.map(np.testing.assert_array_equal, own.x0, state.params)
