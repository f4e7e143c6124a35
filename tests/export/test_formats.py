"""Every format is loaded by a runtime of its own, without lstm_jax, and gives the probabilities of the run."""

import jax.numpy as jnp
import numpy as np
import onnx
import pytest

from lstm_jax import cells
from lstm_jax.config import ModelConfig
from lstm_jax.data import flat_corpus
from lstm_jax.errors import ConfigError
from lstm_jax.evaluation.predictions import probabilities
from lstm_jax.export import export
from lstm_jax.export.onnx import onnx_files
from lstm_jax.export.plain import check_plain
from lstm_jax.layers import pooling
from lstm_jax.registry import CELLS, POOLINGS
from tests.export.helpers import isolated, padded, ragged, run_with_random_weights

LONGEST = 30
# Each predicts all examples at once, and the first, of one token, by itself: T = B = 1.
RUNTIMES = {
    "torch": """
import numpy as np, sys, torch
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    for name in ("model", "parts"):
        sys.modules.pop(name, None)
    from model import read_model
    given, model = np.load(folder + "/given.npz"), read_model()
    with torch.no_grad():
        found = [model(given["tokens"][:n, :n], given["lengths"][:n]).numpy() for n in (None, 1)]
    np.savez(folder + "/found.npz", *found)
    sys.path.remove(folder)
""",
    "onnx": """
import numpy as np, sys, onnxruntime
for folder in sys.argv[1:]:
    given = np.load(folder + "/given.npz")
    session = onnxruntime.InferenceSession(folder + "/model.onnx")
    found = [session.run(None, {"tokens": given["tokens"][:n, :n], "lengths": given["lengths"][:n]})[0]
        for n in (None, 1)]
    np.savez(folder + "/found.npz", *found)
""",
    "stablehlo": """
import numpy as np, sys
from pathlib import Path
from jax import export
for folder in sys.argv[1:]:
    given = np.load(folder + "/given.npz")
    program = export.deserialize(bytearray(Path(folder, "model.stablehlo").read_bytes()))
    assert program.platforms == ("cpu", "cuda", "tpu")
    found = [program.call(given["tokens"][:n, :n], given["lengths"][:n]) for n in (None, 1)]
    np.savez(folder + "/found.npz", *found)
""",
}
WITHOUT = {"torch": ("lstm_jax", "jax", "flax"), "onnx": ("lstm_jax", "jax", "flax"), "stablehlo": ("lstm_jax", "flax")}
NETWORKS = {
    "lstm": {},
    "gru": {"model__layer": "gru"},
    "rnn_tanh": {"model__layer": "rnn_tanh"},
    "variational": {"model__layer": "variational_lstm", "model__layer_options": {"input_dropout": 0.5}},
    "weight drop": {"model__layer": "weight_drop_lstm", "model__pooling": "max", "model__bidirectional": True},
    "rnn_relu": {"model__layer": "rnn_relu", "model__pooling": "mean"},
    "bidirectional lstm": {"model__bidirectional": True, "model__pooling": "mean_max"},
    "bidirectional gru": {"model__layer": "gru", "model__bidirectional": True, "model__pooling": "last"},
    "bidirectional rnn": {"model__layer": "rnn_tanh", "model__bidirectional": True, "model__pooling": "first_last"},
    "layers": {"model__layers": 3, "model__bidirectional": True, "model__pooling": "mean"},
    "residual": {"model__layers": 3, "model__residual": True, "model__layer": "gru", "model__pooling": "mean_max"},
    "residual bidirectional": {"model__layers": 2, "model__residual": True, "model__bidirectional": True},
    "last": {"model__pooling": "last"},
    "first_last": {"model__pooling": "first_last", "model__head": (6, 5)},
    "attention": {"model__pooling": "attention", "model__bidirectional": True, "ensemble": 2},
    "every": {"model__pooling": "every", "model__bidirectional": True, "model__wide": 32},
    "sigmoid": {"model__output": "sigmoid", "model__head": (4,), "model__wide": 7},
    "five classes": {"classes": 5, "model__wide": 64},
    "untrained embedding": {"model__train_embedding": False, "model__embedding_rows": 500, "classes": 50},
    "pad_left": {"data__tokens__pad_left": True, "data__tokens__max_length": LONGEST},
    "ensemble": {"ensemble": 3, "model__wide": 16},
    "another size": {"model__hidden_size": 5, "model__embedding_size": 3},
}
SEGMENTS = {
    "segment": {"model__segment": 7, "model__pooling": "mean_max", "model__bidirectional": True, "model__layers": 2},
    "attention over segments": {"model__segment": 4, "model__pooling": "attention"},
    "one segment": {"model__segment": 100, "model__wide": 5, "model__layer": "gru"},
}


def differences(target: str, networks: dict, folder) -> dict[str, float]:
    """For each network the largest difference of a probability in the other runtime."""
    expected = {}
    for n, (name, changes) in enumerate(networks.items()):
        run = run_with_random_weights(folder / str(n), **changes)
        export(run, [target], folder / str(n) / "export")
        # Longer texts than max_length are no different to the network.
        ids = ragged(LONGEST, run.model.vocabulary_size)
        np.savez(folder / str(n) / "export" / "given.npz", **padded(ids))
        expected[name] = probabilities(run, flat_corpus.from_ids(ids))
    folders = [folder / str(n) / "export" for n in range(len(networks))]
    isolated(RUNTIMES[target], folder, *folders, without=WITHOUT[target])
    found = {}
    for (name, own), path in zip(expected.items(), folders, strict=True):
        with np.load(path / "found.npz") as read:
            whole, single = read["arr_0"], read["arr_1"]
        assert whole.shape == own.shape
        assert single.shape == own[:1].shape
        assert np.ptp(own[:, 0]) > 0.01  # The examples are told apart.
        found[name] = float(max(np.abs(whole - own).max(), np.abs(single - own[:1]).max()))
    print(target, found)
    return found


@pytest.fixture
def own_parts():
    """A cell and a pooling of a user's own."""

    def decay(hidden_size):
        def step(params, h, x):
            h = 0.5 * h + jnp.tanh(x @ params)
            return h, h

        return cells.Cell(lambda key, size: jnp.ones((size, hidden_size)), lambda n: jnp.zeros((n, hidden_size)), step)

    cells.register("own decay", decay)
    pooling.register("own sum", lambda y, lengths, backward: jnp.sum(y, axis=0))
    yield
    CELLS.unregister("own decay")
    POOLINGS.unregister("own sum")


def test_own_parts_become_a_program(own_parts, tmp_path):
    own = {"model__layer": "own decay", "model__pooling": "own sum", "model__segment": 4}
    assert differences("stablehlo", {"own": own}, tmp_path)["own"] < 1e-5


@pytest.mark.parametrize("target", ["torch", "onnx"])
@pytest.mark.parametrize("layer", ["peephole_lstm", "layer_norm_lstm"])
def test_layers_that_a_format_lacks_are_named(target, layer):
    message = f"--to={target} has no '{layer}', the config.model.layer of this run; it has lstm, .*stablehlo exports"
    with pytest.raises(ConfigError, match=message):
        check_plain(ModelConfig(layer=layer), target)


@pytest.mark.parametrize("target", [pytest.param(target, marks=pytest.mark.long) for target in RUNTIMES])
def test_probabilities_are_equal(target, tmp_path):
    if target == "torch":
        pytest.importorskip("torch")
    networks = NETWORKS | (SEGMENTS if target != "onnx" else {})
    found = differences(target, networks, tmp_path)
    assert {name: difference for name, difference in found.items() if difference > 1e-5} == {}


@pytest.mark.parametrize("target", RUNTIMES)
def test_probabilities_of_the_default_network_are_equal(target, tmp_path):
    if target == "torch":
        pytest.importorskip("torch")
    assert differences(target, {"bidirectional lstm": NETWORKS["bidirectional lstm"]}, tmp_path).popitem()[1] < 1e-5


@pytest.mark.parametrize("kind", ["last", "first_last", "mean", "max", "mean_max", "attention", "every"])
def test_a_graph_has_no_parts_without_use(kind, tmp_path):
    """ONNX Runtime would warn of them whenever the file is opened."""
    run = run_with_random_weights(tmp_path / "run", model__pooling=kind, model__wide=8)
    graph = onnx.load_from_string(onnx_files(run)["model.onnx"]).graph
    read = {name for node in graph.node for name in node.input} | {"probabilities"}
    assert [node.name or node.op_type for node in graph.node if not read & {*node.output}] == []
    assert {constant.name for constant in graph.initializer} <= read


@pytest.mark.parametrize("target", ["torch", "onnx"])
def test_directions_of_different_sizes_are_refused(target, tmp_path):
    if target == "torch":
        pytest.importorskip("torch")
    run = run_with_random_weights(tmp_path / "run", model__bidirectional=True, model__hidden_size_backward=5)
    with pytest.raises(ConfigError, match=f"--to={target} has one number of units for both directions; this run has"):
        export(run, [target], tmp_path / "export")
    same = run_with_random_weights(tmp_path / "same", model__bidirectional=True, model__hidden_size_backward=8)
    check_plain(same.config.model, target)
