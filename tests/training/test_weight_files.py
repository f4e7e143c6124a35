"""Weights of PyTorch modules: read from files, matched by name and shape, and computing what PyTorch computes."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from lstm_jax.config import ModelConfig
from lstm_jax.errors import ConfigError
from lstm_jax.models.classifier import recurrent_layers
from lstm_jax.training.weight_files import read_tensors, values
from lstm_jax.training.weight_matching import find_embedding, find_layers
from tests.helpers import random

torch = pytest.importorskip("torch", minversion="2.6")

MODULES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn_tanh": torch.nn.RNN, "rnn_relu": torch.nn.RNN}
LENGTHS = (7, 1, 5, 3)


def module(layer: str, inputs: int = 6, hidden: int = 5, **options):
    torch.manual_seed(0)
    options |= {"nonlinearity": "relu"} if layer == "rnn_relu" else {}
    return MODULES[layer](inputs, hidden, **options)


def model_config(layer: str = "lstm", layers: int = 1, bidirectional: bool = False, **changes) -> ModelConfig:
    sizes = {"embedding_size": 6, "hidden_size": 5} | changes
    return ModelConfig(layer=layer, layers=layers, bidirectional=bidirectional, implementation="scan", **sizes)


def shapes_of(config: ModelConfig):
    layers = recurrent_layers(config)
    return {"cells": jax.eval_shape(lambda: layers.init(jax.random.key(0), config.embedding_size))}


def found(path, config):
    return find_layers(read_tensors(path), shapes_of(config), config)


def ours(config, taken, x):
    """The layers' outputs with the weights that were taken."""
    cells = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), taken.values["cells"])
    return recurrent_layers(config).apply(cells, jnp.asarray(x), jnp.array(LENGTHS))[0]


def theirs(modules, x):
    """The outputs of PyTorch's modules, one on top of the other, on the same ragged sequences."""
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(x), torch.tensor(LENGTHS), enforce_sorted=False)
    for each in modules:
        packed, _ = each(packed)
    return torch.nn.utils.rnn.pad_packed_sequence(packed)[0].detach().numpy()


def save(path, state):
    if path.suffix == ".safetensors":
        save_file({name: np.ascontiguousarray(tensor.detach().numpy()) for name, tensor in state.items()}, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("layer", MODULES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_outputs_equal_pytorchs_on_ragged_sequences(layer, bidirectional, layers, tmp_path):
    own = module(layer, num_layers=layers, bidirectional=bidirectional)
    model = torch.nn.ModuleDict({"encoder": torch.nn.ModuleDict({"rnn": own}), "fc": torch.nn.Linear(5, 2)})
    file = save(tmp_path / "w.pt", {"state_dict": model.state_dict(), "epoch": 3})
    config, x = model_config(layer, layers, bidirectional), random(0, 7, 4, 6)
    taken = found(file, config)
    np.testing.assert_allclose(ours(config, taken, x), theirs([own], x), atol=1e-5)
    assert taken.notes[0] == "layers.0.forward (4 tensors) from encoder.rnn.*_l0"
    assert not any("fc" in name for name in taken.names)


@pytest.mark.parametrize("layer", ["variational_lstm", "weight_drop_lstm"])
def test_lstms_that_drop_in_training_take_what_an_lstm_takes(layer, tmp_path):
    own = module("lstm")
    file = save(tmp_path / "w.pt", {f"rnn.{k}": v for k, v in own.state_dict().items()})
    config, x = model_config(layer), random(0, 7, 4, 6)
    np.testing.assert_allclose(ours(config, found(file, config), x), theirs([own], x), atol=1e-5)


def test_a_layer_that_pytorch_lacks_is_told(tmp_path):
    file = save(tmp_path / "w.pt", {f"rnn.{k}": v for k, v in module("lstm").state_dict().items()})
    message = "another kind or size than config.model, whose layers are 'peephole_lstm'; set config.model.layer=lstm$"
    with pytest.raises(ConfigError, match=message):
        found(file, model_config("peephole_lstm"))


@pytest.mark.parametrize(("hidden", "layer"), [(4, "peephole_lstm"), (5, "lstm")])
def test_exported_layers_of_a_kind_that_no_name_tells(hidden, layer, tmp_path):
    """Their weights do not say what they are, so no field is named."""
    shapes = shapes_of(model_config("peephole_lstm", hidden_size=hidden))
    leaves = jax.tree_util.tree_leaves_with_path({"layers": shapes})
    state = {jax.tree_util.keystr(path, simple=True, separator="."): np.ones(leaf.shape, "f") for path, leaf in leaves}
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(ConfigError, match=rf"layers are '{layer}'; set config\.model as it was there$"):
        found(tmp_path / "w.safetensors", model_config(layer))


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".safetensors"])
def test_modules_without_biases_in_every_kind_of_file(suffix, tmp_path):
    own = module("gru", bias=False)
    config, x = model_config("gru"), random(1, 7, 4, 6)
    taken = found(save(tmp_path / f"w{suffix}", own.state_dict()), config)
    np.testing.assert_allclose(ours(config, taken, x), theirs([own], x), atol=1e-5)


@pytest.mark.parametrize("names", [("rnns.0", "rnns.1"), ("lstm1", "lstm2"), ("module.3.rnn", "module.12.rnn")])
def test_a_module_for_each_layer_is_taken_in_the_order_of_the_numbers(names, tmp_path):
    first, second = module("lstm"), module("lstm", 5)
    state = {f"{names[1]}.{k}": v for k, v in second.state_dict().items()}
    state |= {f"{names[0]}.{k}": v for k, v in first.state_dict().items()}
    config, x = model_config(layers=2), random(2, 7, 4, 6)
    taken = found(save(tmp_path / "w.pt", state), config)
    np.testing.assert_allclose(ours(config, taken, x), theirs([first, second], x), atol=1e-5)
    assert taken.notes[1] == f"layers.1.forward (4 tensors) from {names[1]}.*_l0"


@pytest.mark.parametrize("names", [("layers.0.forward", "layers.0.backward"), ("rnn_fw", "rnn_bw")])
def test_a_module_for_each_direction(names, tmp_path):
    both = module("lstm", bidirectional=True)
    state = {}
    for name, tensor in both.state_dict().items():
        state[f"{names[name.endswith('_reverse')]}.{name.removesuffix('_reverse')}"] = tensor
    config, x = model_config(bidirectional=True), random(3, 7, 4, 6)
    taken = found(save(tmp_path / "w.pt", state), config)
    np.testing.assert_allclose(ours(config, taken, x), theirs([both], x), atol=1e-5)


def test_a_cell_without_a_layers_number(tmp_path):
    torch.manual_seed(1)
    cell, config = torch.nn.LSTMCell(6, 5), model_config()
    taken = found(save(tmp_path / "w.pt", {f"cell.{k}": v for k, v in cell.state_dict().items()}), config)
    np.testing.assert_array_equal(taken.values["cells"][0].input_kernel[0], cell.weight_ih.detach().numpy().T)


@pytest.mark.parametrize("layers", [1, 2])
def test_two_modules_that_fit_are_listed(layers, tmp_path):
    state = {
        f"{n}.{k}": v for n in ("encoder", "decoder") for k, v in module("lstm", num_layers=layers).state_dict().items()
    }
    with pytest.raises(ConfigError, match="several parts fit: encoder, decoder; save the state dict of one of them"):
        found(save(tmp_path / "w.pt", state), model_config(layers=layers))


@pytest.mark.parametrize("names", [("rnns.0", "rnns.1"), ("rnn_fw", "rnn_bw")])
def test_one_of_several_layers_or_directions_is_never_chosen(names, tmp_path):
    state = {f"{n}.{k}": v for n in names for k, v in module("lstm").state_dict().items()}
    with pytest.raises(ConfigError, match=f"several parts fit: {names[0]}, {names[1]}"):
        found(save(tmp_path / "w.pt", state), model_config())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 4}, r"set config\.model\.hidden_size=4$"),
        ({"inputs": 3}, r"set config\.model\.embedding_size=3$"),
        ({"num_layers": 2}, r"set config\.model\.layers=2$"),
        ({"bidirectional": True, "hidden": 9}, r"set config\.model\.hidden_size=9, config\.model\.bidirectional=True$"),
        ({"layer": "gru"}, r"set config\.model\.layer=gru$"),
        ({"proj_size": 2}, r"rnn\.weight_hr_l0 projects the outputs"),
    ],
)
def test_other_sizes_say_what_to_set(options, message, tmp_path):
    own = module(**({"layer": "lstm"} | options))
    file = save(tmp_path / "w.pt", {f"rnn.{k}": v for k, v in own.state_dict().items()})
    with pytest.raises(ConfigError, match=message):
        found(file, model_config())


def test_an_incomplete_module_is_told(tmp_path):
    state = {k: v for k, v in module("lstm").state_dict().items() if "hh" not in k}
    with pytest.raises(ConfigError, match="lacks weight_hh"):
        found(save(tmp_path / "w.pt", state), model_config())


def test_modules_of_sizes_that_no_config_has(tmp_path):
    state = {f"lstm1.{k}": v for k, v in module("lstm", 6, 5).state_dict().items()}
    state = {k: v for k, v in module("lstm", num_layers=2).state_dict().items()}
    state["weight_ih_l1"] = torch.zeros(20, 9)
    with pytest.raises(ConfigError, match="do not fit together in one stack"):
        found(save(tmp_path / "w.pt", state), model_config(layers=2))


BAD = {
    "float16": lambda t: t.half(),
    "bfloat16": lambda t: t.bfloat16(),
    "float64": lambda t: t.double(),
    "quantised": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
    "sparse": lambda t: t.to_sparse(),
    "without values": lambda t: t.to("meta"),
    "NaN or infinite": lambda t: t.log(),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # PyTorch's own, on quantisation.
@pytest.mark.parametrize("kind", BAD)
def test_tensors_that_are_no_plain_finite_floats(kind, tmp_path):
    state = module("lstm").state_dict()
    state["weight_hh_l0"] = BAD[kind](state["weight_hh_l0"])
    with pytest.raises(ConfigError, match=rf"weight_hh_l0 (is|holds values that are) {kind}"):
        found(save(tmp_path / "w.pt", state), model_config())


def test_half_precision_in_safetensors(tmp_path):
    from safetensors.torch import save_file as save_tensors

    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        save_tensors({k: v.to(dtype) for k, v in module("lstm").state_dict().items()}, tmp_path / "w.safetensors")
        with pytest.raises(ConfigError, match=f"is {str(dtype)[6:]}, not float32"):
            found(tmp_path / "w.safetensors", model_config())


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("inside", [True, False])
def test_code_in_a_file_is_refused_and_not_executed(inside, tmp_path):
    file = tmp_path / "w.pt"
    if inside:
        torch.save({"state_dict": module("lstm").state_dict(), "args": Evil()}, file)
    else:
        file.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ConfigError, match="Python objects beside tensors, which are never loaded"):
        read_tensors(file)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file_is_told(suffix, share, tmp_path):
    file = save(tmp_path / f"w{suffix}", module("lstm").state_dict())
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(ConfigError, match=r"is no readable|is damaged"):
        read_tensors(file)


@pytest.mark.parametrize("content", [{}, [torch.zeros(2)], torch.zeros(2), {"epoch": 3}, 7])
def test_a_file_without_a_state_dict_is_told(content, tmp_path):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match="holds no tensors"):
        read_tensors(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("name", "message"), [("gone.pt", "does not exist"), ("w.npz", "must end in .safetensors, .pt")]
)
def test_files_that_are_not_there_or_of_another_kind(name, message, tmp_path):
    (tmp_path / "w.npz").touch()
    with pytest.raises(ConfigError, match=message):
        read_tensors(tmp_path / name)


def test_without_pytorch_its_files_say_what_to_install(tmp_path, monkeypatch):
    file = save(tmp_path / "w.pt", module("lstm").state_dict())
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ConfigError, match=r"PyTorch, which is not installed; pip install 'torch>=2\.6'"):
        read_tensors(file)


TABLES = {"embedding.weight": (9, 6), "fc.weight": (9, 6), "fc.bias": (9,), "norm.weight": (6,)}


@pytest.mark.parametrize(
    ("tensors", "result"),
    [
        (TABLES, "embedding.weight"),
        ({"encoder.weight": (9, 6), "fc.weight": (9, 6), "fc.bias": (9,)}, "encoder.weight"),
        ({"position_embeddings.weight": (4, 6), "word_embeddings.weight": (9, 6)}, "word_embeddings.weight"),
        ({"emb.weight": (8, 6)}, "emb.weight has 8 rows"),
        ({"fc.weight": (9, 6), "fc.bias": (9,)}, "the file has none"),
    ],
)
def test_the_embedding_is_known_by_its_name_or_by_its_size(tensors, result, tmp_path):
    save_file({name: random(0, *shape) for name, shape in tensors.items()}, tmp_path / "w.safetensors")
    taken = find_embedding(read_tensors(tmp_path / "w.safetensors"), 6, lambda rows: rows == 9)
    assert taken == result if isinstance(taken, str) else taken.names == [result]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a_embed.weight": (9, 6), "b_embed.weight": (9, 6)}, "several parts fit: a_embed.weight, b_embed.weight"),
        ({"embed.weight": (9, 7)}, "set config.model.embedding_size=7"),
    ],
)
def test_an_embedding_of_another_size_or_twice(tensors, message, tmp_path):
    save_file({name: random(0, *shape) for name, shape in tensors.items()}, tmp_path / "w.safetensors")
    with pytest.raises(ConfigError, match=message):
        find_embedding(read_tensors(tmp_path / "w.safetensors"), 6, lambda rows: rows == 9)


def test_values_are_copies(tmp_path):
    file = save(tmp_path / "w.pt", module("lstm").state_dict())
    name, tensor = next(iter(read_tensors(file).items()))
    values(name, tensor)[:] = 0
    assert values(name, tensor).any()
