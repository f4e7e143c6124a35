"""Which examples of a source are for training, validation and testing."""

from typing import NamedTuple

import numpy as np

from lstm_jax.config import DataConfig
from lstm_jax.data.blocks import draw, in_proportion, shuffled, sorted_by_class
from lstm_jax.data.examples import Examples
from lstm_jax.data.sources import SPLITS
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

# For each split of a run, the split of the source that it is drawn from and its row numbers there.
Splits = dict[str, tuple[str, HostArray]]


class Selection(NamedTuple):
    """Which rows of a source a run uses.

    Attributes:
      splits: The rows for training, validation and testing.
      rest: Rows of the source's ``train`` that are in no split.
      left_out: Numbers of rows that are in no split, by reason.
    """

    splits: Splits
    rest: HostArray
    left_out: dict[str, int]


def select(source: dict[str, Examples], config: DataConfig) -> Selection:
    """Leaves out short texts, balances the classes and splits the remaining rows, all by the config's seed.

    Args:
      source: The examples by split, from ``load_examples``.
      config: Which examples to use, and how many.

    Raises:
      UserError: A class is too small to balance, or a split would be empty.
    """
    kept, left_out = {}, {}
    for split in SPLITS:
        if split not in source:
            continue
        kept[split] = np.arange(len(source[split].classes))
        if config.min_characters:
            kept[split] = np.flatnonzero(source[split].column("characters") >= config.min_characters)
            short = len(source[split].classes) - len(kept[split])
            left_out[f"{split}: shorter than {config.min_characters} characters"] = short
    if config.one_class_size:
        labels = source["train"].classes[kept["train"]]
        kept["train"] = kept["train"][balanced(labels, config.one_class_size, config.seed)]
        left_out["train: to balance the classes (one_class_size)"] = len(labels) - len(kept["train"])
    splits = split_rows(kept, {split: source[split].classes for split in kept}, config)
    rest = np.ones(len(source["train"].classes), bool)
    for drawn_from, rows in splits.values():
        if drawn_from == "train":
            rest[rows] = False
    for split, rows in kept.items():
        used = sum(len(own) for drawn_from, own in splits.values() if drawn_from == split)
        left_out[f"{split}: that no split needs"] = len(rows) - used
    return Selection(splits, np.flatnonzero(rest), {reason: count for reason, count in left_out.items() if count})


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


def split_rows(kept: dict[str, HostArray], classes: dict[str, HostArray], config: DataConfig) -> Splits:
    """Divides row numbers into training, validation and test rows.

    A split that the source lacks is drawn at random from ``train`` (validation from the test split, if the config says
    so) in blocks of ``config.split_block`` adjacent rows. If adjacent rows are about the same thing, a split drawn row
    by row would share it with the training examples, and its accuracy would be higher than on new examples.

    If the rows are sorted by class (``sorted_by_class``), so that a block has a single class, every class gives its
    share of blocks to every split. Numbers of entries that need no blocks, those of training rows and of the source's
    own test split, then are drawn row by row.

    Args:
      kept: The ascending row numbers to split, by split of the source.
      classes: The class numbers of all rows, by split of the source.
      config: Fractions, numbers of entries, and the seed.

    Raises:
      UserError: A split would be empty.
    """
    if config.data_ratio == 0:
        return _all_for_testing(kept)
    if config.data_ratio == 1 and "test" not in kept and "validation" not in kept and config.validation_from == "test":
        raise UserError(
            "config.data.data_ratio is 1, so there is no test split, but config.data.validation_from is 'test'; "
            "set that to train, or lower the ratio"
        )
    splits = _in_order(kept, config) if config.order == "first" else _at_random(kept, classes, config)
    _check_not_empty(splits, kept, config)
    return splits


def _at_random(kept: dict[str, HostArray], classes: dict[str, HostArray], config: DataConfig) -> Splits:
    """Rows drawn at random, in blocks."""
    block, seed = config.split_block, config.seed
    strata = {split: classes[split] if sorted_by_class(kept[split], classes[split], block) else None for split in kept}
    left = shuffled(kept["train"], block, seed, strata["train"])
    splits = {split: (split, rows) for split, rows in kept.items()}
    train_entries, eval_entries, fraction = _asked(config)
    if "test" not in kept and config.data_ratio == 1:
        splits["test"] = ("train", np.zeros(0, int))
    elif "test" not in kept:
        from_test = "validation" not in kept and config.validation_from == "test"
        later = 1 + ("validation" not in kept and not from_test)
        drawn, left = draw(left, fraction, eval_entries, splits=1 + from_test, later=later)
        splits["test"] = ("train", drawn)
    elif eval_entries:
        splits["test"] = ("test", _test_entries(kept["test"], strata["test"], config))
    if "validation" not in kept and config.validation_from == "test":
        drawn_from, rows = splits["test"]
        drawn, rest = draw(shuffled(rows, block, [seed, 3], strata[drawn_from]), config.validation_fraction)
        splits["validation"], splits["test"] = (drawn_from, drawn), (drawn_from, rest.rows)
    elif "validation" not in kept:
        drawn, left = draw(left, config.validation_fraction)
        splits["validation"] = ("train", drawn)
    rows = left.rows
    if train_entries and strata["train"] is not None:
        rows = in_proportion(rows, strata["train"], [seed, 4])
    splits["train"] = ("train", rows[: train_entries or None])
    return splits


def _asked(config: DataConfig) -> tuple[int, int, float]:
    """Numbers of training and test entries, 0 for all, and the fraction of test rows if the source has none."""
    if config.data_ratio >= 0:
        return 0, 0, 1 - config.data_ratio
    return config.train_entries, config.eval_entries, config.test_fraction


def _all_for_testing(kept: dict[str, HostArray]) -> Splits:
    """All rows as test rows, none for training and validation."""
    if others := [split for split in kept if split != "train"]:
        raise UserError(
            f"config.data.data_ratio is 0, but the source has a {others[0]} split of its own, and a split is drawn "
            "from one split of the source; evaluate all examples with --split=all"
        )
    if not len(kept["train"]):
        raise UserError("config.data.data_ratio is 0, and no example is left for testing; lower min_characters")
    none = np.zeros(0, int)
    return {"test": ("train", np.sort(kept["train"])), "validation": ("train", none), "train": ("train", none)}


def _in_order(kept: dict[str, HostArray], config: DataConfig) -> Splits:
    """The rows in their order: the first are for training, the next for validation, the last for testing.

    Of more rows than ``train_entries`` or ``eval_entries`` the first are taken.
    """
    train_entries, eval_entries, fraction = _asked(config)
    splits = {split: (split, rows) for split, rows in kept.items()}
    rows = kept["train"]
    if "test" in kept:
        splits["test"] = ("test", kept["test"][: eval_entries or None])
    else:
        rows, test = _ended(rows, eval_entries or round(fraction * len(rows)))
        splits["test"] = ("train", test)
    if "validation" not in kept and config.validation_from == "test":
        drawn_from, test = splits["test"]
        count = round(config.validation_fraction * len(test))
        splits["validation"], splits["test"] = (drawn_from, test[:count]), (drawn_from, test[count:])
    elif "validation" not in kept:
        rows, validation = _ended(rows, round(config.validation_fraction * len(rows)))
        splits["validation"] = ("train", validation)
    splits["train"] = ("train", rows[: train_entries or None])
    return splits


def _ended(rows: HostArray, count: int) -> tuple[HostArray, HostArray]:
    """The rows without the last ``count``, and those."""
    first = max(len(rows) - count, 0)
    return rows[:first], rows[first:]


def _test_entries(rows: HostArray, strata: HostArray | None, config: DataConfig) -> HostArray:
    """The rows of the source's own test split that are used.

    Row by row they come from as many blocks as possible. If validation rows are drawn from them, blocks are kept
    together then.
    """
    if strata is None:
        drawn, _ = draw(shuffled(rows, config.split_block, [config.seed, 2]), 1.0, config.eval_entries)
    else:
        drawn = in_proportion(rows, strata, [config.seed, 2])[: config.eval_entries]
    return np.sort(drawn)


def _check_not_empty(splits: Splits, kept: dict[str, HostArray], config: DataConfig) -> None:
    short = f" of at least {config.min_characters} characters (min_characters)" if config.min_characters else ""
    for split, (drawn_from, rows) in splits.items():
        if len(rows) == 0 and not (split == "test" and config.data_ratio == 1):
            raise UserError(
                f"of {len(kept[drawn_from])} reviews{short} none is left for {split}; give more reviews, or change "
                f"config.data.validation_fraction ({config.validation_fraction}), test_fraction "
                f"({config.test_fraction}), data_ratio, split_block ({config.split_block}) or the entries"
            )
