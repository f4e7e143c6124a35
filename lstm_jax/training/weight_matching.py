"""Finds the embedding and the recurrent layers of a model among the tensors of a file, by name and shape."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from lstm_jax.cells.gru import GRUParams
from lstm_jax.cells.lstm import LSTMParams
from lstm_jax.cells.rnn import RNNParams
from lstm_jax.config import ModelConfig
from lstm_jax.errors import ConfigError
from lstm_jax.layers.bidirectional import Directions
from lstm_jax.layers.dropped_lstm import without_dropout
from lstm_jax.training.weight_files import Tensor, values
from lstm_jax.types import Params

Tensors = Mapping[str, Tensor]

# The names of torch.nn.LSTM, GRU and RNN, and of their cells, which have no number.
NAME = re.compile(r"(?:(.+)\.)?((?:weight|bias)_(?:ih|hh|hr))((?:_l\d+)?(?:_reverse)?)")
BACKWARD = re.compile(r"(?<![a-z])(?:backward|bwd|bw|reversed?)(?![a-z])")
DIRECTION = re.compile(rf"(?<![a-z])(?:forward|fwd|fw)(?![a-z])|{BACKWARD.pattern}")
OWN_NAME = re.compile(r"(.+\.)?layers\.cells\..+")  # In a safetensors file of this project.
EMBEDDING = re.compile(r"emb|wte|(?:^|\.)vectors")
LAYER_OF_GATES = {4: "lstm", 3: "gru", 1: "rnn_tanh"}  # Kinds of layers by their number of gates.


class Sizes(NamedTuple):
    """What the shapes of recurrent layers say about the config's fields of these names."""

    layer: str
    hidden_size: int
    layers: int
    bidirectional: bool
    embedding_size: int


class Direction(NamedTuple):
    """One direction of one layer of a PyTorch module."""

    module: str
    suffix: str  # What follows ``weight_ih`` in the names, such as ``_l0_reverse``.
    shapes: dict[str, tuple[int, ...]]  # Of weight_ih, weight_hh, and of the biases if there are any.

    @property
    def gates(self) -> int:
        return self.shapes["weight_ih"][0] // self.shapes["weight_hh"][1]

    def name(self, role: str) -> str:
        return f"{self.module}.{role}{self.suffix}".lstrip(".")

    @property
    def is_whole(self) -> bool:
        """Whether it has all weights, and in shapes that belong together."""
        if [len(self.shapes.get(role, ())) for role in ("weight_ih", "weight_hh")] != [2, 2]:
            return False
        outputs, hidden = self.shapes["weight_hh"]
        biases = [self.shapes[role] for role in ("bias_ih", "bias_hh") if role in self.shapes]
        fitting = (
            self.shapes["weight_ih"][0] == outputs and hidden > 0 and outputs in (hidden * n for n in LAYER_OF_GATES)
        )
        return fitting and biases in ([], [(outputs,)] * 2) and "weight_hr" not in self.shapes


class ModuleStack(NamedTuple):
    """Recurrent layers on top of each other, of one module or of several."""

    name: str
    layers: list[list[Direction]]  # The forward direction of each layer, and the backward one if there is one.

    @property
    def sizes(self) -> Sizes | None:
        """The sizes; ``None`` if no config has such layers."""
        first, directions = self.layers[0][0], len(self.layers[0])
        (outputs, inputs), (_, hidden) = first.shapes["weight_ih"], first.shapes["weight_hh"]
        for n, layer in enumerate(self.layers):
            read = directions * hidden if n else inputs
            if [own.shapes["weight_ih"] for own in layer] != [(outputs, read)] * directions:
                return None
            if any(own.shapes["weight_hh"] != (outputs, hidden) for own in layer):
                return None
        return Sizes(LAYER_OF_GATES[first.gates], hidden, len(self.layers), directions == 2, inputs)


class Found(NamedTuple):
    """A part of a model in a file."""

    values: Any  # An array, or the tree of the layers, with a leading axis of lanes.
    names: list[str]  # Of the tensors that were taken.
    notes: list[str]  # What was taken from where.


def find_layers(tensors: Tensors, own: Params, config: ModelConfig) -> Found | None:
    """The recurrent layers; ``None`` if the file has none.

    Args:
      tensors: The tensors of the file.
      own: Shapes of the model's layers.
      config: The model's config.

    Raises:
      ConfigError: The file's layers have other kinds or sizes, or several of its modules fit.
    """
    return _exported_layers(tensors, own, config) or _torch_layers(tensors, config)


def _exported_layers(tensors: Tensors, own: Params, config: ModelConfig) -> Found | None:
    """Layers with this project's own names, ``layers.cells.0.input_kernel``, perhaps with a leading axis of lanes."""
    prefixes = sorted({found[1] or "" for name in tensors if (found := OWN_NAME.fullmatch(name))})
    if not prefixes:
        return None
    _refuse_several([f"{prefix}layers" for prefix in prefixes])
    leaves, structure = jax.tree_util.tree_flatten_with_path({"layers": own})
    wanted = {jax.tree_util.keystr(path, simple=True, separator="."): leaf.shape for path, leaf in leaves}
    there = {n.removeprefix(prefixes[0]): own for n, own in tensors.items() if n.startswith(f"{prefixes[0]}layers.")}
    fits = set(there) == set(wanted) and all(there[name].shape[-len(size) :] == size for name, size in wanted.items())
    if not fits:
        sizes = _exported_sizes({name: tensor.shape for name, tensor in there.items()})
        raise ConfigError(_advice(f"{prefixes[0]}layers", sizes, config))
    arrays = [values(prefixes[0] + name, there[name]).reshape(-1, *size) for name, size in wanted.items()]
    found = jax.tree.unflatten(structure, arrays)["layers"]
    note = f"layers ({len(wanted)} tensors) from {prefixes[0]}layers.*"
    return Found(found, [prefixes[0] + name for name in wanted], [note])


def _exported_sizes(shapes: Mapping[str, tuple[int, ...]]) -> Sizes | None:
    """The sizes of exported layers; ``None`` if these are of a kind that their weights do not tell."""
    first = {name.rpartition(".")[2]: shape for name, shape in shapes.items() if name.startswith("layers.cells.0.")}
    if set(first) not in (set(LSTMParams._fields), set(GRUParams._fields)):  # An RNN's are named as an LSTM's.
        return None
    (inputs, _), (hidden, outputs) = first["input_kernel"][-2:], first["recurrent_kernel"][-2:]
    if outputs // hidden not in LAYER_OF_GATES:
        return None
    numbers = {int(name.split(".")[2]) for name in shapes}
    return Sizes(
        LAYER_OF_GATES[outputs // hidden], hidden, len(numbers), any(".backward." in name for name in shapes), inputs
    )


def _torch_layers(tensors: Tensors, config: ModelConfig) -> Found | None:
    directions = _directions(tensors)
    if not directions:
        return None
    stacks = _stacks([own for own in directions if own.is_whole])
    fitting = [own for own in stacks if own.sizes and not _differences(own.sizes, config)]
    if not fitting:
        raise ConfigError(_nearest(stacks, directions, config))
    _refuse_several([own.name for own in fitting])
    names, notes, cells = [], [], []
    for n, layer in enumerate(fitting[0].layers):
        for direction, own in zip(("forward", "backward"), layer, strict=False):
            names += [own.name(role) for role in own.shapes]
            notes.append(f"layers.{n}.{direction} ({len(own.shapes)} tensors) from {own.name('*')}")
        params = [_params(own, tensors) for own in layer]
        cells.append(Directions(*params) if len(params) == 2 else params[0])
    return Found({"cells": tuple(cells)}, names, notes)


def _directions(tensors: Tensors) -> list[Direction]:
    """The directions of all recurrent modules, complete or not, in the order of the file."""
    found: dict[tuple[str, str], dict[str, tuple[int, ...]]] = defaultdict(dict)
    for name, tensor in tensors.items():
        if match := NAME.fullmatch(name):
            module, role, suffix = match.groups(default="")
            found[module, suffix][role] = tensor.shape
    return [Direction(module, suffix, shapes) for (module, suffix), shapes in found.items()]


def _stacks(directions: Sequence[Direction]) -> list[ModuleStack]:
    """Every module by itself, and modules whose names differ by numbers and by words for the direction together."""
    alone: dict[str, list[Any]] = defaultdict(list)
    together: dict[str, list[Any]] = defaultdict(list)
    for own in directions:
        layer, reverse = int((re.findall(r"_l(\d+)", own.suffix) or [0])[0]), own.suffix.endswith("_reverse")
        alone[own.module].append(((layer,), reverse, own))
        pattern = re.sub(r"\d+", "*", DIRECTION.sub("*", own.module))
        numbers = tuple(map(int, re.findall(r"\d+", own.module)))
        together[pattern].append(((*numbers, layer), reverse or bool(BACKWARD.search(own.module)), own))
    several = {name: found for name, found in together.items() if len({own.module for *_, own in found}) > 1}
    return [stack for name, found in [*alone.items(), *several.items()] if (stack := _stack(name, found))]


def _stack(name: str, found: Sequence[tuple[tuple[int, ...], bool, Direction]]) -> ModuleStack | None:
    """The layers in the order of their numbers; ``None`` if a direction is missing, or there twice."""
    layers: dict[tuple[int, ...], dict[bool, Direction]] = defaultdict(dict)
    for number, reverse, own in found:
        layers[number][reverse] = own
    kinds = {tuple(sorted(layer)) for layer in layers.values()}
    if kinds not in ({(False,)}, {(False, True)}) or sum(map(len, layers.values())) < len(found):
        return None
    return ModuleStack(name, [[layers[n][reverse] for reverse in sorted(layers[n])] for n in sorted(layers)])


def _params(own: Direction, tensors: Tensors) -> Params:
    """The parameters of a cell, each with an axis for one lane. PyTorch's two biases of a gate are summed."""
    kernels = [values(own.name(role), tensors[own.name(role)]).T for role in ("weight_ih", "weight_hh")]
    hidden = own.shapes["weight_hh"][1]
    roles = [role for role in ("bias_ih", "bias_hh") if role in own.shapes]
    biases = [values(own.name(role), tensors[own.name(role)]) for role in roles]
    from_x, from_h = biases or np.zeros((2, own.gates * hidden), np.float32)
    arrays: list[Any] = [*kernels, from_x + from_h]
    if own.gates == 3:  # The reset gate multiplies the candidate's recurrent bias, which therefore stays by itself.
        arrays[2] = np.concatenate([arrays[2][: 2 * hidden], from_x[2 * hidden :]])
        arrays.append(from_h[2 * hidden :])
    make = {4: LSTMParams, 3: GRUParams, 1: RNNParams}[own.gates]
    return make(*(each[None] for each in arrays))


def _differences(sizes: Sizes, config: ModelConfig) -> list[str]:
    """The fields of the config that differ, each with the value that it would need."""
    asked = Sizes(*(getattr(config, name) for name in Sizes._fields))
    alike = ("rnn_tanh", "rnn_relu") if asked.layer == "rnn_relu" else (without_dropout(asked.layer),)
    if sizes.layer in alike:  # The weights do not tell such layers apart.
        sizes = sizes._replace(layer=asked.layer)
    pairs = zip(Sizes._fields, sizes, asked, strict=True)
    found = [f"config.model.{name}={theirs}" for name, theirs, ours in pairs if theirs != ours]
    if sizes.bidirectional and config.hidden_size_backward not in (0, sizes.hidden_size):
        found.append("config.model.hidden_size_backward=0")
    return found


def _advice(name: str, sizes: Sizes | None, config: ModelConfig) -> str:
    wanted = _differences(sizes, config) if sizes else []
    other = f"another kind or size than config.model, whose layers are {config.layer!r}"
    return f"{name} has {other}; set {', '.join(wanted) or 'config.model as it was there'}"


def _nearest(stacks: Sequence[ModuleStack], directions: Sequence[Direction], config: ModelConfig) -> str:
    """What to change so that the most similar recurrent layers of a file fit."""
    sized = [(own.name, own.sizes) for own in stacks if own.sizes]
    if sized:
        return _advice(*min(sized, key=lambda each: len(_differences(each[1], config))), config)
    for own in directions:
        if "weight_hr" in own.shapes:
            return f"{own.name('weight_hr')} projects the outputs (proj_size), which no layer here does"
        for role in ("weight_ih", "weight_hh"):
            if role not in own.shapes:
                return f"{own.name('*')} lacks {role}; save the state dict of a plain nn.LSTM, nn.GRU or nn.RNN"
    names = ", ".join(sorted({own.module for own in directions}))
    return f"the recurrent layers ({names}) have sizes that do not fit together in one stack of layers"


def _refuse_several(names: Sequence[str]) -> None:
    if len(names) > 1:
        raise ConfigError(f"several parts fit: {', '.join(names)}; save the state dict of one of them alone")


def find_embedding(tensors: Tensors, width: int, usable: Callable[[int], bool]) -> Found | str:
    """The embedding, ``[1, R, D]``, or why there is none to take.

    A table counts as an embedding if its name says so and, unlike a dense layer, it has no bias. Without such a name, a
    table counts if its size is right.

    Args:
      tensors: The tensors of the file.
      width: The embedding's size, D.
      usable: Whether tables of R rows can be used.

    Raises:
      ConfigError: The embedding has another size, or several fit.
    """
    shapes = {name: own.shape for name, own in tensors.items() if len(own.shape) == 2 and not NAME.fullmatch(name)}
    tables = {name: shape for name, shape in shapes.items() if f"{name.removesuffix('weight')}bias" not in tensors}
    named = {name: shape for name, shape in tables.items() if EMBEDDING.search(name.lower())}
    fitting = {name: rows for name, (rows, columns) in (named or tables).items() if columns == width}
    chosen = [name for name, rows in fitting.items() if usable(rows)]
    _refuse_several(chosen)
    if chosen:
        note = f"embedding ({fitting[chosen[0]]:,} rows) from {chosen[0]}"
        return Found(values(chosen[0], tensors[chosen[0]])[None], chosen, [note])
    for name, rows in fitting.items():
        if name in named:
            return f"{name} has {rows:,} rows"
    for name, (_, columns) in named.items():
        raise ConfigError(f"{name} has {columns} features; set config.model.embedding_size={columns}")
    return "the file has none"
