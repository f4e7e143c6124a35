"""Rows drawn in blocks of adjacent rows, and in the proportions of the classes if a block has a single class."""

from typing import Any, NamedTuple

import numpy as np

from lstm_jax.types import HostArray

MIXED = 0.1  # Rows are sorted by class if at most this share of the mixed blocks of a random order is mixed.


class Blocks(NamedTuple):
    """Rows in blocks, K of them in random order.

    Attributes:
      rows: Row numbers ``[N]``, block after block.
      sizes: The number of rows of each block, ``[K]``.
      stratum: The stratum of each block, ``[K]``, numbered from 0.
    """

    rows: HostArray
    sizes: HostArray
    stratum: HostArray


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


def shuffled(rows: HostArray, block: int, seed: Any, classes: HostArray | None = None) -> Blocks:
    """Blocks of adjacent rows in random order.

    Args:
      rows: Row numbers.
      block: Number of adjacent rows of the source in a block.
      seed: Seed of the order.
      classes: The class numbers of all rows of the source, to have a stratum for each class. The class of a block is
        the most frequent one of its rows. By default all blocks are in one stratum.
    """
    rows = np.sort(rows)
    starts = np.flatnonzero(np.diff(rows // block, prepend=-1))
    sizes = np.diff(starts, append=len(rows))
    order = np.random.default_rng(seed).permutation(len(starts))
    stratum = np.zeros(len(starts), int)
    if classes is not None:
        class_of = [np.bincount(classes[rows[n : n + size]]).argmax() for n, size in zip(starts, sizes, strict=True)]
        stratum = np.unique(class_of, return_inverse=True)[1]
    starts, sizes = starts[order], sizes[order]
    places = np.arange(len(rows)) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    return Blocks(rows[places], sizes, stratum[order])


def draw(
    blocks: Blocks, fraction: float, entries: int = 0, splits: int = 1, later: int = 1
) -> tuple[HostArray, Blocks]:
    """Draws rows from the first blocks of every stratum; returns them and the blocks that are left.

    Strata give in proportion to their sizes. With several strata, each that has a block for every split is in every
    split.

    Args:
      blocks: The blocks.
      fraction: Fraction of the blocks to draw, if ``entries`` is 0.
      entries: Number of rows to draw; of the last blocks only a part is drawn, and the rest of them is lost.
      splits: Number of splits that the drawn rows are for.
      later: Number of splits that the blocks left are for.
    """
    sizes = blocks.sizes
    strata = [np.flatnonzero(blocks.stratum == n) for n in range(blocks.stratum.max(initial=0) + 1)]
    numbers = np.array([len(own) for own in strata])
    enough = (len(strata) > 1) & (numbers >= splits + later) & (entries > 0 or fraction > 0)
    least, most = np.where(enough, splits, 0), np.where(enough, numbers - later, numbers)
    kept = np.zeros(len(sizes), int)
    if entries:
        rows = np.array([sizes[own].sum() for own in strata])
        high = np.array([sizes[own[:n]].sum() for own, n in zip(strata, most, strict=True)])
        wanted = min(entries, int(rows.sum()))
        low, high = least if least.sum() <= wanted else 0 * least, high if high.sum() >= wanted else rows
        for own, number, in_blocks in zip(strata, _apportion(wanted, rows, low, high), low, strict=True):
            kept[own] = _cut(sizes[own], number, in_blocks)
    else:
        count = round(fraction * int(numbers.sum()))
        for own, number in zip(strata, _apportion(count, numbers, least, most), strict=True):
            kept[own[:number]] = sizes[own[:number]]
    place = np.arange(len(blocks.rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    left = kept == 0
    rest = Blocks(blocks.rows[np.repeat(left, sizes)], sizes[left], blocks.stratum[left])
    return blocks.rows[place < np.repeat(kept, sizes)], rest


def _cut(sizes: HostArray, rows: int, least: int) -> HostArray:
    """How many of ``rows`` rows to take from each block of a stratum: from the first blocks, as few as hold them.

    If ``least`` is 0 all but the last of them are taken whole. Otherwise there are at least so many, and each gives its
    share.
    """
    ends = np.cumsum(sizes)
    if not least:
        return np.clip(rows - (ends - sizes), 0, sizes)
    used = max(int(np.searchsorted(ends, rows)) + 1, least)
    first = sizes[:used]
    return np.pad(_apportion(rows, first, np.ones_like(first), first), (0, len(sizes) - used))


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
