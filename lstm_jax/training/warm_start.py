"""Starting a run from given weights: those of another run, or of a file, such as a PyTorch module's."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from tokenizers import Tokenizer

from lstm_jax.config import ModelConfig
from lstm_jax.data.tokenizer import read_tokenizer
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.layers.dropped_lstm import without_dropout
from lstm_jax.training.restore import load_run
from lstm_jax.training.weight_files import SUFFIXES, read_tensors
from lstm_jax.training.weight_matching import Found, find_embedding, find_layers
from lstm_jax.training.workdir import evaluation_config
from lstm_jax.types import HostArray, Params

_log = logging.getLogger(__name__)

LISTED = 5  # Number of a file's unused tensors that are named.


class GivenWeights(NamedTuple):
    """What another model gives to a run. Its arrays have a leading axis of lanes."""

    embedding: HostArray | None  # [L, R, D]
    vocabulary: Mapping[str, int] | None  # The rows of the embedding's tokens; None: those of the new run.
    layers: Params | None
    notes: list[str]  # What was taken from where, and what was left there.


def transfer(variables: Params, tokenizer: Tokenizer, config: ModelConfig) -> Params:
    """Copies embedding and layers of a trained model, ``config.init_from``, into new variables.

    The head is newly initialised, since the classes may differ. If the other model has fewer lanes, its lanes are used
    in turn. Tokens are matched by their text. A token that the other model does not know keeps its initial vector,
    mapped into that model's space by the least-squares map of the shared tokens (Mikolov et al. 2013). The embedding of
    a file without a ``tokenizer.json`` beside it is taken row by row, if it has as many rows as the vocabulary has
    tokens. What was taken and what was left is logged.

    Args:
      variables: Variables of all lanes before training.
      tokenizer: Vocabulary of the new run.
      config: The new run's model, which has the same kinds and sizes of embedding and layers.

    Raises:
      ConfigError: There is no such run or file, it cannot be read, a part has another kind or size there, or nothing in
        the file fits.
    """
    asked, path = f"config.model.init_from is {config.init_from!r}", Path(config.init_from)
    from_file = path.is_file() or path.suffix.lower() in SUFFIXES
    parts = {**variables.get("frozen", {}), **variables["params"]}
    given = _file(path, parts, tokenizer, config) if from_file and not path.is_dir() else _run(path, parts, config)
    taken: dict[str, Params] = {}
    if given.embedding is not None:
        taken["embedding"] = _embedding(np.asarray(parts["embedding"]), given, tokenizer, asked)
    if given.layers is not None:
        taken["layers"] = _lanes(given.layers, len(jax.tree.leaves(parts["layers"])[0]))
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


def _run(workdir: Path, parts: Params, config: ModelConfig) -> GivenWeights:
    """The weights of a run in a folder."""
    asked = f"config.model.init_from is {str(workdir)!r}"
    try:
        other = load_run(workdir, evaluation_config(workdir))
    except UserError as error:
        raise ConfigError(f"{asked}, which cannot be loaded: {error}") from None
    if without_dropout(other.config.model.layer) != without_dropout(config.layer):
        raise ConfigError(
            f"{asked}, whose layers are {other.config.model.layer!r}, and config.model.layer is {config.layer!r}; set "
            "config.model as it is there"
        )
    theirs = {**other.variables["frozen"], **other.variables["params"]}
    if theirs["embedding"].shape[2] != parts["embedding"].shape[2]:
        raise ConfigError(
            f"{asked}, whose embedding has another size; set config.model.embedding_size={theirs['embedding'].shape[2]}"
        )
    shapes = lambda tree: jax.tree.map(lambda leaf: leaf.shape[1:], tree)
    if shapes(parts["layers"]) != shapes(theirs["layers"]):
        raise ConfigError(f"{asked}, whose layers are of other kinds or sizes; set config.model as it is there")
    notes = [f"took embedding and layers from {workdir}"]
    return GivenWeights(np.asarray(theirs["embedding"]), other.tokenizer.get_vocab(), theirs["layers"], notes)


def _file(file: Path, parts: Params, tokenizer: Tokenizer, config: ModelConfig) -> GivenWeights:
    """The weights of a file, and of the vocabulary in ``tokenizer.json`` beside it if there is one."""
    beside, words = file.with_name("tokenizer.json"), tokenizer.get_vocab_size()
    try:
        vocabulary = read_tokenizer(beside).get_vocab() if beside.exists() else None
        tensors = read_tensors(file)
        rows = {words, parts["embedding"].shape[1]}
        usable = lambda n: n in rows if vocabulary is None else n > max(vocabulary.values())
        embedding = find_embedding(tensors, config.embedding_size, usable)
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), parts["layers"])
        layers = find_layers(tensors, shapes, config)
    except UserError as error:
        raise ConfigError(f"config.model.init_from is {str(file)!r}: {error}") from error
    if layers is None and isinstance(embedding, str):
        raise ConfigError(
            f"config.model.init_from is {str(file)!r}: it holds no recurrent layer and no embedding that fits "
            f"({embedding}), so nothing can be taken; give the state dict of an nn.LSTM, nn.GRU or nn.RNN"
        )
    taken = [found for found in (embedding, layers) if isinstance(found, Found)]
    notes = [f"took {note}" for found in taken for note in found.notes]
    if isinstance(embedding, str):
        remedy = (
            f", the vocabulary {words:,} tokens; a tokenizer.json beside the file would say which row is which token"
        )
        notes.append(f"took no embedding: {embedding}{remedy if vocabulary is None else ''}")
    elif vocabulary is not None:
        notes.append(f"rows of the embedding are matched by the tokens in {beside}")
    else:
        notes.append("rows of the embedding are taken in their order, since no tokenizer.json lies beside the file")
    unused = [name for name in tensors if not any(name in found.names for found in taken)]
    more = f" and {len(unused) - LISTED:,} more" if len(unused) > LISTED else ""
    notes += [f"not used: {', '.join(unused[:LISTED])}{more}"] if unused else []
    table = embedding.values if isinstance(embedding, Found) else None
    return GivenWeights(table, vocabulary, layers.values if layers else None, notes)


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
