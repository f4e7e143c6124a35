"""Restores a trained run from its folder or an export: its best weights, or those of an epoch that it has kept."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from tokenizers import Tokenizer

from lstm_jax.config import Config, differences, epoch_name
from lstm_jax.data.batching import steps_per_epoch
from lstm_jax.data.labels import Classes
from lstm_jax.data.tokenizer import read_tokenizer, unknown_id
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.stages import stage
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.experiment import first_weights, used_objectives
from lstm_jax.training.weights import has_weights, read_weights
from lstm_jax.training.workdir import read_config, read_json, read_lanes, read_summary
from lstm_jax.types import Params

# Groups of the config that may differ between training and evaluation.
EVALUATION_GROUPS = ("data", "train")


class Trained(NamedTuple):
    """The weights of a run: the best ones, or those that were kept after an epoch.

    Attributes:
      config: The config of the evaluation.
      model: The module of the run.
      variables: The collections ``params`` and ``frozen``, with a leading axis L.
      tokenizer: The tokenizer of the run.
      classes: The classes, with their names and labels.
      lanes: Number of lanes, L.
      step: Step of the weights; with several lanes, the latest such step.
      workdir: Folder of the run.
      epoch: The epoch whose kept weights these are; 0: they are the best weights.
    """

    config: Config
    model: TextClassifier
    variables: Params
    tokenizer: Tokenizer
    classes: Classes
    lanes: int
    step: int
    workdir: Path
    epoch: int = 0

    def named(self, name: str) -> str:
        """A name for files about these weights, such as ``test`` or ``test-epoch_3``."""
        return f"{name}-epoch_{self.epoch}" if self.epoch else name


def load_run(workdir: Path, config: Config, unvalidated: bool = False, weights: str = "") -> Trained:
    """The best weights of the run in a folder, or those of an epoch.

    Args:
      workdir: Folder of the run.
      config: The run's config; its fields of ``data`` and ``train``, and incidental ones, may differ.
      unvalidated: Whether a run that was never validated has its initial weights, instead of an error.
      weights: The epoch whose weights are loaded, which ``train.keep_epochs`` has kept: its number, or their name.
        Empty: the best weights.

    Raises:
      UserError: The folder holds no trained run, or none of its checkpoints can be read.
      ConfigError: A field differs that must not.
    """
    for path, theirs, ours in differences(read_config(workdir), config, without=EVALUATION_GROUPS):
        raise ConfigError(
            f"config.{path} is {ours!r}, but the run in {workdir} was trained with {theirs!r}; for an evaluation only "
            "fields of config.data and config.train may change"
        )
    if config.data.class_names != read_config(workdir).data.class_names:
        raise ConfigError("config.data.class_names differs from the training; the classes of a run keep their names")
    facts = read_json(workdir / "data.json", dict)
    if facts is None:
        raise UserError(f"{workdir} holds no trained run; train first, with the same --workdir")
    if not {"classes", "labels"} <= set(facts):
        raise UserError(f"{workdir / 'data.json'} is damaged (it names no classes); restore it or use a new --workdir")
    classes = Classes(tuple(facts["classes"]), tuple(facts["labels"]))
    tokenizer = read_tokenizer(workdir / "tokenizer.json")
    model = TextClassifier(config.model, tokenizer.get_vocab_size(), len(classes.names), unknown_id(tokenizer))
    lanes = len(read_lanes(workdir, config))
    shapes, epoch = shapes_of(config, model, lanes), _asked_epoch(workdir, weights) if weights else 0
    with stage("loading the weights"):
        if epoch:
            variables, step = _of_epoch(workdir, epoch, shapes, facts)
        else:
            variables, step = _best(workdir, shapes, lanes, unvalidated)
    return Trained(config, model, variables, tokenizer, classes, lanes, step, workdir, epoch)


def kept_epochs(workdir: Path) -> dict[int, str]:
    """The epochs whose weights a run has kept, and the names of these weights."""
    config, checkpoints = read_config(workdir), Checkpoints(workdir, read_only=True)
    if not config.train.keep_epochs:
        return {}
    names = {epoch: epoch_name(config, epoch) for epoch in range(1, config.train.epochs + 1)}
    return {epoch: name for epoch, name in names.items() if checkpoints.has_epoch(name)}


def _asked_epoch(workdir: Path, asked: str) -> int:
    kept = kept_epochs(workdir)
    found = [epoch for epoch, name in kept.items() if asked in (str(epoch), name)]
    if found:
        return found[0]
    if not kept:
        raise ConfigError(
            f"there are no weights {asked!r}, since the run in {workdir} kept no weights of its epochs; train with "
            "--config.train.keep_epochs=epoch_{epoch}"
        )
    listed = ", ".join(f"{epoch} ({name})" for epoch, name in kept.items())
    raise ConfigError(f"the run in {workdir} kept no weights {asked!r}; it kept those of the epochs {listed}")


def _of_epoch(workdir: Path, epoch: int, shapes: Params, facts: dict[str, Any]) -> tuple[Params, int]:
    """The weights of a kept epoch, and their step."""
    checkpoints = Checkpoints(workdir, read_only=True)
    variables = checkpoints.restore_epoch(kept_epochs(workdir)[epoch], shapes)
    checkpoints.finish()
    assert variables is not None  # The folder is there.
    examples = facts.get("splits", {}).get("train", {}).get("examples", 0)
    return variables, epoch * steps_per_epoch(examples, read_config(workdir).train.batch_size)


def _best(workdir: Path, shapes: Params, lanes: int, unvalidated: bool) -> tuple[Params, int]:
    """The best weights, from checkpoints or, in a folder that ``export.py`` wrote, from safetensors; and their step."""
    checkpoints = Checkpoints(workdir, read_only=True)
    if checkpoints.is_empty and has_weights(workdir, lanes):
        return read_weights(workdir, shapes, lanes)
    best, loop_state = checkpoints.restore_best(shapes)
    checkpoints.finish()
    step = max(lane["best_step"] for lane in loop_state["lanes"])
    if not step and not unvalidated:
        summary = read_summary(workdir)
        if summary and summary["status"] == "diverged":
            raise UserError(
                f"the run in {workdir} diverged at step {summary['steps']}, before its first validation, so it has no "
                "weights to evaluate; train with a lower config.optimizer.learning_rate, in a new --workdir"
            )
        raise UserError(
            f"the run in {workdir} was interrupted at step {loop_state['step']}, before its first validation, so no "
            "weights are chosen yet; run the command that trains it again"
        )
    return best, step


def shapes_of(config: Config, model: TextClassifier, lanes: int) -> Params:
    """Shapes of a run's variables for a stack of lanes, to restore them into."""
    variables = jax.eval_shape(lambda: first_weights(model, used_objectives(config), jnp.uint32(0)))
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    shapes = {"params": variables["params"], "frozen": variables.get("frozen", {})}
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((lanes, *leaf.shape), leaf.dtype, sharding=here), shapes)
