"""The description of an epoch of training that our process writes for the others: a file of arrays and settings."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax.config import Config, from_json, to_json
from lstm_jax.data.sources.base import SPLITS


class Batches(NamedTuple):
    """A split of the data and its batches."""

    tokens: np.ndarray  # [W] int32, the tokens of all examples, concatenated
    offsets: np.ndarray  # [N + 1] int64
    labels: np.ndarray  # [N] int32
    examples: np.ndarray  # [S, B] int32, the example numbers of each batch; -1 where a batch is not full
    lengths: np.ndarray  # [S], the padded length of each batch in buckets


class EpochTask(NamedTuple):
    """Everything that an implementation needs to train the same epoch."""

    config: Config
    hparams: dict[str, float]  # Values by dotted path, such as ``optimizer.learning_rate``.
    unknown: int  # The id of unknown and of dropped tokens.
    platform: str  # JAX's name for the kind of device that all implementations use: cpu | gpu | tpu.
    padding: str  # ``torch_padded`` pads at the front, where the network reads it, or at the end, where it is masked.
    factors: np.ndarray  # [S], the schedule's factor on the learning rate at each step
    weights: dict[str, np.ndarray]  # Initial values by path, such as ``layers/cells/0/bias``.
    batches: dict[str, Batches]  # Batches by split.


def write_task(folder: Path, task: EpochTask) -> None:
    """Writes a task into a folder."""
    settings = {name: getattr(task, name) for name in ("hparams", "unknown", "platform", "padding")}
    (folder / "task.json").write_text(json.dumps({"config": to_json(task.config), **settings}), encoding="utf-8")
    arrays = {f"weights:{path}": value for path, value in task.weights.items()}
    for split, batches in task.batches.items():
        arrays |= {f"{split}:{name}": value for name, value in batches._asdict().items()}
    np.savez(folder / "task.npz", factors=task.factors, **arrays)  # type: ignore[arg-type]


def read_task(folder: Path) -> EpochTask:
    """Reads the task of a folder."""
    settings = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    groups: dict[str, dict[str, np.ndarray]] = {}
    with np.load(folder / "task.npz", allow_pickle=False) as arrays:
        factors = arrays["factors"]
        for key in arrays.files:
            group, _, name = key.partition(":")
            groups.setdefault(group, {})[name] = arrays[key]
    batches = {split: Batches(**groups[split]) for split in SPLITS}
    config = from_json(settings.pop("config"))
    return EpochTask(config, factors=factors, weights=groups["weights"], batches=batches, **settings)
