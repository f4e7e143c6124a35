"""Starting a run from another run's weights: fine-tuning on other examples or classes."""

from pathlib import Path

import jax
import numpy as np
from tokenizers import Tokenizer

from lstm_jax.errors import ConfigError, UserError
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import evaluation_config
from lstm_jax.types import HostArray, Params

TRANSFERRED = ("embedding", "layers")  # The other parts are newly initialised, since the classes may differ.


def transfer(variables: Params, tokenizer: Tokenizer, workdir: Path, layer: str) -> Params:
    """Copies embedding and layers of the run in ``workdir`` into new variables.

    If that run has fewer lanes, its lanes are used in turn. Tokens are matched by their text. A token that the other
    run does not know keeps its initial vector, mapped into that run's space by the least-squares map of the shared
    tokens (Mikolov et al. 2013).

    Args:
      variables: Variables of all lanes before training.
      tokenizer: Vocabulary of the new run.
      workdir: Folder of a trained run whose embedding and layers have the same kinds and sizes.
      layer: Kind of the new run's layers, ``config.model.layer``.

    Raises:
      ConfigError: There is no such run, or a part has another kind or size there.
    """
    asked = f"config.model.init_from is {str(workdir)!r}"
    try:
        other = load_run(workdir, evaluation_config(workdir))
    except UserError as error:
        raise ConfigError(f"{asked}, which cannot be loaded: {error}") from None
    if other.config.model.layer != layer:
        raise ConfigError(
            f"{asked}, whose layers are {other.config.model.layer!r}, and config.model.layer is {layer!r}; set "
            "config.model as it is there"
        )
    lanes = jax.tree.leaves(variables)[0].shape[0]
    given = jax.tree.map(lambda leaf: np.asarray(leaf)[np.arange(lanes) % other.lanes], other.variables)
    theirs = {**given["frozen"], **given["params"]}
    known = other.tokenizer.get_vocab()
    shared = [(row, known[token]) for token, row in tokenizer.get_vocab().items() if token in known]

    def part(name: str, own: Params) -> Params:
        if name not in TRANSFERRED:
            return own
        if name == "embedding":
            new = _embedding(np.asarray(own), theirs.get(name), shared, asked)
        elif jax.tree.map(np.shape, own) != jax.tree.map(np.shape, theirs.get(name)):
            raise ConfigError(f"{asked}, whose {name} are of other kinds or sizes; set config.model as it is there")
        else:
            new = theirs[name]
        return jax.tree.map(lambda a, b: jax.device_put(np.asarray(a, b.dtype), b.sharding), new, own)

    return {kind: {name: part(name, own) for name, own in parts.items()} for kind, parts in variables.items()}


def _embedding(own: HostArray, theirs: HostArray | None, shared: list[tuple[int, int]], asked: str) -> HostArray:
    if theirs is None or own.shape[2] != theirs.shape[2] or not shared:
        raise ConfigError(
            f"{asked}, whose embedding has another size or no token in common; set "
            "config.model.embedding_size and config.data.tokens as they are there"
        )
    rows, others = np.array(shared).T
    result = np.empty_like(own)
    for lane in range(len(own)):
        across, *_ = np.linalg.lstsq(own[lane, rows], theirs[lane, others], rcond=None)
        result[lane] = own[lane] @ across
        result[lane, rows] = theirs[lane, others]
    return result
