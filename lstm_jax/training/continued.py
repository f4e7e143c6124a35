"""Starting a run where another one stopped: its last weights, and the state of its optimizer."""

import logging
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lstm_jax.config import Config
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.tokenizer import read_tokenizer
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.registry import OPTIMIZERS
from lstm_jax.training.checkpoints import Checkpoints, leaves_by_path
from lstm_jax.training.experiment import TrainState
from lstm_jax.training.warm_start import check_classes
from lstm_jax.training.workdir import read_config, read_json
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)

_ADVICE = "take config.model.init_parts=embedding,layers,head"


def takes_optimizer(config: Config) -> bool:
    """Whether a config's run begins with another run's state of the optimizer."""
    return bool(config.model.init_from) and not {"optimizer", "all"}.isdisjoint(config.model.init_parts)


def continued_state(state: TrainState, corpora: Corpora, config: Config, total_steps: int) -> TrainState:
    """A state at step 0 with all weights and the optimizer's state of the last checkpoint of ``model.init_from``.

    Counters inside the optimizer go on, such as that of Adam's bias correction. The learning-rate schedule begins anew
    over the new run's steps, and so does a moving average of the weights. Hyper-parameters and seeds are those of
    ``state``. If the other run has fewer lanes, its lanes are used in turn.

    Args:
      state: The new run's state.
      corpora: The new run's examples.
      config: The new run's config.
      total_steps: The new run's number of steps, for the log.

    Raises:
      ConfigError: There is no such run, it has no optimizer's state, or another optimizer, vocabulary, classes or
        shapes.
    """
    workdir = Path(config.model.init_from)
    asked = f"config.model.init_from is {str(workdir)!r}"
    checkpoints = Checkpoints(workdir, read_only=True)
    if checkpoints.is_empty:
        raise ConfigError(
            f"{asked}, which has no state of an optimizer; only a run with checkpoints has one: {_ADVICE}"
        )
    try:
        _check_run(asked, workdir, corpora, config)
        step, theirs = checkpoints.newest_state()
    except UserError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{asked}, which cannot be loaded: {error}") from None
    if not theirs["finite"].all():
        raise ConfigError(f"{asked}, which has diverged; {_ADVICE} of the best weights, or another run")
    kept = _schedule_counts(state.opt_state)
    alone = not kept or OPTIMIZERS[config.optimizer.name].averages
    if config.optimizer.schedule != "constant" and alone:
        raise ConfigError(
            f"config.optimizer.schedule is {config.optimizer.schedule!r}, which begins anew, but "
            f"{config.optimizer.name!r} counts its steps by itself and would go on within it; set "
            f"config.optimizer.schedule=constant, or {_ADVICE}"
        )
    own = {name: getattr(state, name) for name in ("params", "frozen", "opt_state")}
    _check_shapes(asked, leaves_by_path(own), theirs)
    lanes = len(state.step)

    def place(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if name in kept:
            return leaf
        value: HostArray = theirs[name]
        return jax.device_put(value[np.arange(lanes) % len(value)].astype(leaf.dtype), leaf.sharding)

    taken = jax.tree_util.tree_map_with_path(place, own)
    _log.info(
        "init_from: took all weights and the state of %s after step %s from %s", config.optimizer.name, step, workdir
    )
    _log.info("init_from: the learning-rate schedule begins anew, over %s steps", f"{total_steps:,}")
    average = jax.tree.map(jnp.copy, taken["params"]) if state.average != () else ()
    return state._replace(**taken, average=average)


def _check_run(asked: str, workdir: Path, corpora: Corpora, config: Config) -> None:
    other, facts = read_config(workdir), read_json(workdir / "data.json", dict) or {}
    if other.optimizer.name != config.optimizer.name:
        raise ConfigError(
            f"{asked}, whose optimizer is {other.optimizer.name!r}, and config.optimizer.name is "
            f"{config.optimizer.name!r}, which cannot use its state; set it as it is there, or {_ADVICE}"
        )
    if other.model.layer != config.model.layer:
        raise ConfigError(
            f"{asked}, whose layers are {other.model.layer!r}, and config.model.layer is {config.model.layer!r}; set "
            "config.model as it is there"
        )
    check_classes(asked, tuple(facts.get("classes", ())), corpora.classes.names)
    if read_tokenizer(workdir / "tokenizer.json").get_vocab() != corpora.tokenizer.get_vocab():
        raise ConfigError(
            f"{asked}, whose vocabulary is another than that of this run's training texts, so the optimizer's state is "
            f"that of other tokens; {_ADVICE}"
        )


def _check_shapes(asked: str, own: dict[str, Any], theirs: dict[str, HostArray]) -> None:
    there = {path: leaf for path, leaf in theirs.items() if path.split(".")[0] in ("params", "frozen", "opt_state")}
    shapes = [{path: leaf.shape[1:] for path, leaf in each.items()} for each in (own, there)]
    weights_first = sorted({**shapes[0], **shapes[1]}, key=lambda path: path.startswith("opt_state."))
    for path in weights_first:
        here, other = (each.get(path, "no array") for each in shapes)
        if here != other:
            raise ConfigError(
                f"{asked}, where the shape of {path} is {other}, and here it is {here}; set config.model and "
                f"config.optimizer as they are there, or {_ADVICE}"
            )


def _schedule_counts(opt_state: Any) -> set[str]:
    """The paths of the counters from which schedules take the learning rate."""
    is_schedule = lambda node: isinstance(node, optax.ScaleByScheduleState)
    nodes = jax.tree_util.tree_flatten_with_path({"opt_state": opt_state}, is_leaf=is_schedule)[0]
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, node in nodes if is_schedule(node)]
    return {f"{name}.count" for name in names}
