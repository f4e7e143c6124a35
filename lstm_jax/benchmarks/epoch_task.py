"""What an epoch's benchmark hands from our process to the others: plain arrays and JSON in a folder.

It imports no JAX, so that a process that reads a task runs nothing of it.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np


class Reviews(NamedTuple):
    """A part of the corpus, and the batches that it is read in."""

    tokens: np.ndarray  # [W] int32, reviews end to end
    offsets: np.ndarray  # [N + 1] int64
    labels: np.ndarray  # [N] int32
    batches: np.ndarray  # [S, B] int32 numbers of reviews, -1 where a batch is not full
    lengths: np.ndarray  # [S] words that a batch is padded to in buckets


class Task(NamedTuple):
    """An epoch, ready to be trained by anyone."""

    config: Any  # as a namespace: ``config.model.layers``
    hparams: dict[str, float]  # by dotted path, as ``optimizer.learning_rate``
    unknown: int  # the id that dropped words become
    platform: str  # JAX's name for the kind of device that all compute on: cpu | gpu | tpu
    padding: str  # of ``torch_padded``: front, where the network reads it | end, where it is masked
    factors: np.ndarray  # [S] of the learning rate at each step
    weights: dict[str, np.ndarray]  # first values by path
    train: Reviews
    validation: Reviews
    test: Reviews


PARTS = ("train", "validation", "test")


def write(folder: Path, task: Task) -> None:
    """Writes a task; ``config`` must be JSON's objects here."""
    settings = {name: getattr(task, name) for name in ("config", "hparams", "unknown", "platform", "padding")}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    np.savez(folder / "weights.npz", **task.weights)  # type: ignore[arg-type]
    np.save(folder / "factors.npy", task.factors)
    for part in PARTS:
        np.savez(folder / f"{part}.npz", **getattr(task, part)._asdict())


def read(folder: Path) -> Task:
    """What ``write`` wrote."""
    settings: dict[str, Any] = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    arrays: dict[str, Any] = {part: Reviews(**_arrays(folder / f"{part}.npz")) for part in PARTS}
    arrays["factors"] = np.load(folder / "factors.npy", allow_pickle=False)
    arrays["weights"] = _arrays(folder / "weights.npz")
    task = Task(**settings, **arrays)
    return task._replace(config=_namespace(task.config))


def _namespace(value: Any) -> Any:
    """JSON's objects as namespaces, all the way down."""
    return SimpleNamespace(**{k: _namespace(v) for k, v in value.items()}) if isinstance(value, dict) else value


def _arrays(file: Path) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)
