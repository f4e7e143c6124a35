"""Which reviews of a source make the training, validation and test parts of a run."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from lstm_jax.config import DataConfig
from lstm_jax.data.sources import load as sources
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

Parts = dict[str, tuple[str, HostArray]]  # part → the source's split and row numbers in it


Blocks = list[HostArray] | HostArray  # row numbers by block; an array [N, 1] where every block is one review


class Selection(NamedTuple):
    """Which rows of which split of the source make the parts of a run."""

    parts: Parts
    rest: HostArray  # rows of the split ``train`` in no part


def select(source: Any, config: DataConfig) -> Selection:
    """Leaves out short reviews, balances the classes and divides what is left, all by the config's seed."""
    kept = {}
    for split, part in source.items():
        if split not in sources.SPLITS:
            continue
        kept[split] = np.arange(len(part))
        if config.min_characters:
            long = pc.greater_equal(part.data.column("characters"), config.min_characters)
            kept[split] = np.flatnonzero(long.to_numpy())
    if config.one_class_size:
        labels = np.asarray(source["train"].data.column("label"), np.int32)[kept["train"]]
        kept["train"] = kept["train"][balanced(labels, config.one_class_size, config.seed)]
    parts = split_rows(kept, config)
    rest = np.ones(len(source["train"]), bool)
    for split, own in parts.values():
        if split == "train":
            rest[own] = False
    return Selection(parts, np.flatnonzero(rest))


def balanced(labels: HostArray, size: int, seed: int) -> HostArray:
    """Row numbers, ascending, of ``size`` reviews of every class, or as many as the rarest class has (−1).

    Raises:
      UserError: a class has too few.
    """
    names, counts = np.unique(labels, return_counts=True)
    if size == -1:
        size = int(counts.min())
    if counts.min() < size:
        raise UserError(
            f"config.data.one_class_size is {size}, but only {counts.min()} reviews are of class "
            f"{names[counts.argmin()]}; lower it, or set -1 for as many as the rarest class has"
        )
    rng = np.random.default_rng([seed, 1])
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(labels == name))[:size] for name in names]))


def split_rows(kept: dict[str, HostArray], config: DataConfig) -> Parts:
    """Which rows of which split of the source make the training, validation and test parts.

    A part that the source lacks is drawn at random from ``train`` (validation also from the test part), by
    ``config.seed``, in blocks of ``config.split_block`` neighbours: where those tell of the same thing, a part
    drawn review by review would share it with the training reviews and look easier than new reviews are.

    Args:
      kept: row numbers of each split that the source has.
      config: fractions, entries, and seed.
    """
    block = config.split_block

    def shuffled(rows: HostArray, seed: Any) -> Blocks:
        rows = np.sort(rows)
        if block == 1:
            return np.random.default_rng(seed).permutation(rows)[:, None]
        blocks = np.split(rows, np.flatnonzero(np.diff(rows // block)) + 1)
        return [blocks[n] for n in np.random.default_rng(seed).permutation(len(blocks))]

    left = shuffled(kept["train"], config.seed)
    parts = {split: (split, rows) for split, rows in kept.items()}
    train_entries, eval_entries = config.train_entries, config.eval_entries
    if config.data_ratio:
        train_entries = eval_entries = 0
    if "test" not in kept:
        fraction = 1 - config.data_ratio if config.data_ratio else config.test_fraction
        drawn, left = _draw(left, fraction, eval_entries)
        parts["test"] = ("train", drawn)
    elif eval_entries:
        drawn, _ = _draw(shuffled(kept["test"], [config.seed, 2]), 1.0, eval_entries)
        parts["test"] = ("test", np.sort(drawn))
    if "validation" not in kept and config.validation_from == "test":
        split, rows = parts["test"]
        drawn, rest = _draw(shuffled(rows, [config.seed, 3]), config.validation_fraction)
        parts["validation"], parts["test"] = (split, drawn), (split, _joined(rest))
    elif "validation" not in kept:
        drawn, left = _draw(left, config.validation_fraction)
        parts["validation"] = ("train", drawn)
    parts["train"] = ("train", _joined(left)[: train_entries or None])
    for part, (_, own) in parts.items():
        if len(own) == 0:
            raise UserError(
                f"of {len(kept['train'])} reviews none is left for {part}; give more reviews, or change "
                f"config.data.validation_fraction ({config.validation_fraction}), test_fraction "
                f"({config.test_fraction}), data_ratio or the entries"
            )
    return parts


def _draw(blocks: Blocks, fraction: float, entries: int = 0) -> tuple[HostArray, Blocks]:
    """The rows of the first blocks, so many entries or else that fraction of the blocks, and the other blocks."""
    count = round(fraction * len(blocks))
    if entries:
        count = int(np.searchsorted(np.cumsum([len(rows) for rows in blocks]), entries)) + 1
    return _joined(blocks[:count])[: entries or None], blocks[count:]


def _joined(blocks: Blocks) -> HostArray:
    if isinstance(blocks, np.ndarray):
        return blocks.reshape(-1)
    return np.concatenate(blocks) if blocks else np.zeros(0, int)
