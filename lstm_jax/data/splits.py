"""Which examples of a source are for training, validation and testing."""

from typing import Any, NamedTuple

import numpy as np

from lstm_jax.config import DataConfig
from lstm_jax.data.examples import Examples
from lstm_jax.data.sources import SPLITS
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

# For each split of a run, the split of the source that it is drawn from and its row numbers there.
Splits = dict[str, tuple[str, HostArray]]

# Row numbers by block; an array ``[N, 1]`` if every block is one example.
Blocks = list[HostArray] | HostArray


class Selection(NamedTuple):
    """Which rows of a source a run uses.

    Attributes:
      splits: The rows for training, validation and testing.
      rest: Rows of the source's ``train`` that are in no split.
    """

    splits: Splits
    rest: HostArray


def select(source: dict[str, Examples], config: DataConfig) -> Selection:
    """Leaves out short texts, balances the classes and splits the remaining rows, all by the config's seed.

    Args:
      source: The examples by split, from ``load_examples``.
      config: Which examples to use, and how many.

    Raises:
      UserError: A class is too small to balance, or a split would be empty.
    """
    kept = {}
    for split in SPLITS:
        if split not in source:
            continue
        kept[split] = np.arange(len(source[split].classes))
        if config.min_characters:
            kept[split] = np.flatnonzero(source[split].column("characters") >= config.min_characters)
    if config.one_class_size:
        labels = source["train"].classes[kept["train"]]
        kept["train"] = kept["train"][balanced(labels, config.one_class_size, config.seed)]
    splits = split_rows(kept, config)
    rest = np.ones(len(source["train"].classes), bool)
    for drawn_from, rows in splits.values():
        if drawn_from == "train":
            rest[rows] = False
    return Selection(splits, np.flatnonzero(rest))


def balanced(labels: HostArray, size: int, seed: int) -> HostArray:
    """Ascending row numbers of ``size`` examples of every class.

    Args:
      labels: The labels, ``[N]``.
      size: Examples to keep per class; −1 matches the rarest class.
      seed: Seed of the choice.

    Raises:
      UserError: A class has too few examples.
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


def split_rows(kept: dict[str, HostArray], config: DataConfig) -> Splits:
    """Divides row numbers into training, validation and test rows.

    A split that the source lacks is drawn at random from ``train`` (validation from the test split, if the config says
    so) in blocks of ``config.split_block`` adjacent rows. If adjacent rows are about the same thing, a split drawn row
    by row would share it with the training examples, and its accuracy would be higher than on new examples.

    Args:
      kept: The row numbers to split, by split of the source.
      config: Fractions, numbers of entries, and the seed.

    Raises:
      UserError: A split would be empty.
    """
    block = config.split_block
    left = _shuffled(kept["train"], block, config.seed)
    splits = {split: (split, rows) for split, rows in kept.items()}
    train_entries, eval_entries = config.train_entries, config.eval_entries
    if config.data_ratio:
        train_entries = eval_entries = 0
    if "test" not in kept:
        fraction = 1 - config.data_ratio if config.data_ratio else config.test_fraction
        drawn, left = _draw(left, fraction, eval_entries)
        splits["test"] = ("train", drawn)
    elif eval_entries:
        drawn, _ = _draw(_shuffled(kept["test"], block, [config.seed, 2]), 1.0, eval_entries)
        splits["test"] = ("test", np.sort(drawn))
    if "validation" not in kept and config.validation_from == "test":
        drawn_from, rows = splits["test"]
        drawn, rest = _draw(_shuffled(rows, block, [config.seed, 3]), config.validation_fraction)
        splits["validation"], splits["test"] = (drawn_from, drawn), (drawn_from, _joined(rest))
    elif "validation" not in kept:
        drawn, left = _draw(left, config.validation_fraction)
        splits["validation"] = ("train", drawn)
    splits["train"] = ("train", _joined(left)[: train_entries or None])
    for split, (_, rows) in splits.items():
        if len(rows) == 0:
            raise UserError(
                f"of {len(kept['train'])} reviews none is left for {split}; give more reviews, or change "
                f"config.data.validation_fraction ({config.validation_fraction}), test_fraction "
                f"({config.test_fraction}), data_ratio or the entries"
            )
    return splits


def _shuffled(rows: HostArray, block: int, seed: Any) -> Blocks:
    """Rows in blocks of adjacent rows, the blocks in random order."""
    rows = np.sort(rows)
    if block == 1:
        return np.random.default_rng(seed).permutation(rows)[:, None]
    blocks = np.split(rows, np.flatnonzero(np.diff(rows // block)) + 1)
    return [blocks[n] for n in np.random.default_rng(seed).permutation(len(blocks))]


def _draw(blocks: Blocks, fraction: float, entries: int = 0) -> tuple[HostArray, Blocks]:
    """Draws rows from the first blocks; returns them and the blocks that are left.

    The number of rows is ``entries``, or if that is 0, ``fraction`` of the blocks.
    """
    count = round(fraction * len(blocks))
    if entries:
        count = int(np.searchsorted(np.cumsum([len(rows) for rows in blocks]), entries)) + 1
    return _joined(blocks[:count])[: entries or None], blocks[count:]


def _joined(blocks: Blocks) -> HostArray:
    if isinstance(blocks, np.ndarray):
        return blocks.reshape(-1)
    return np.concatenate(blocks) if blocks else np.zeros(0, int)
