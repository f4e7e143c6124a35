import json
import logging

import pytest

from lstm_jax.config import DataConfig
from lstm_jax.data.examples import load_examples
from lstm_jax.data.labels import FORMS, class_of_rating
from lstm_jax.errors import UserError
from tests.data.helpers import training_rows
from tests.reviews import FORMATS, REAL_DATA, ROWS, files, write

STARS = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_reviews(tmp_path, name):
    path = write(tmp_path / name, ROWS)
    first = 1 if ".txt" in name else 0  # The number that the format gives to the first class.
    assert training_rows(files(path)) == [(row["text"], str(row["label"] + first)) for row in ROWS]
    assert load_examples(files(path)).splits["train"].classes.tolist() == [row["label"] for row in ROWS]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("stars", STARS),
        ("binary", ["negative"] * 3 + ["positive"] * 2),
        ("polarity", ["negative", "negative", None, "positive", "positive"]),
    ],
)
def test_class_maps(tmp_path, caplog, classes, expected):
    assert [class_of_rating(rating, classes) for rating in range(1, 6)] == list(expected)
    path = write(tmp_path / "a.csv", [{"text": f"{n} stars", "rating": n} for n in range(1, 6)])
    kept = [(f"{n} stars", label) for n, label in zip(range(1, 6), expected, strict=True) if label is not None]
    for _ in range(2):  # What is left out is said again when the examples come from the cache.
        caplog.clear()
        assert training_rows(files(path, classes=classes)) == kept
        said = ["train: left out 1 rows of 3 stars (config.data.classes=polarity)"] if classes == "polarity" else []
        assert caplog.messages == said


def test_columns_by_option(tmp_path):
    rows = [{"body": "fine", "sentiment": 1, "score": 2, "text": "no", "label": 0, "rating": 5}]
    path = write(tmp_path / "a.parquet", rows)
    assert training_rows(files(path, text_column="body", label_column="sentiment")) == [("fine", "1")]
    by_score = files(path, text_column="body", rating_column="score", classes="stars")
    assert training_rows(by_score) == [("fine", "2 stars")]
    assert training_rows(files(path)) == [("no", "0")]


def test_ratings_as_numbers_of_any_kind(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": "a", "rating": value}) for value in (1, 1.0, "1", "1.0")))
    assert [label for _, label in training_rows(files(path, classes="stars"))] == ["1 star"] * 4


def test_the_source_alone_says_which_label_means_none(tmp_path, caplog):
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": -1}, {"text": "c", "label": 0}]
    path = write(tmp_path / "a.parquet", rows)
    assert training_rows(files(path)) == [("a", "1"), ("b", "-1"), ("c", "0")]
    assert training_rows(DataConfig(source="imdb", path=str(path))) == [("a", "1"), ("c", "0")]
    assert caplog.messages == ["train: left out 1 rows without a label (-1)"]


def test_rows_are_named_by_their_file_and_number(tmp_path):
    for name, texts in {"train-a.csv": "xy", "train-b.csv": "z"}.items():
        write(tmp_path / name, [{"text": text, "label": n} for n, text in enumerate(texts)])
    rows = load_examples(files(tmp_path)).splits["train"].dataset.to_list()
    found = [(row["file"], row["row"], row["text"]) for row in rows]
    assert found == [
        (str(tmp_path / "train-a.csv"), 0, "x"),
        (str(tmp_path / "train-a.csv"), 1, "y"),
        (str(tmp_path / "train-b.csv"), 0, "z"),
    ]


REST = (
    "--config.data.label_column (or rating_column), name those of a file without a header line with "
    "--config.data.columns, or correct the file"
)
ALONE = f"none of the 1 rows read is usable; name the columns with --config.data.text_column and {REST}"


@pytest.mark.parametrize(
    ("row", "fault", "classes"),
    [
        ({"text": "", "label": 0}, "has no text", "label"),
        ({"text": " \n", "label": 0}, "has no text", "label"),
        ({"text": None, "label": 0}, "has no text", "label"),
        ({"text": 5, "label": 0}, "has no text: the column 'text' holds 5 of type int", "label"),
        ({"review": "a", "label": 0}, "no column 'text' among 'review', 'label'", "label"),
        ({}, "no column 'text' among none", "label"),
        ({"text": "a", "rating": 5}, "no column 'label' among 'text', 'rating'", "label"),
        ({"text": "a", "label": 5}, "no column 'rating' or 'overall' among 'text', 'label'", "stars"),
        ({"text": "a", "label": " "}, "has no label", "label"),
        ({"text": "a", "label": None}, "has no label", "label"),
        ({"text": "a", "label": float("nan")}, "has no label", "label"),
        ({"text": "a", "label": 0.5}, f"has the label 0.5; {FORMS}", "label"),
        ({"text": "a", "label": [1, 2]}, "has 2 labels ([1, 2]); an example has one class", "label"),
        ({"text": "a", "label": "0.5"}, f"has the label 0.5; {FORMS}", "label"),
        ({"text": "a", "rating": True}, "has the rating True, which is not one of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a", "rating": 7}, "has the rating 7, which is not one of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a", "rating": 0}, "has the rating 0, which is not one of 1, 2, 3, 4, 5", "polarity"),
        ({"text": "a", "rating": 3.5}, "has the rating 3.5, which is not one of 1, 2, 3, 4, 5", "binary"),
        ({"text": "a", "rating": float("nan")}, "has the rating nan, which is not one of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a", "rating": float("inf")}, "has the rating inf, which is not one of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a \ud83d", "label": 0}, "holds half a character (a lone surrogate) at character 2", "label"),
    ],
)
def test_bad_row_is_an_error_or_left_out(tmp_path, caplog, row, fault, classes):
    path, good = tmp_path / "a.jsonl", json.dumps({"text": "good", "label": 1, "rating": 4}) + "\n"
    for lines in (json.dumps(row) + "\n" + good, good + json.dumps(row)):
        path.write_text(lines)
        with pytest.raises(UserError) as caught:
            training_rows(files(path, classes=classes))
        advice = "fix it, or skip such rows with --config.data.bad_rows=skip"
        if fault.startswith("no column"):
            advice = f"1 of the 2 rows read are not usable; name the columns with --config.data.text_column and {REST}"
        assert str(caught.value) == f"{path}, line {2 if lines.startswith(good) else 1}: {fault}; {advice}"
        caplog.clear()
        with caplog.at_level(logging.WARNING, "lstm_jax"):
            assert [text for text, _ in training_rows(files(path, classes=classes, bad_rows="skip"))] == ["good"]
        (message,) = caplog.messages
        assert message.startswith("train: left out 1 rows ")
        assert message.endswith(f" (the first: {path}, line {2 if lines.startswith(good) else 1}: {fault})")
    path.write_text(json.dumps(row))
    for bad_rows in ("error", "skip"):  # Skipping is no advice if nothing would be left.
        with pytest.raises(UserError) as caught:
            training_rows(files(path, classes=classes, bad_rows=bad_rows))
        assert f"{path}, line 1: {fault}; {ALONE}" in str(caught.value)


def test_skipped_rows_are_counted(tmp_path, caplog):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"text": "a", "label": 0}\n{"text": "\xff", "label": 0}\n{broken\n{"text": "b", "label": 1}\n7\n'
    )
    with caplog.at_level(logging.WARNING, "lstm_jax"):
        assert training_rows(files(path, bad_rows="skip")) == [("a", "0"), ("b", "1")]
    (message,) = caplog.messages
    assert message.startswith(
        f"train: left out 3 rows that cannot be read (the first: {path}, line 2: is not valid UTF-8"
    )


@pytest.mark.parametrize(("good", "bad", "advised"), [(30, 5, True), (5, 30, False), (2000, 1, True), (1, 2000, False)])
def test_skipping_is_advised_only_where_most_rows_are_usable(tmp_path, good, bad, advised):
    rows = [{"text": "a", "label": 0}] * good + [{"text": "", "label": 0}] * bad
    for ordered in (rows, rows[::-1]):
        with pytest.raises(UserError) as caught:
            training_rows(files(write(tmp_path / "a.jsonl", ordered)))
        assert ("bad_rows=skip" in str(caught.value)) == advised or good + bad > 1000


def test_source_without_usable_reviews(tmp_path):
    three = write(tmp_path / "a.csv", [{"text": "a", "rating": 3}, {"text": "b", "rating": 3}])
    with pytest.raises(UserError, match=r"a\.csv: no row is usable: 2 are of 3 stars .*; see config"):
        training_rows(files(three, classes="polarity"))
    header_only = tmp_path / "b.csv"
    header_only.write_text("text,label\n")
    with pytest.raises(UserError, match=r"b\.csv: there are no rows; give data that have examples"):
        training_rows(files(header_only))


@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real reviews are not there")
class TestRealReviews:
    @pytest.mark.slow
    def test_video_games(self):
        reviews = training_rows(DataConfig(source="amazon_reviews", path=str(REAL_DATA / "Video_Games.json.gz")))
        assert len(reviews) == 31_920
        assert {label for _, label in reviews} == set(STARS)

    def test_fasttext(self):
        reviews = training_rows(DataConfig(source="amazon_polarity", path=str(REAL_DATA / "train.ft.txt.bz2")))
        assert len(reviews) == 5259
        assert 0.4 < sum(label == "2" for _, label in reviews) / 5259 < 0.6

    def test_imdb(self):
        loaded = load_examples(DataConfig(source="imdb", path=str(REAL_DATA / "imdb")))
        assert {split: len(own.classes) for split, own in loaded.splits.items()} == {"train": 25_000, "test": 5000}
        assert loaded.splits["train"].classes.sum() == 12_500
        assert loaded.classes.names == ("negative", "positive")
