"""Training, validation and test splits are disjoint and have the sizes that the config asks for."""

import numpy as np
import pytest

from lstm_jax.data import corpus
from lstm_jax.data.sources import SPLITS
from lstm_jax.errors import UserError
from tests.data.helpers import numbers, prepare, rows_of
from tests.helpers import assert_equal
from tests.reviews import ROWS, files, write


def test_splits_are_disjoint_and_of_the_asked_sizes(numbered):
    corpora = prepare(numbered, test_fraction=0.2, validation_fraction=0.1)
    splits = [numbers(corpora, split) for split in SPLITS]
    assert [len(split) for split in splits] == [72, 8, 20]
    assert sorted(np.concatenate(splits)) == list(range(100))
    for split in SPLITS:
        assert getattr(corpora, split).labels.tolist() == [n % 2 for n in numbers(corpora, split)]
    assert splits[0] != sorted(splits[0])
    assert corpora.classes.names == ("0", "1")


def test_split_follows_the_seed(numbered):
    first, again, other = (prepare(numbered, seed=seed) for seed in (3, 3, 4))
    for split in SPLITS:
        assert_equal(getattr(first, split), getattr(again, split))
        assert numbers(first, split) != numbers(other, split)


def test_train_entries_take_training_reviews_only(numbered):
    full, limited = prepare(numbered), prepare(numbered, train_entries=30)
    assert numbers(limited, "train") == numbers(full, "train")[:30]
    assert numbers(limited, "test") == numbers(full, "test")
    assert numbers(limited, "validation") == numbers(full, "validation")
    assert len(prepare(numbered, train_entries=1000).train.labels) == 72


def test_eval_entries_say_how_many_reviews_test(numbered):
    few, many = prepare(numbered, eval_entries=7), prepare(numbered, eval_entries=50, test_fraction=0.1)
    assert [len(numbers(few, split)) for split in SPLITS] == [84, 9, 7]
    assert [len(numbers(many, split)) for split in SPLITS] == [45, 5, 50]
    assert set(numbers(few, "test")) < set(numbers(many, "test"))
    assert set(numbers(few, "test")) != set(numbers(prepare(numbered, eval_entries=7, seed=1), "test"))
    with pytest.raises(UserError, match=r"of 100 reviews none is left for .* or the entries"):
        prepare(numbered, eval_entries=100)


def test_eval_entries_of_a_test_split(tmp_path):
    write(tmp_path / "train.csv", rows_of(range(60)))
    write(tmp_path / "test.csv", rows_of(range(60, 100)))
    drawn = [numbers(prepare(tmp_path, eval_entries=15, seed=seed), "test") for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] == sorted(set(drawn[0]))
    assert len(drawn[0]) == 15
    assert set(drawn[0]) < set(range(60, 100))
    assert drawn[0] != drawn[2]
    assert numbers(prepare(tmp_path, eval_entries=1000), "test") == list(range(60, 100))
    whole = prepare(tmp_path)
    for split in ("train", "validation"):
        assert numbers(prepare(tmp_path, eval_entries=15), split) == numbers(whole, split)


@pytest.mark.parametrize("entries", [{}, {"train_entries": 3, "eval_entries": 4}, {"test_fraction": 0.5}])
def test_data_ratio_goes_before_all_other_sizes(numbered, entries):
    corpora = prepare(numbered, data_ratio=0.75, validation_fraction=0.2, **entries)
    assert [len(numbers(corpora, split)) for split in SPLITS] == [60, 15, 25]
    from_test = prepare(numbered, data_ratio=0.75, validation_fraction=0.2, validation_from="test", **entries)
    assert [len(numbers(from_test, split)) for split in SPLITS] == [75, 5, 20]


def test_validation_reviews_from_the_test_split(numbered, tmp_path):
    plain = prepare(numbered, test_fraction=0.2)
    corpora = prepare(numbered, test_fraction=0.2, validation_fraction=0.5, validation_from="test")
    assert [len(numbers(corpora, split)) for split in SPLITS] == [80, 10, 10]
    assert sorted(numbers(corpora, "validation") + numbers(corpora, "test")) == sorted(numbers(plain, "test"))
    entries = prepare(numbered, eval_entries=40, validation_fraction=0.25, validation_from="test", train_entries=9)
    assert [len(numbers(entries, split)) for split in SPLITS] == [9, 10, 30]

    folder = tmp_path / "folder"
    write(folder / "train.csv", rows_of(range(60)))
    write(folder / "test.csv", rows_of(range(60, 100)))
    corpora = prepare(folder, validation_fraction=0.5, validation_from="test")
    assert sorted(numbers(corpora, "train")) == list(range(60))
    assert len(numbers(corpora, "validation")) == len(numbers(corpora, "test")) == 20
    assert sorted(numbers(corpora, "validation") + numbers(corpora, "test")) == list(range(60, 100))
    other = prepare(folder, validation_fraction=0.5, validation_from="test", seed=1)
    assert set(numbers(other, "test")) != set(numbers(corpora, "test"))


def test_splits_that_the_source_has_are_kept(tmp_path):
    write(tmp_path / "train.csv", [{"text": f"common{n % 10} number{n}", "label": n % 2} for n in range(20)])
    write(tmp_path / "test.csv", [{"text": f"common{n % 10} number{n}", "label": n % 2} for n in range(20, 25)])
    corpora = prepare(tmp_path, validation_fraction=0.25)
    assert numbers(corpora, "test") == [20, 21, 22, 23, 24]
    assert len(numbers(corpora, "validation")) == 5
    assert sorted(numbers(corpora, "train") + numbers(corpora, "validation")) == list(range(20))

    write(tmp_path / "validation.csv", [{"text": f"common{n % 10} number{n}", "label": n % 2} for n in range(25, 29)])
    corpora = prepare(tmp_path)
    assert numbers(corpora, "validation") == [25, 26, 27, 28]
    assert sorted(numbers(corpora, "train")) == list(range(20))


def test_split_that_would_be_empty(tmp_path):
    path = write(tmp_path / "a.csv", ROWS[:2])
    with pytest.raises(UserError, match=r"of 2 reviews none is left for test; give more reviews, or change "):
        corpus.prepare(files(path))
