"""Starting a run from given weights: those of another run, or of a file, such as a PyTorch module's.

``continued.py`` takes the state of the optimizer too.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tokenizers import Tokenizer

from lstm_jax.config import ModelConfig
from lstm_jax.data.labels import Classes
from lstm_jax.data.tokenizer import read_tokenizer
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.layers.dropped_lstm import without_dropout
from lstm_jax.training.restore import load_run
from lstm_jax.training.weight_files import SUFFIXES, read_tensors, values
from lstm_jax.training.weight_matching import Found, Tensors, find_embedding, find_layers
from lstm_jax.training.workdir import evaluation_config, read_json
from lstm_jax.types import HostArray, Params

_log = logging.getLogger(__name__)

LISTED = 5  # Number of a file's unused tensors that are named.


class GivenWeights(NamedTuple):
    """What another model gives to a run. Its arrays have a leading axis of lanes."""

    embedding: HostArray | None  # [L, R, D]
    vocabulary: Mapping[str, int] | None  # The rows of the embedding's tokens; None: those of the new run.
    layers: Params | None
    head: dict[str, Params]  # Dense head, output layer and linear part, by name; empty if they are not taken.
    notes: list[str]  # What was taken from where, and what was left there.


def transfer(variables: Params, tokenizer: Tokenizer, classes: Classes, config: ModelConfig) -> Params:
    """Copies parts of a trained model, ``config.init_from``, into new variables: those of ``config.init_parts``.

    By default the head is newly initialised, since the classes may differ. If the other model has fewer lanes, its
    lanes are used in turn. Tokens are matched by their text. A token that the other model does not know keeps its
    initial vector, mapped into that model's space by the least-squares map of the shared tokens (Mikolov et al. 2013).
    The embedding of a file without a ``tokenizer.json`` beside it is taken row by row, if it has as many rows as the
    vocabulary has tokens. What was taken and what was left is logged.

    Args:
      variables: Variables of all lanes before training.
      tokenizer: Vocabulary of the new run.
      classes: Classes of the new run.
      config: The new run's model, which has the same kinds and sizes of embedding and layers.

    Raises:
      ConfigError: There is no such run or file, it cannot be read, a part has another kind or size there, the head has
        other classes, or nothing in the file fits.
    """
    asked, path = f"config.model.init_from is {config.init_from!r}", Path(config.init_from)
    from_file = path.is_file() or path.suffix.lower() in SUFFIXES
    parts = {**variables.get("frozen", {}), **variables["params"]}
    load = _file if from_file and not path.is_dir() else _run
    given = load(path, parts, tokenizer, classes, config)
    taken: dict[str, Params] = {}
    lanes = len(jax.tree.leaves(parts["layers"])[0])
    if given.embedding is not None:
        taken["embedding"] = _embedding(np.asarray(parts["embedding"]), given, tokenizer, asked)
    if given.layers is not None:
        taken["layers"] = _lanes(given.layers, lanes)
    taken |= {name: _lanes(own, lanes) for name, own in given.head.items()}
    for note in given.notes:
        _log.info("init_from: %s", note)
    _log.info(
        "init_from: left newly initialised: %s", ", ".join(name for name in parts if name not in taken) or "nothing"
    )
    place = lambda a, b: jax.device_put(np.asarray(a, b.dtype), b.sharding)
    return {
        kind: {name: jax.tree.map(place, taken.get(name, own), own) for name, own in group.items()}
        for kind, group in variables.items()
    }


def _lanes(tree: Params, lanes: int) -> Params:
    """Arrays for so many lanes; if there are fewer, they are used in turn."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[np.arange(lanes) % len(leaf)], tree)


def head_parts(parts: Params) -> dict[str, Params]:
    """What stands above the layers: dense head, output layer and linear part."""
    return {name: own for name, own in parts.items() if name not in ("embedding", "layers", "objectives")}


def _shapes(tree: Params) -> Params:
    """The shapes of a lane's arrays."""
    return jax.tree.map(lambda leaf: leaf.shape[1:], tree)


def _run(workdir: Path, parts: Params, tokenizer: Tokenizer, classes: Classes, config: ModelConfig) -> GivenWeights:
    """The weights of a run in a folder."""
    asked = f"config.model.init_from is {str(workdir)!r}"
    try:
        other = load_run(workdir, evaluation_config(workdir))
    except UserError as error:
        raise ConfigError(f"{asked}, which cannot be loaded: {error}") from None
    theirs, names = {**other.variables["frozen"], **other.variables["params"]}, config.init_parts
    if "embedding" in names and theirs["embedding"].shape[2] != parts["embedding"].shape[2]:
        raise ConfigError(
            f"{asked}, whose embedding has another size; set config.model.embedding_size={theirs['embedding'].shape[2]}"
        )
    if "layers" in names and without_dropout(other.config.model.layer) != without_dropout(config.layer):
        raise ConfigError(
            f"{asked}, whose layers are {other.config.model.layer!r}, and config.model.layer is {config.layer!r}; set "
            "config.model as it is there"
        )
    if "layers" in names and _shapes(parts["layers"]) != _shapes(theirs["layers"]):
        raise ConfigError(f"{asked}, whose layers are of other kinds or sizes; set config.model as it is there")
    head, vocabulary = {}, other.tokenizer.get_vocab()
    if "head" in names:
        check_classes(asked, other.classes.names, classes.names)
        _check_linear_part(asked, parts, vocabulary, tokenizer)
        head = head_parts(theirs)
        if _shapes(head) != _shapes(head_parts(parts)):
            raise ConfigError(f"{asked}, whose head has other parts or sizes; set config.model as it is there")
    table = np.asarray(theirs["embedding"]) if "embedding" in names else None
    notes = [f"took {' and '.join(names)} from {workdir}, the weights of step {other.step:,}"]
    return GivenWeights(table, vocabulary, theirs["layers"] if "layers" in names else None, head, notes)


def check_classes(asked: str, theirs: tuple[str, ...], ours: tuple[str, ...]) -> None:
    """Raises a ``ConfigError`` unless a head's classes are those of the new run, in their order."""
    if theirs != ours:
        raise ConfigError(
            f"{asked}, whose classes are {', '.join(theirs)}, and those of this run are {', '.join(ours)}, so its head "
            "cannot be taken; set config.data.class_names if only the order differs, or take "
            "config.model.init_parts=embedding,layers"
        )


def _check_linear_part(asked: str, parts: Params, vocabulary: Mapping[str, int] | None, tokenizer: Tokenizer) -> None:
    if "wide" in parts and vocabulary != tokenizer.get_vocab():
        raise ConfigError(
            f"{asked}, whose vocabulary differs or is not known, so the rows of its linear part are those of other "
            "tokens; take config.model.init_parts=embedding,layers, or train on the same texts"
        )


def _file(file: Path, parts: Params, tokenizer: Tokenizer, classes: Classes, config: ModelConfig) -> GivenWeights:
    """The weights of a file, and of the vocabulary in ``tokenizer.json`` beside it if there is one."""
    beside, words = file.with_name("tokenizer.json"), tokenizer.get_vocab_size()
    asked, names = f"config.model.init_from is {str(file)!r}", config.init_parts
    embedding: Found | str = "it is not asked for"
    layers: Found | None = None
    try:
        vocabulary = read_tokenizer(beside).get_vocab() if beside.exists() else None
        tensors = read_tensors(file)
        rows = {words, parts["embedding"].shape[1]}
        usable = lambda n: n in rows if vocabulary is None else n > max(vocabulary.values())
        if "embedding" in names:
            embedding = find_embedding(tensors, config.embedding_size, usable)
        if "layers" in names:
            shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), parts["layers"])
            layers = find_layers(tensors, shapes, config)
    except UserError as error:
        raise ConfigError(f"{asked}: {error}") from error
    head = _head_of_file(file, tensors, parts, classes) if "head" in names else {}
    if head:
        _check_linear_part(asked, parts, vocabulary, tokenizer)
    if layers is None and isinstance(embedding, str) and not head:
        raise ConfigError(
            f"{asked}: it holds no recurrent layer and no embedding that fits "
            f"({embedding}), so nothing can be taken; give the state dict of an nn.LSTM, nn.GRU or nn.RNN"
        )
    taken = [found for found in (embedding, layers) if isinstance(found, Found)]
    notes = [f"took {note}" for found in taken for note in found.notes]
    notes += [f"took the head: {', '.join(head)}"] if head else []
    if isinstance(embedding, Found) and vocabulary is not None:
        notes.append(f"rows of the embedding are matched by the tokens in {beside}")
    elif isinstance(embedding, Found):
        notes.append("rows of the embedding are taken in their order, since no tokenizer.json lies beside the file")
    elif "embedding" in names:
        remedy = (
            f", the vocabulary {words:,} tokens; a tokenizer.json beside the file would say which row is which token"
        )
        notes.append(f"took no embedding: {embedding}{remedy if vocabulary is None else ''}")
    of_head = {name for name in tensors if name.split(".")[0] in head}
    unused = [name for name in tensors if name not in of_head and not any(name in found.names for found in taken)]
    more = f" and {len(unused) - LISTED:,} more" if len(unused) > LISTED else ""
    notes += [f"not used: {', '.join(unused[:LISTED])}{more}"] if unused else []
    table = embedding.values if isinstance(embedding, Found) else None
    return GivenWeights(table, vocabulary, layers.values if layers else None, head, notes)


def _head_of_file(file: Path, tensors: Tensors, parts: Params, classes: Classes) -> dict[str, Params]:
    """The head in a safetensors file of this project, whose tensors have this project's names."""
    asked = f"config.model.init_from is {str(file)!r}"
    facts = read_json(file.with_name("data.json"), dict) if file.with_name("data.json").exists() else None
    if facts and "classes" in facts:
        check_classes(asked, tuple(facts["classes"]), classes.names)

    def find(path: tuple[Any, ...], leaf: Any) -> HostArray:
        name, shape = jax.tree_util.keystr(path, simple=True, separator="."), leaf.shape[1:]
        there = tensors.get(name)
        if there is None or there.shape != shape:
            found = "no such tensor" if there is None else f"one of the shape {list(there.shape)}"
            raise ConfigError(
                f"{asked}, and this run's head has {name} of the shape {list(shape)}, but the file has {found}; only "
                "the head of a file that export.py --to=safetensors wrote can be taken, for the same classes and "
                "config.model; otherwise take config.model.init_parts=embedding,layers"
            )
        return values(name, there)[None]

    return dict(jax.tree_util.tree_map_with_path(find, head_parts(parts)))


def _embedding(own: HostArray, given: GivenWeights, tokenizer: Tokenizer, asked: str) -> HostArray:
    assert given.embedding is not None
    theirs = _lanes(given.embedding, len(own))
    if given.vocabulary is None:
        rows = min(own.shape[1], theirs.shape[1])
        return np.concatenate([theirs[:, :rows], own[:, rows:]], axis=1)
    known = given.vocabulary
    shared = [(row, known[token]) for token, row in tokenizer.get_vocab().items() if token in known]
    if not shared:
        raise ConfigError(
            f"{asked}, whose vocabulary has no token in common with this run's; set config.data.tokens as it is there"
        )
    return mapped_embedding(own, theirs, shared)


def mapped_embedding(own: HostArray, theirs: HostArray, shared: list[tuple[int, int]]) -> HostArray:
    """Vectors ``[L, V, D]`` that are theirs for the shared tokens, whose rows (ours, theirs) are given."""
    rows, others = np.array(shared).T
    result = np.empty_like(own)
    for lane in range(len(own)):
        across, *_ = np.linalg.lstsq(own[lane, rows], theirs[lane, others], rcond=None)
        result[lane] = own[lane] @ across
        result[lane, rows] = theirs[lane, others]
    return result
