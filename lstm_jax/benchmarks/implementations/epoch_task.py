"""An epoch of training as our process hands it to the others: a file of plain arrays and settings."""

import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax.config import Config, from_json, to_json

SPLITS = ("train", "validation", "test")


class Batches(NamedTuple):
    """A split of the data, and the batches that it is read in."""

    tokens: np.ndarray  # [W] int32, all examples end to end
    offsets: np.ndarray  # [N + 1] int64
    labels: np.ndarray  # [N] int32
    examples: np.ndarray  # [S, B] int32, the numbers of the examples in each batch; -1 where a batch is not full
    lengths: np.ndarray  # [S], the tokens that a batch is padded to in buckets


class Task(NamedTuple):
    """All that an implementation needs to train the same epoch."""

    config: Config
    hparams: dict[str, float]  # Values by dotted path, as ``optimizer.learning_rate``.
    unknown: int  # the id of unknown and of dropped tokens
    platform: str  # JAX's name for the kind of device that all compute on: cpu | gpu | tpu
    padding: str  # ``torch_padded`` pads at the front, where the network reads it, or at the end, where it is masked.
    factors: np.ndarray  # [S], the learning rate's factor at each step
    weights: dict[str, np.ndarray]  # initial values by path, as ``layers/cells/0/bias``
    batches: dict[str, Batches]  # Batches by split.


def write(folder: Path, task: Task) -> None:
    """Writes a task into a folder."""
    (folder / "task.pickle").write_bytes(pickle.dumps({**task._asdict(), "config": to_json(task.config)}))


def read(folder: Path) -> Task:
    """Reads it back."""
    values = pickle.loads((folder / "task.pickle").read_bytes())  # our own file
    return Task(**{**values, "config": from_json(values["config"])})
