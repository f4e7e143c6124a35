"""Rows drawn in blocks of adjacent rows, and in the proportions of the classes if a block has a single class."""

from typing import Any

import numpy as np

from lstm_jax.types import HostArray

# Row numbers by block; an array ``[N, 1]`` if every block is one row.
Blocks = list[HostArray] | HostArray

# The blocks of each class, if the rows are sorted by class; otherwise all blocks in one stratum.
Strata = list[Blocks]

MIXED = 0.1  # Rows are sorted by class if at most this share of the mixed blocks of a random order is mixed.


def sorted_by_class(rows: HostArray, classes: HostArray, block: int) -> bool:
    """Whether adjacent rows share their class, so that almost every block has a single class.

    Blocks of several classes are counted, and compared with the number that is expected if rows with the same classes
    and blocks of the same sizes are in random order. If one class is much more frequent than the others, a random order
    has many blocks of one class too.

    Args:
      rows: Ascending row numbers.
      classes: The class numbers of all rows of the source.
      block: Number of adjacent rows of the source in a block.
    """
    if block == 1 or len(rows) == 0:
        return False
    own = classes[rows]
    starts = np.flatnonzero(np.diff(rows // block, prepend=-1))
    mixed = np.maximum.reduceat(own, starts) != np.minimum.reduceat(own, starts)
    sizes, numbers = np.unique(np.diff(starts, append=len(rows)), return_counts=True)
    shares = np.bincount(own) / len(own)
    chance = np.where(sizes > 1, 1 - (shares[:, None] ** sizes).sum(axis=0), 0.0)
    expected = (numbers * chance).sum()
    return bool(expected > 0 and mixed.sum() <= MIXED * expected)


def shuffled(rows: HostArray, block: int, seed: Any, classes: HostArray | None = None) -> Strata:
    """Blocks of adjacent rows in random order.

    Args:
      rows: Row numbers.
      block: Number of adjacent rows of the source in a block.
      seed: Seed of the order.
      classes: The class numbers of all rows of the source, to have a stratum for each class. The class of a block is
        the most frequent one of its rows.
    """
    rows = np.sort(rows)
    if block == 1:
        return [np.random.default_rng(seed).permutation(rows)[:, None]]
    blocks = np.split(rows, np.flatnonzero(np.diff(rows // block)) + 1)
    blocks = [blocks[n] for n in np.random.default_rng(seed).permutation(len(blocks))]
    if classes is None:
        return [blocks]
    class_of = [np.bincount(classes[own]).argmax() for own in blocks]
    return [[blocks[n] for n in np.flatnonzero(class_of == name)] for name in np.unique(class_of)]


def draw(
    strata: Strata, fraction: float, entries: int = 0, splits: int = 1, later: int = 1
) -> tuple[HostArray, Strata]:
    """Draws rows from the first blocks of every stratum; returns them and the blocks that are left.

    Strata give in proportion to their sizes. With several strata, each that has a block for every split is in every
    split.

    Args:
      strata: The blocks.
      fraction: Fraction of the blocks to draw, if ``entries`` is 0.
      entries: Number of rows to draw. The last block drawn from a stratum is cut to reach it exactly, and the rest of
        that block is lost.
      splits: Number of splits that the drawn rows are for.
      later: Number of splits that the blocks left are for.
    """
    numbers = np.array([len(blocks) for blocks in strata])
    enough = (len(strata) > 1) & (numbers >= splits + later)
    least, most = np.where(enough, splits, 0), np.where(enough, numbers - later, numbers)
    if entries:
        ends = [np.cumsum([0, *map(len, blocks)]) for blocks in strata]
        wanted = _entries(entries, ends, least, most)
        counts = [int(np.searchsorted(end, own)) for end, own in zip(ends, wanted, strict=True)]
    else:
        count = round(fraction * int(numbers.sum()))
        wanted = [None] * len(strata)
        counts = _apportion(count, numbers, least if fraction else 0 * least, most).tolist()
    drawn = [joined([blocks[:n]])[:own] for blocks, n, own in zip(strata, counts, wanted, strict=True)]
    return np.concatenate(drawn), [blocks[n:] for blocks, n in zip(strata, counts, strict=True)]


def _entries(entries: int, ends: list[HostArray], least: HostArray, most: HostArray) -> list[Any]:
    """The number of rows to draw from each stratum; bounds in blocks are given up if they rule out ``entries``."""
    sizes = np.array([end[-1] for end in ends])
    entries = min(entries, int(sizes.sum()))
    low = np.array([end[n - 1] + 1 if n else 0 for end, n in zip(ends, least, strict=True)])
    high = np.array([end[n] for end, n in zip(ends, most, strict=True)])
    low = low if low.sum() <= entries else 0 * low
    high = high if high.sum() >= entries else sizes
    return _apportion(entries, sizes, low, high).tolist()


def _apportion(count: int, sizes: HostArray, low: HostArray, high: HostArray) -> HostArray:
    """Divides a number in proportion to ``sizes``, by the largest remainders and within bounds.

    The sum differs from ``count`` only if the bounds rule it out.
    """
    quota = count * sizes / max(sizes.sum(), 1)
    shares = np.clip(np.floor(quota).astype(int), low, high)
    while shares.sum() < count and np.any(shares < high):
        shares[np.argmax(np.where(shares < high, quota - shares, -np.inf))] += 1
    while shares.sum() > count and np.any(shares > low):
        shares[np.argmin(np.where(shares > low, quota - shares, np.inf))] -= 1
    return shares


def joined(strata: Strata) -> HostArray:
    """The rows of all blocks."""
    rows = [own for blocks in strata for own in ([blocks.reshape(-1)] if isinstance(blocks, np.ndarray) else blocks)]
    return np.concatenate(rows) if rows else np.zeros(0, int)


def in_proportion(rows: HostArray, classes: HostArray, seed: Any) -> HostArray:
    """Rows in a random order of which every beginning has the classes in their proportions.

    Args:
      rows: Row numbers.
      classes: The class numbers of all rows of the source.
      seed: Seed of the order.
    """
    rows = np.random.default_rng(seed).permutation(np.sort(rows))
    place = np.empty(len(rows))
    for name in np.unique(classes[rows]):
        members = np.flatnonzero(classes[rows] == name)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return rows[np.argsort(place, kind="stable")]
