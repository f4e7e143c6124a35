"""Blocks of adjacent rows go into one split as a whole, and from a source sorted by class in its proportions."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_jax.config import DataConfig
from lstm_jax.data.blocks import in_proportion, sorted_by_class
from lstm_jax.data.examples import load_examples
from lstm_jax.data.splits import Splits, select, split_rows
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray
from tests.reviews import REAL_DATA, files, write


def rows_of(sizes: dict[str, int], sort: bool, classes: int = 2) -> tuple[dict[str, HostArray], dict[str, HostArray]]:
    """Row numbers and class numbers of a source whose classes are equally frequent."""
    kept = {split: np.arange(size) for split, size in sizes.items()}
    return kept, {split: rows * classes // len(rows) if sort else rows % classes for split, rows in kept.items()}


def straddling(splits: Splits, block: int) -> list[tuple[str, int]]:
    """The blocks of the source whose rows are in several splits."""
    seen: dict[tuple[str, int], set[str]] = {}
    for split, (drawn_from, rows) in splits.items():
        for row in rows:
            seen.setdefault((drawn_from, int(row) // block), set()).add(split)
    return [place for place, into in seen.items() if len(into) > 1]


@pytest.mark.parametrize("by_class", [True, False])
@pytest.mark.parametrize("block", [1, 7, 10])
def test_neighbours_of_a_block_fall_into_one_split(block, by_class):
    config = DataConfig(split_block=block, validation_fraction=0.2, test_fraction=0.25)
    splits = split_rows(*rows_of({"train": 400}, by_class), config)
    assert sorted(np.concatenate([rows for _, rows in splits.values()])) == list(range(400))
    assert straddling(splits, block) == []
    assert abs(len(splits["test"][1]) - 100) <= block
    assert abs(len(splits["validation"][1]) - 60) <= block


@pytest.mark.parametrize("by_class", [True, False])
@pytest.mark.parametrize("own_test_split", [True, False])
@pytest.mark.parametrize("validation_from", ["train", "test"])
@pytest.mark.parametrize(
    "options", [{}, {"train_entries": 55}, {"eval_entries": 120}, {"eval_entries": 35}, {"data_ratio": 0.5}], ids=str
)
def test_blocks_hold_together_whatever_the_sizes_of_the_splits(options, validation_from, own_test_split, by_class):
    source = rows_of({"train": 404, **({"test": 153} if own_test_split else {})}, by_class)
    for seed in range(10):
        config = DataConfig(split_block=10, validation_from=validation_from, seed=seed, **options)
        config.validation_fraction = 0.4
        assert straddling(split_rows(*source, config), 10) == []


@pytest.mark.parametrize("options", [{"min_characters": 5}, {"one_class_size": -1}, {"one_class_size": 60}], ids=str)
def test_blocks_are_those_of_the_source_where_reviews_are_left_out(tmp_path, options):
    rows = [{"text": "x" * (1 + n * n % 9), "label": int(n % 3 > 0)} for n in range(300)]
    config = files(write(tmp_path / "a.csv", rows), split_block=10, validation_fraction=0.3, test_fraction=0.3)
    for name, value in options.items():
        setattr(config, name, value)
    assert straddling(select(load_examples(config).splits, config).splits, 10) == []


def test_which_sources_are_sorted_by_class():
    def found(classes: HostArray, block: int) -> bool:
        return sorted_by_class(np.arange(len(classes)), classes, block)

    rng, rows = np.random.default_rng(0), np.arange(2000)
    assert found(rows // 1000, 100)
    assert found(rows // 650, 100)  # Three of twenty blocks would have to be mixed for a no.
    assert found(rows // 4 % 2, 4)
    assert not found(rows // 4 % 2, 5)
    assert not found(rng.integers(0, 2, 2000), 2)
    assert not found((rng.random(2000) < 0.02).astype(int), 3)  # Most blocks are of one class, by chance.
    assert found((rows < 40).astype(int), 3)
    assert not found(rows // 1000, 1)
    assert not found(np.zeros(2000, int), 100)
    assert not sorted_by_class(np.zeros(0, int), rows, 100)
    assert not sorted_by_class(np.array([3, 1005]), rows // 1000, 100)  # Blocks of one row say nothing.


@st.composite
def sorted_sources(draw):
    """The block length and the class numbers of a source sorted by class, in which classes begin new blocks."""
    block = draw(st.integers(2, 5))
    sizes = draw(st.lists(st.integers(20, 40), min_size=2, max_size=4))
    return block, np.repeat(np.arange(len(sizes)), np.array(sizes) * block)


@settings(max_examples=200)
@given(
    sorted_sources(),
    st.booleans(),
    st.sampled_from(["train", "test"]),
    st.sampled_from([{}, {"train_entries": 24}, {"data_ratio": 0.7}, {"eval_entries": 48}, {"eval_entries": 61}]),
    st.floats(0.1, 0.6),
    st.integers(0, 2**32 - 1),
)
def test_splits_of_a_source_sorted_by_class_have_its_proportions(source, own_test, from_split, options, share, seed):
    block, classes = source
    config = DataConfig(split_block=block, validation_fraction=share, validation_from=from_split, seed=seed, **options)
    names = ("train", "test") if own_test else ("train",)
    kept, classes_of = dict.fromkeys(names, np.arange(len(classes))), dict.fromkeys(names, classes)
    splits = split_rows(kept, classes_of, config)
    proportions = np.bincount(classes) / len(classes)
    for rows in (rows for _, rows in splits.values()):
        counts = np.bincount(classes[rows], minlength=len(proportions))
        assert counts.min() > 0
        # A draw rounds to whole blocks, and validation and training rows follow on the rounding for the test rows.
        assert np.abs(counts - proportions * len(rows)).max() <= 1.5 * block
    assert straddling(splits, block) == []
    used = [[name, row] for name, rows in splits.values() for row in rows.tolist()]
    assert len(used) == len({tuple(place) for place in used})
    if not {"train_entries", "eval_entries"} & set(options):
        assert len(used) == len(names) * len(classes)
    if "train_entries" in options:
        assert len(splits["train"][1]) == 24
    if "eval_entries" in options:
        both = len(splits["test"][1]) + (len(splits["validation"][1]) if from_split == "test" else 0)
        assert both == options["eval_entries"]
    for split, (_, rows) in split_rows(kept, classes_of, config).items():
        np.testing.assert_array_equal(splits[split][1], rows)


def test_a_class_of_three_blocks_is_in_all_three_splits():
    classes = np.repeat([0, 1], [970, 30])
    for options in ({}, {"eval_entries": 120}, {"validation_from": "test"}, {"test_fraction": 0.9}):
        splits = split_rows({"train": np.arange(1000)}, {"train": classes}, DataConfig(split_block=10, **options))
        for _, rows in splits.values():
            assert 0 < classes[rows].sum() <= 10


def test_training_rows_are_more_of_the_same_order():
    kept, classes = rows_of({"train": 2000, "test": 500}, sort=True)
    few, many = (
        split_rows(kept, classes, DataConfig(split_block=100, train_entries=entries))["train"][1]
        for entries in (50, 700)
    )
    np.testing.assert_array_equal(few, many[:50])
    assert classes["train"][few].sum() == 25
    assert len(set(few // 100)) > 15  # Training rows come from all blocks, not from one or two.


def test_few_entries_from_large_blocks_have_all_classes_in_both_splits():
    config = DataConfig(split_block=100, eval_entries=60, validation_from="test", validation_fraction=0.5)
    kept, classes = rows_of({"train": 2000}, sort=True)
    splits = split_rows(kept, classes, config)
    for split in ("validation", "test"):
        assert np.bincount(classes["train"][splits[split][1]]).tolist() == [15, 15]


def test_entries_of_a_test_split_need_no_blocks():
    kept, classes = rows_of({"train": 2000, "test": 1000}, sort=True)
    for validation_from in ("train", "test"):
        config = DataConfig(split_block=100, eval_entries=80, validation_from=validation_from, validation_fraction=0.5)
        splits = split_rows(kept, classes, config)
        held_out = [rows for drawn_from, rows in splits.values() if drawn_from == "test"]
        assert sum(map(len, held_out)) == 80
        assert len({row // 100 for rows in held_out for row in rows}) == 10
        assert straddling(splits, 100) == []


@given(st.lists(st.integers(1, 60), min_size=1, max_size=3), st.integers(0, 2**32 - 1), st.data())
def test_every_beginning_has_the_proportions(sizes, seed, data):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    rows = in_proportion(np.arange(len(classes)), classes, seed)
    assert sorted(rows) == list(range(len(classes)))
    beginning = rows[: data.draw(st.integers(0, len(rows)))]
    counts = np.bincount(classes[beginning], minlength=len(sizes))
    assert np.abs(counts - len(beginning) * np.array(sizes) / len(rows)).max() <= 2


@pytest.mark.parametrize("by_class", [True, False])
def test_eval_entries_are_exact_whatever_the_blocks(by_class):
    for entries in (30, 35, 39):
        splits = split_rows(*rows_of({"train": 400}, by_class), DataConfig(split_block=10, eval_entries=entries))
        assert len(splits["test"][1]) == entries


@pytest.mark.parametrize(
    "options",
    [{"eval_entries": 400}, {"eval_entries": 1000}, {"validation_fraction": 0.0}, {"split_block": 400}],
    ids=str,
)
def test_splits_that_blocks_leave_empty(options):
    config = DataConfig(**{"split_block": 10, **options})
    with pytest.raises(UserError, match=r"of 400 reviews none is left for .*, split_block \(\d+\) or the entries"):
        split_rows(*rows_of({"train": 400}, sort=True), config)


@pytest.mark.parametrize("own_test_split", [True, False])
@pytest.mark.parametrize(
    ("block", "options", "expected"),
    [
        (1, {}, (107375196, 2102139965)),
        (1, {"train_entries": 50, "eval_entries": 45}, (92108561, 2888826559)),
        (1, {"validation_from": "test", "eval_entries": 60}, (1901219359, 1429589288)),
        (1, {"data_ratio": 0.6}, (107375196, 603734698)),
        (7, {}, (610977378, 4186556457)),
        (7, {"train_entries": 50, "eval_entries": 45}, (2983332385, 3097822244)),
        (7, {"validation_from": "test", "eval_entries": 60}, (724851274, 2282844083)),
        (7, {"data_ratio": 0.6}, (610977378, 395731643)),
    ],
    ids=str,
)
@pytest.mark.parametrize("by_class", [True, False])
def test_rows_that_published_figures_rest_on(block, options, expected, own_test_split, by_class):
    source = rows_of({"train": 403, **({"test": 152} if own_test_split else {})}, by_class, classes=3)
    config = DataConfig(split_block=block, seed=3, validation_fraction=0.3, **options)
    splits = split_rows(*source, config).values()
    found = zlib.crc32(b"".join(rows.astype(np.int64).tobytes() for _, rows in splits))
    # Only blocks of a source sorted by class are drawn in another way than they were for the figures.
    assert (found == expected[0 if own_test_split else 1]) is not (by_class and block > 1)


@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real reviews are not there")
def test_imdb():
    config = DataConfig(source="imdb", path=str(REAL_DATA / "imdb"), split_block=100)
    for entries, expected in ((0, [1300, 1200]), (600, [300, 300])):
        config.eval_entries, config.seed = entries, 3  # By whole blocks in any order, 1,400 would be positive.
        source = load_examples(config).splits
        drawn_from, rows = select(source, config).splits["test" if entries else "validation"]
        assert np.bincount(source[drawn_from].classes[rows]).tolist() == expected
