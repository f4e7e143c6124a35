"""A run that begins with the weights of another run, or of a file."""

import importlib.util

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from lstm_jax.data import corpus
from lstm_jax.errors import ConfigError
from lstm_jax.export import export
from lstm_jax.training import run, warm_start
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import Lane, evaluation_config
from tests.helpers import assert_equal, random
from tests.training.tiny import tiny_config

pytestmark = pytest.mark.long


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


def module_file(path, rows=None, **changes):
    """A file with an embedding of some rows and an LSTM of the tiny config's sizes; returns its tensors."""
    shapes = {"emb.weight": (rows, 8), "rnn.weight_ih_l0": (32, 8), "rnn.weight_hh_l0": (32, 8), "fc.bias": (2,)}
    shapes |= {"rnn.bias_ih_l0": (32,), "rnn.bias_hh_l0": (32,)} | changes
    tensors = {name: random(n, *shape) for n, (name, shape) in enumerate(shapes.items()) if shape and shape[0]}
    save_file(tensors, path)
    return tensors


@pytest.mark.parametrize("train_embedding", [True, False])
def test_a_file_of_as_many_rows_as_tokens_gives_them_in_their_order(train_embedding, tmp_path, caplog):
    caplog.set_level("INFO", "lstm_jax")
    file = tmp_path / "w.safetensors"
    config = tiny_config(model__init_from=str(file), model__train_embedding=train_embedding)
    words = corpus.prepare(config.data).tokenizer.get_vocab_size()
    tensors = module_file(file, words)
    checkpoint, _ = state_of(config, [Lane(0, {}), Lane(1, {})])
    state = checkpoint.state
    for lane in (0, 1):
        own = (state.params if train_embedding else state.frozen)["embedding"][lane]
        np.testing.assert_array_equal(own, tensors["emb.weight"])
        cell = jax.tree.map(lambda leaf, lane=lane: leaf[lane], state.params["layers"]["cells"][0])
        np.testing.assert_array_equal(cell.recurrent_kernel, tensors["rnn.weight_hh_l0"].T)
    assert len({leaf.tobytes() for leaf in np.asarray(state.params["output"]["kernel"])}) == 2
    lines = [message for message in caplog.messages if message.startswith("init_from")]
    assert lines == [
        f"init_from: took embedding ({words:,} rows) from emb.weight",
        "init_from: took layers.0.forward (4 tensors) from rnn.*_l0",
        "init_from: rows of the embedding are taken in their order, since no tokenizer.json lies beside the file",
        "init_from: not used: fc.bias",
        "init_from: left newly initialised: output",
    ]


def test_a_file_of_other_rows_gives_its_layers_alone_and_says_so(tmp_path, caplog):
    caplog.set_level("INFO", "lstm_jax")
    module_file(tmp_path / "w.safetensors", 7)
    fresh = state_of(tiny_config(), [Lane(0, {})])[0].state
    state = state_of(tiny_config(model__init_from=str(tmp_path / "w.safetensors")), [Lane(0, {})])[0].state
    np.testing.assert_array_equal(state.params["embedding"], fresh.params["embedding"])
    assert "init_from: took no embedding: emb.weight has 7 rows, the vocabulary" in caplog.text
    assert "init_from: left newly initialised: embedding, output" in caplog.text


def test_rows_are_matched_by_the_tokens_of_a_tokenizer_beside_the_file(tmp_path, caplog):
    caplog.set_level("INFO", "lstm_jax")
    config = tiny_config(model__init_from=str(tmp_path / "w.safetensors"))
    own = corpus.prepare(config.data).tokenizer
    theirs = dict(zip(reversed(own.get_vocab()), range(own.get_vocab_size()), strict=True))
    Tokenizer(WordLevel({**theirs, "[UNK]": theirs["[UNK]"]}, "[UNK]")).save(str(tmp_path / "tokenizer.json"))
    tensors = module_file(tmp_path / "w.safetensors", len(theirs) + 3)  # Tables are often padded.
    table = state_of(config, [Lane(0, {})])[0].state.params["embedding"][0]
    for token, row in list(own.get_vocab().items())[:50]:
        np.testing.assert_array_equal(table[row], tensors["emb.weight"][theirs[token]])
    assert f"matched by the tokens in {tmp_path / 'tokenizer.json'}" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rnn.weight_ih_l0": (), "rnn.weight_hh_l0": (), "rnn.bias_ih_l0": (), "rnn.bias_hh_l0": ()},
            "nothing can be",
        ),
        ({"rnn.weight_ih_l0": (), "rnn.weight_hh_l0": ()}, r"rnn\.\*_l0 lacks weight_ih"),
        ({"rnn.weight_hh_l0": (32, 16)}, "have sizes that do not fit together"),
    ],
)
def test_a_file_without_anything_that_fits_is_told(changes, message, tmp_path):
    module_file(tmp_path / "w.safetensors", 7, **changes)
    config = tiny_config(model__init_from=str(tmp_path / "w.safetensors"))
    with pytest.raises(ConfigError, match=rf"config\.model\.init_from is '.*w\.safetensors': .*{message}"):
        run.train_lanes(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


STACKED = {"model__layers": 2, "model__residual": True, "model__bidirectional": True}


@pytest.mark.parametrize("changes", [{}, {"model__layer": "gru", "model__layers": 2}, STACKED])
def test_an_exported_run_gives_back_what_it_learned(changes, tmp_path):
    config = tiny_config(train__epochs=1, **changes)
    run.train_lanes(config, tmp_path / "run")
    trained = load_run(tmp_path / "run", evaluation_config(tmp_path / "run"))
    formats = ["safetensors", "torch"] if importlib.util.find_spec("torch") else ["safetensors"]
    files = export(trained, formats, tmp_path / "export")
    for place in (tmp_path / "export", *(file for file in files if file.suffix in (".safetensors", ".pt"))):
        state = state_of(tiny_config(data__seed=3, model__init_from=str(place), **changes), [Lane(7, {})])[0].state
        assert_equal(state.params["layers"], trained.variables["params"]["layers"])
        same = np.asarray(trained.variables["params"]["embedding"])[0]
        assert (np.asarray(state.params["embedding"])[0][:, None] == same[None]).all(axis=-1).any(axis=1).mean() > 0.5
    for place in files:
        if place.suffix in (".safetensors", ".pt"):
            with pytest.raises(ConfigError, match=r"set config\.model\.hidden_size=8$"):
                state_of(tiny_config(model__init_from=str(place), model__hidden_size=9, **changes), [Lane(7, {})])


def test_the_head_is_taken_too_if_the_classes_are_the_same(before, tmp_path):
    other = load_run(before, tiny_config(ensemble=2, train__epochs=1))
    parts = {"model__init_from": str(before), "model__init_parts": ("embedding", "layers", "head")}
    state = state_of(tiny_config(data__seed=5, **parts), [Lane(0, {})])[0].state
    assert_equal(state.params["output"], jax.tree.map(lambda leaf: leaf[:1], other.variables["params"]["output"]))
    alone = {**parts, "model__init_parts": ("head",), "model__embedding_size": 9}
    state = state_of(tiny_config(**alone), [Lane(0, {})])[0].state
    assert_equal(state.params["output"], jax.tree.map(lambda leaf: leaf[:1], other.variables["params"]["output"]))
    for changes, message in (
        ({"data__classes": "stars"}, "whose classes are negative, positive, and those of this run are 1 star, 2 stars"),
        ({"model__head": (3,)}, "whose head has other parts or sizes; set config.model as it is there"),
        ({"model__wide": 8}, "whose vocabulary differs or is not known, so the rows of its linear part"),
    ):
        with pytest.raises(ConfigError, match=message):
            state_of(tiny_config(data__seed=5, **{**parts, **changes}), [Lane(0, {})])


def test_the_head_of_an_exported_file(before, tmp_path):
    export(load_run(before, evaluation_config(before)), ["safetensors"], tmp_path)
    parts = {"model__init_from": str(tmp_path / "model-lane1.safetensors"), "model__init_parts": ("head",)}
    other = load_run(before, tiny_config(ensemble=2, train__epochs=1))
    state = state_of(tiny_config(**parts), [Lane(0, {})])[0].state
    assert_equal(state.params["output"], jax.tree.map(lambda leaf: leaf[1:], other.variables["params"]["output"]))
    with pytest.raises(ConfigError, match="whose classes are negative, positive, and those of this run are 1 star"):
        state_of(tiny_config(data__classes="stars", **parts), [Lane(0, {})])
    module_file(tmp_path / "w.safetensors", 7)
    config = tiny_config(**{**parts, "model__init_from": str(tmp_path / "w.safetensors")})
    with pytest.raises(ConfigError, match=r"head has output\.bias of the shape \[2\], but the file has no such tensor"):
        state_of(config, [Lane(0, {})])
