"""Selected rows are used at most once, balanced and long enough."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_jax.config import DataConfig
from lstm_jax.data import corpus
from lstm_jax.data.examples import load_examples
from lstm_jax.data.sources import SPLITS
from lstm_jax.data.splits import Selection, balanced, select, split_rows
from lstm_jax.data.summary import summarize, warnings
from lstm_jax.errors import UserError
from tests.data.helpers import texts_and_labels
from tests.reviews import files, write


@given(st.integers(10, 300), st.floats(0.01, 0.9), st.floats(0.01, 0.9), st.integers(0, 2**32 - 1))
def test_rows_of_any_split(size, validation, test, seed):
    config = DataConfig(validation_fraction=validation, test_fraction=test, seed=seed)
    try:
        rows = split_rows({"train": np.arange(size)}, {"train": np.arange(size) % 2}, config)
    except UserError:
        left = size - round(test * size)
        assert 0 in (round(test * size), round(validation * left), left - round(validation * left))
        return
    assert {drawn_from for drawn_from, _ in rows.values()} == {"train"}
    assert sorted(np.concatenate([own for _, own in rows.values()])) == list(range(size))
    assert len(rows["test"][1]) == round(test * size)


some_rows = st.lists(st.integers(0, 200), min_size=30, max_size=120, unique=True).map(sorted).map(np.array)
some_classes = st.sampled_from([np.arange(201) % 2, np.arange(201) // 40, np.zeros(201, int)])


@settings(max_examples=200)
@given(
    st.fixed_dictionaries({"train": some_rows}, optional={"validation": some_rows, "test": some_rows}),
    st.builds(
        DataConfig,
        seed=st.integers(0, 2**32 - 1),
        split_block=st.integers(1, 3),
        train_entries=st.sampled_from([0, 1, 10, 1000]),
        eval_entries=st.sampled_from([0, 5, 20]),
        data_ratio=st.sampled_from([-1.0, 0.5, 0.8]),
        validation_fraction=st.floats(0.3, 0.7),
        validation_from=st.sampled_from(["train", "test"]),
    ),
    some_classes,
)
def test_rows_of_any_selection(kept, config, classes):
    classes = dict.fromkeys(SPLITS, classes)
    splits = split_rows(kept, classes, config)
    assert set(splits) == set(SPLITS)
    assert splits["train"][0] == "train"
    assert splits["test"][0] == ("test" if "test" in kept else "train")
    drawn_from = splits["test"][0] if config.validation_from == "test" else "train"
    assert splits["validation"][0] == ("validation" if "validation" in kept else drawn_from)
    by_entries = config.data_ratio < 0
    entries = by_entries and (config.train_entries or config.eval_entries)
    for source, rows in kept.items():
        used = np.concatenate([own for drawn_from, own in splits.values() if drawn_from == source])
        assert len(set(used)) == len(used)
        assert set(used) == set(rows) or (entries and set(used) < set(rows))
    if config.train_entries and by_entries:
        assert 1 <= len(splits["train"][1]) <= config.train_entries
    again = split_rows(kept, classes, config)
    for split, (_, rows) in splits.items():
        np.testing.assert_array_equal(again[split][1], rows)


def test_balanced_rows():
    labels = np.array([0] * 30 + [1] * 12 + [2] * 20)[np.random.default_rng(0).permutation(62)]
    for size, expected in ((10, 10), (12, 12), (-1, 12)):
        rows = balanced(labels, size, seed=0)
        assert np.bincount(labels[rows]).tolist() == [expected] * 3
        assert rows.tolist() == sorted(set(rows.tolist()))
    np.testing.assert_array_equal(balanced(labels, 10, seed=0), balanced(labels, 10, seed=0))
    assert set(balanced(labels, 10, seed=0)) != set(balanced(labels, 10, seed=1))
    message = r"config\.data\.one_class_size is 13, but only 12 reviews are of class 1; lower it, or set -1"
    with pytest.raises(UserError, match=message):
        balanced(labels, 13, seed=0)


def selected(path, **options) -> tuple[Selection, list[str]]:
    """The selection of a config, and the texts of the split ``train``."""
    config = files(path, **options)
    source = load_examples(config).splits
    chosen = select(source, config)
    for split, (drawn_from, rows) in chosen.splits.items():
        texts, labels = texts_and_labels(config, split)
        assert texts == [source[drawn_from].dataset[int(row)]["text"] for row in rows]
        assert labels.tolist() == source[drawn_from].classes[rows].tolist()
    own = [rows for drawn_from, rows in chosen.splits.values() if drawn_from == "train"]
    assert sorted(np.concatenate([*own, chosen.rest])) == list(range(len(source["train"].classes)))
    return chosen, source["train"].dataset["text"][:]


def test_short_reviews_are_left_out(tmp_path):
    rows = [{"text": letter * n, "label": n % 2} for letter in "aü😀" for n in range(1, 31)]
    write(tmp_path / "train.jsonl", rows)
    write(tmp_path / "test.jsonl", [*rows[::-1], {"text": "another long text", "label": 0}])
    chosen, texts = selected(tmp_path, min_characters=11)
    used = np.concatenate([chosen.splits["train"][1], chosen.splits["validation"][1]])
    assert sorted(used) == [n for n, text in enumerate(texts) if len(text) >= 11]
    assert sorted(chosen.rest) == [n for n, text in enumerate(texts) if len(text) < 11]
    assert chosen.splits["test"][1].tolist() == [
        n for n, row in enumerate([*rows[::-1], {"text": "another long text"}]) if len(row["text"]) >= 11
    ]
    with pytest.raises(UserError, match=r"of 0 reviews of at least 31 characters \(min_characters\) none is left for "):
        selected(tmp_path, min_characters=31)


def test_classes_are_balanced_after_short_reviews_are_left_out(tmp_path):
    rows = [{"text": f"{n:02} of a long text", "label": n % 3} for n in range(60)]
    rows += [{"text": f"{n}", "label": 2} for n in range(30)]
    rows += [{"text": f"{n} more of it", "label": 0} for n in range(9)]
    path = write(tmp_path / "a.csv", rows)
    for size, expected in ((-1, 20), (20, 20), (15, 15)):
        chosen, texts = selected(path, min_characters=10, one_class_size=size)
        used = np.concatenate([rows for _, rows in chosen.splits.values()])
        assert np.bincount([rows[n]["label"] for n in used]).tolist() == [expected] * 3
        assert min(len(texts[n]) for n in used) >= 10
        assert len(chosen.rest) == len(rows) - 3 * expected
    with pytest.raises(UserError, match=r"one_class_size is 21, but only 20 reviews are of class 1; lower it"):
        selected(path, min_characters=10, one_class_size=21)


def test_a_ratio_of_all_leaves_no_test_split(tmp_path):
    path = write(tmp_path / "a.csv", [{"text": f"text {n}", "label": n % 2} for n in range(40)])
    chosen, _ = selected(path, data_ratio=1.0, validation_fraction=0.25)
    assert {split: len(rows) for split, (_, rows) in chosen.splits.items()} == {
        "test": 0,
        "validation": 10,
        "train": 30,
    }
    corpora = corpus.prepare(files(path, data_ratio=1.0))
    assert summarize(corpora)["test"].examples == 0
    assert "the test split has no examples, since config.data.data_ratio leaves it none" in warnings(summarize(corpora))
    with pytest.raises(UserError, match=r"data_ratio is 1, so the test split has no examples; evaluate --split=valid"):
        corpus.prepare_part(files(path, data_ratio=1.0), "test", corpora.tokenizer, corpora.classes)
    with pytest.raises(UserError, match=r"data_ratio is 1, so there is no test split, but .*validation_from is 'test'"):
        selected(path, data_ratio=1.0, validation_from="test")


def test_a_ratio_of_none_is_all_for_testing(tmp_path):
    rows = [{"text": f"{n:02} of a long text", "label": n % 3 == 0} for n in range(60)]
    path = write(tmp_path / "train.csv", rows)
    chosen, _ = selected(path, data_ratio=0.0, one_class_size=-1)
    assert {split: len(rows) for split, (_, rows) in chosen.splits.items()} == {"test": 40, "validation": 0, "train": 0}
    write(tmp_path / "test.csv", rows[:9])
    with pytest.raises(UserError, match=r"data_ratio is 0, but the source has a test split of its own, .*--split=all"):
        selected(tmp_path, data_ratio=0.0)


@pytest.mark.parametrize(
    ("splits", "changes", "expected"),
    [
        ({"train": 20}, {}, ("0-13", "14-15", "16-19")),
        ({"train": 20}, {"train_entries": 5, "eval_entries": 6}, ("0-4", "13-13", "14-19")),
        ({"train": 20}, {"data_ratio": 0.5, "train_entries": 3}, ("0-8", "9-9", "10-19")),
        ({"train": 20, "test": 10}, {"eval_entries": 4}, ("0-17", "18-19", "0-3")),
        (
            {"train": 20, "test": 10},
            {"validation_from": "test", "validation_fraction": 0.5, "eval_entries": 8, "train_entries": 7},
            ("0-6", "0-3", "4-7"),
        ),
        ({"train": 20}, {"validation_from": "test", "validation_fraction": 0.5}, ("0-15", "16-17", "18-19")),
        ({"train": 20, "validation": 5}, {}, ("0-15", "0-4", "16-19")),
    ],
)
def test_rows_in_their_order(splits, changes, expected):
    kept = {split: np.arange(count) for split, count in splits.items()}
    config = DataConfig(order="first", **changes)
    found = split_rows(kept, {split: rows % 2 for split, rows in kept.items()}, config)
    assert tuple(f"{rows[0]}-{rows[-1]}" for _, rows in (found[split] for split in SPLITS)) == expected
    assert all(np.all(np.diff(rows) == 1) for _, rows in found.values())


def test_an_order_that_leaves_a_split_empty():
    with pytest.raises(UserError, match="none is left for train"):
        split_rows({"train": np.arange(9)}, {"train": np.arange(9) % 2}, DataConfig(order="first", eval_entries=9))
