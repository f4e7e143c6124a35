"""A run that begins with another run's weights: fine-tuning on other reviews or classes."""

from pathlib import Path

import jax
import numpy as np
from tokenizers import Tokenizer

from lstm_jax.config import validate
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.evaluation import figures as evaluation
from lstm_jax.training.experiment import TrainState
from lstm_jax.training.workdir import read_config
from lstm_jax.types import HostArray, Params

GIVEN = ("embedding", "layers")  # parts of the module; the others begin anew, since the classes may be others


def begin(state: TrainState, tokenizer: Tokenizer, workdir: Path, cell: str) -> TrainState:
    """Puts embedding and layers of the run in ``workdir`` into a new state; its lanes are handed out in turn.

    Words are found by name. A word that the other run does not know keeps its own first vector, mapped into
    that run's space by the least-squares map of the words they share (Mikolov et al. 2013).

    Args:
      state: of all lanes, at step 0.
      tokenizer: of the new run.
      workdir: of a finished run whose embedding and layers have the same sizes and cells.
      cell: of the new run.

    Raises:
      ConfigError: there is no such run, or a part has other cells or sizes there.
    """
    try:
        other = evaluation.load(workdir, validate(read_config(workdir), trains=False))
    except UserError as error:
        raise ConfigError(f"config.model.init_from is {str(workdir)!r}, which cannot be begun with: {error}") from None
    if other.config.model.layer != cell:
        raise ConfigError(
            f"config.model.init_from is {str(workdir)!r}, whose cell is {other.config.model.layer!r}, and "
            f"config.model.layer {cell!r}; set config.model as it is there"
        )
    lanes = state.seed.shape[0]
    given = jax.tree.map(lambda leaf: np.asarray(leaf)[np.arange(lanes) % other.lanes], other.variables)
    known = other.tokenizer.get_vocab()
    shared = [(row, known[word]) for word, row in tokenizer.get_vocab().items() if word in known]

    def moved(own: Params, theirs: Params) -> Params:
        parts = dict(own)
        for name in own:
            if name not in GIVEN:
                continue
            if name == "embedding":
                parts[name] = _embedding(np.asarray(own[name]), theirs.get(name), shared, workdir)
                continue
            if jax.tree.map(np.shape, own[name]) != jax.tree.map(np.shape, theirs.get(name)):
                raise ConfigError(
                    f"config.model.init_from is {str(workdir)!r}, whose {name} are of other kinds or sizes; "
                    "set config.model as it is there"
                )
            parts[name] = theirs[name]
        return parts

    def placed(new: Params, old: Params) -> Params:
        return jax.tree.map(lambda a, b: jax.device_put(np.asarray(a, b.dtype), b.sharding), new, old)

    both = {**given["frozen"], **given["params"]}
    params = placed(moved(state.params, both), state.params)
    frozen = placed(moved(state.frozen, both), state.frozen) if state.frozen else state.frozen
    average = jax.tree.map(lambda leaf: leaf.copy(), params) if state.average != () else ()
    return state._replace(params=params, frozen=frozen, average=average)


def _embedding(own: HostArray, theirs: HostArray | None, shared: list[tuple[int, int]], workdir: Path) -> HostArray:
    if theirs is None or own.shape[2] != theirs.shape[2] or not shared:
        raise ConfigError(
            f"config.model.init_from is {str(workdir)!r}, whose words have vectors of another size or are all other "
            "words; set config.model.embedding_size and config.data.tokens as they are there"
        )
    rows, others = np.array(shared).T
    result = np.empty_like(own)
    for lane in range(len(own)):
        across, *_ = np.linalg.lstsq(own[lane, rows], theirs[lane, others], rcond=None)
        result[lane] = own[lane] @ across
        result[lane, rows] = theirs[lane, others]
    return result
