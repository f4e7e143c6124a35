import json
import logging

import pytest

from lstm_jax.config import DataConfig
from lstm_jax.data.examples import class_names, class_of, load_examples
from lstm_jax.errors import UserError
from tests.data.helpers import training_rows
from tests.reviews import FORMATS, REAL_DATA, ROWS, files, write


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_reviews(tmp_path, name):
    path = write(tmp_path / name, ROWS)
    assert training_rows(files(path)) == [(row["text"], row["label"]) for row in ROWS]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [("stars", [0, 1, 2, 3, 4]), ("binary", [0, 0, 0, 1, 1]), ("polarity", [0, 0, None, 1, 1])],
)
def test_class_maps(tmp_path, classes, expected):
    assert [class_of(rating, classes) for rating in range(1, 6)] == expected
    path = write(tmp_path / "a.csv", [{"text": f"{n} stars", "rating": n} for n in range(1, 6)])
    kept = [(f"{n} stars", label) for n, label in zip(range(1, 6), expected, strict=True) if label is not None]
    assert training_rows(files(path, classes=classes)) == kept


def test_class_names():
    assert class_names(2) == ("negative", "positive")
    assert class_names(5)[0] == "1 star"
    assert class_names(3) == ("class 0", "class 1", "class 2")


def test_columns_by_option(tmp_path):
    rows = [{"body": "fine", "sentiment": 1, "score": 2, "text": "no", "label": 0, "rating": 5}]
    path = write(tmp_path / "a.parquet", rows)
    assert training_rows(files(path, text_column="body", label_column="sentiment")) == [("fine", 1)]
    assert training_rows(files(path, text_column="body", rating_column="score", classes="stars")) == [("fine", 1)]
    assert training_rows(files(path)) == [("no", 0)]


def test_labels_and_ratings_as_numbers_of_any_kind(tmp_path):
    rows = [{"text": "a", "label": value, "rating": value} for value in (1, 1.0, "1", "1.0", True)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [label for _, label in training_rows(files(path))] == [1] * 5
    assert [label for _, label in training_rows(files(path, classes="stars"))] == [0] * 5


def test_reviews_without_a_label_are_dropped(tmp_path):
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": -1}, {"text": "c", "label": 0}]
    assert training_rows(files(write(tmp_path / "a.parquet", rows))) == [("a", 1), ("c", 0)]


@pytest.mark.parametrize(
    ("row", "fault", "classes"),
    [
        ({"text": "", "label": 0}, "has no text", "label"),
        ({"text": " \n", "label": 0}, "has no text", "label"),
        ({"text": None, "label": 0}, "has no text", "label"),
        ({"text": 5, "label": 0}, "has no text", "label"),
        ({"review": "a", "label": 0}, "no column 'text' among 'review', 'label'", "label"),
        ({}, "no column 'text' among none", "label"),
        ({"text": "a", "rating": 5}, "no column 'label' among 'text', 'rating'", "label"),
        ({"text": "a", "label": 5}, "no column 'rating' or 'overall' among 'text', 'label'", "stars"),
        ({"text": "a", "label": "good"}, "has the label 'good', which is not one of 0, 1, 2, …", "label"),
        ({"text": "a", "label": None}, "has the label None, which is not one of 0, 1, 2, …", "label"),
        ({"text": "a", "label": 0.5}, "has the label 0.5, which is not one of 0, 1, 2, …", "label"),
        ({"text": "a", "label": -2}, "has the label -2, which is not one of 0, 1, 2, …", "label"),
        ({"text": "a", "label": 2**31}, "has the label 2147483648, which is not one of 0, 1, 2, …", "label"),
        ({"text": "a", "rating": 7}, "has the rating 7, which is not one of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a", "rating": 0}, "has the rating 0, which is not one of 1, 2, 3, 4, 5", "polarity"),
        ({"text": "a", "rating": 3.5}, "has the rating 3.5, which is not one of 1, 2, 3, 4, 5", "binary"),
        ({"text": "a", "rating": float("nan")}, "has the rating nan, which is not one of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a", "rating": float("inf")}, "has the rating inf, which is not one of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a \ud83d", "label": 0}, "holds half a character (a lone surrogate) at character 2", "label"),
    ],
)
def test_bad_row_is_an_error_or_left_out(tmp_path, caplog, row, fault, classes):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({"text": "good", "label": 1, "rating": 4}) + "\n")
    with pytest.raises(UserError) as caught:
        training_rows(files(path, classes=classes))
    advice = "fix it, or skip such rows with --config.data.bad_rows=skip"
    assert str(caught.value) == f"{path}, line 1: {fault}; {advice}"

    with caplog.at_level(logging.WARNING, "lstm_jax"):
        assert [text for text, _ in training_rows(files(path, classes=classes, bad_rows="skip"))] == ["good"]
    assert caplog.messages == ["skipped 1 rows without text or with an invalid label"]


def test_skipped_rows_are_counted(tmp_path, caplog):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"text": "a", "label": 0}\n{"text": "\xff", "label": 0}\n{broken\n{"text": "b", "label": 1}\n[]\n'
    )
    with caplog.at_level(logging.WARNING, "lstm_jax"):
        assert training_rows(files(path, bad_rows="skip")) == [("a", 0), ("b", 1)]
    assert caplog.messages == ["skipped 3 rows without text or with an invalid label"]


def test_source_without_usable_reviews(tmp_path):
    unlabelled = write(tmp_path / "a.csv", [{"text": "a", "label": -1}, {"text": "b", "label": -1}])
    with pytest.raises(UserError, match=r"no row up to .*a\.csv, line 3 has a usable label; see config\.data"):
        training_rows(files(unlabelled))
    header_only = tmp_path / "b.csv"
    header_only.write_text("text,label\n")
    with pytest.raises(UserError, match="no row up to the end of the source has a usable label"):
        training_rows(files(header_only))


@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real reviews are not there")
class TestRealReviews:
    @pytest.mark.slow
    def test_video_games(self):
        reviews = training_rows(DataConfig(source="amazon_reviews", path=str(REAL_DATA / "Video_Games.json.gz")))
        assert len(reviews) == 31_920
        assert {label for _, label in reviews} == set(range(5))

    def test_fasttext(self):
        reviews = training_rows(DataConfig(source="amazon_polarity", path=str(REAL_DATA / "train.ft.txt.bz2")))
        assert len(reviews) == 5259
        assert 0.4 < sum(label for _, label in reviews) / 5259 < 0.6

    def test_imdb(self):
        loaded = load_examples(DataConfig(source="imdb", path=str(REAL_DATA / "imdb")))
        assert {split: len(part) for split, part in loaded.items()} == {"train": 25_000, "test": 5000}
        assert sum(loaded["train"]["label"]) == 12_500
