import json
import logging

import pytest

from lstm_jax.config import DataConfig
from lstm_jax.data import readers
from lstm_jax.data.examples import class_names, class_of, load_examples
from lstm_jax.errors import UserError
from tests.reviews import FORMATS, REAL_DATA, ROWS, files, write


def load(config: DataConfig, split: str = "train") -> list[tuple[str, int]]:
    dataset = load_examples(config)[split]
    return list(zip(dataset["text"], dataset["label"], strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_reviews(tmp_path, name):
    path = write(tmp_path / name, ROWS)
    assert load(files(path)) == [(row["text"], row["label"]) for row in ROWS]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [("stars", [0, 1, 2, 3, 4]), ("binary", [0, 0, 0, 1, 1]), ("polarity", [0, 0, None, 1, 1])],
)
def test_class_maps(tmp_path, classes, expected):
    assert [class_of(rating, classes) for rating in range(1, 6)] == expected
    path = write(tmp_path / "a.csv", [{"text": f"{n} stars", "rating": n} for n in range(1, 6)])
    kept = [(f"{n} stars", label) for n, label in zip(range(1, 6), expected, strict=True) if label is not None]
    assert load(files(path, classes=classes)) == kept


def test_class_names():
    assert class_names(2) == ("negative", "positive")
    assert class_names(5)[0] == "1 star"
    assert class_names(3) == ("class 0", "class 1", "class 2")


def test_columns_by_option(tmp_path):
    rows = [{"body": "fine", "sentiment": 1, "score": 2, "text": "no", "label": 0, "rating": 5}]
    path = write(tmp_path / "a.parquet", rows)
    assert load(files(path, text_column="body", label_column="sentiment")) == [("fine", 1)]
    assert load(files(path, text_column="body", rating_column="score", classes="stars")) == [("fine", 1)]
    assert load(files(path)) == [("no", 0)]


def test_labels_and_ratings_as_numbers_of_any_kind(tmp_path):
    rows = [{"text": "a", "label": value, "rating": value} for value in (1, 1.0, "1", "1.0", True)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [label for _, label in load(files(path))] == [1] * 5
    assert [label for _, label in load(files(path, classes="stars"))] == [0] * 5


def test_reviews_without_a_label_are_dropped(tmp_path):
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": -1}, {"text": "c", "label": 0}]
    assert load(files(write(tmp_path / "a.parquet", rows))) == [("a", 1), ("c", 0)]


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
        ({"text": "a", "label": "good"}, "has the label 'good', which is none of 0, 1, 2, …", "label"),
        ({"text": "a", "label": None}, "has the label None, which is none of 0, 1, 2, …", "label"),
        ({"text": "a", "label": 0.5}, "has the label 0.5, which is none of 0, 1, 2, …", "label"),
        ({"text": "a", "label": -2}, "has the label -2, which is none of 0, 1, 2, …", "label"),
        ({"text": "a", "label": 2**31}, "has the label 2147483648, which is none of 0, 1, 2, …", "label"),
        ({"text": "a", "rating": 7}, "has the rating 7, which is none of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a", "rating": 0}, "has the rating 0, which is none of 1, 2, 3, 4, 5", "polarity"),
        ({"text": "a", "rating": 3.5}, "has the rating 3.5, which is none of 1, 2, 3, 4, 5", "binary"),
        ({"text": "a", "rating": float("nan")}, "has the rating nan, which is none of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a", "rating": float("inf")}, "has the rating inf, which is none of 1, 2, 3, 4, 5", "stars"),
        ({"text": "a \ud83d", "label": 0}, "holds half a character (a lone surrogate) at character 2", "label"),
    ],
)
def test_bad_row_is_an_error_or_left_out(tmp_path, caplog, row, fault, classes):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({"text": "good", "label": 1, "rating": 4}) + "\n")
    with pytest.raises(UserError) as caught:
        load(files(path, classes=classes))
    advice = "mend it, or leave such rows out by --config.data.bad_rows=skip"
    assert str(caught.value) == f"{path}, line 1: {fault}; {advice}"

    with caplog.at_level(logging.WARNING, "lstm_jax"):
        assert [text for text, _ in load(files(path, classes=classes, bad_rows="skip"))] == ["good"]
    assert caplog.messages == ["left out 1 rows without text or with an impossible label"]


def test_skipped_rows_are_counted(tmp_path, caplog):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"text": "a", "label": 0}\n{"text": "\xff", "label": 0}\n{broken\n{"text": "b", "label": 1}\n[]\n'
    )
    with caplog.at_level(logging.WARNING, "lstm_jax"):
        assert load(files(path, bad_rows="skip")) == [("a", 0), ("b", 1)]
    assert caplog.messages == ["left out 3 rows without text or with an impossible label"]


def test_source_without_usable_reviews(tmp_path):
    unlabelled = write(tmp_path / "a.csv", [{"text": "a", "label": -1}, {"text": "b", "label": -1}])
    with pytest.raises(UserError, match=r"no row up to .*a\.csv, line 3 has a usable label; see config\.data"):
        load(files(unlabelled))
    header_only = tmp_path / "b.csv"
    header_only.write_text("text,label\n")
    with pytest.raises(UserError, match="no row up to the end of the source has a usable label"):
        load(files(header_only))


def test_folder_of_parts(tmp_path):
    for name, label in {"train-1.csv": 0, "train-0.jsonl": 1, "validation.txt": 0, "test.csv.gz": 1}.items():
        write(tmp_path / name, [{"text": f"from {name}", "label": label}])
    (tmp_path / "train.md").write_text("not reviews")
    (tmp_path / "unsupervised.csv").write_text("not reviews")
    loaded = load_examples(files(tmp_path))
    assert {split: list(zip(part["text"], part["label"], strict=True)) for split, part in loaded.items()} == {
        "train": [("from train-0.jsonl", 1), ("from train-1.csv", 0)],
        "validation": [("from validation.txt", 0)],
        "test": [("from test.csv.gz", 1)],
    }


def test_unlabelled_reviews_are_loaded_where_they_are_asked_for(tmp_path):
    write(tmp_path / "train.csv", [{"text": "a", "label": 1}, {"text": "b", "label": 0}])
    write(tmp_path / "unsupervised.csv", [{"text": "c"}, {"text": "d"}])
    both = load_examples(files(tmp_path), unlabelled=True)
    found = {split: [(row["text"], row["label"]) for row in part.to_list()] for split, part in both.items()}
    assert found == {"unsupervised": [("c", -1), ("d", -1)], "train": [("a", 1), ("b", 0)]}
    assert set(load_examples(files(tmp_path))) == {"train"}


@pytest.mark.parametrize("titles", [False, True])
def test_the_characters_of_a_review_are_counted_without_its_title(tmp_path, titles):
    rows = [{"overall": 5, "reviewText": "abc"}, {"overall": 1, "reviewText": "déjà vu", "summary": "no more"}]
    write(tmp_path / "train.json", rows)
    if titles:
        write(tmp_path / "train-more.json", [{"overall": 3, "summary": "only a title"}])
    config = DataConfig(source="amazon_reviews", path=str(tmp_path), titles=titles)
    found = [(row["text"], row["characters"]) for row in load_examples(config)["train"].to_list()]
    assert ("abc", 3) in found
    assert ("no more: déjà vu" if titles else "déjà vu", 7) in found
    assert not titles or ("only a title", 0) in found


def test_folder_without_training_reviews(tmp_path):
    write(tmp_path / "test.csv", ROWS)
    with pytest.raises(UserError, match="holds no file whose name begins with 'train'"):
        load(files(tmp_path))
    with pytest.raises(UserError, match="nowhere does not exist; give a file or a folder"):
        load(files(tmp_path / "nowhere"))


def test_reviews_are_cached_until_the_file_changes(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", [{"text": "first", "label": 0}, {"text": "second", "label": 1}])
    read = []
    rows = readers.read_rows
    monkeypatch.setattr(readers, "read_rows", lambda path: (read.append(path), rows(path))[1])
    assert [load(files(path)) for _ in range(2)] == [[("first", 0), ("second", 1)]] * 2
    assert read == [path]

    write(path, [{"text": "changed", "label": 1}])
    assert load(files(path)) == [("changed", 1)]
    assert load(files(path, classes="label", bad_rows="skip")) == [("changed", 1)]
    with pytest.raises(UserError, match="no column 'body'"):
        load(files(path, text_column="body"))


def test_link_to_a_file_of_another_name(tmp_path):
    (tmp_path / "blob").write_text('{"text": "fine", "label": 1}\n')
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "blob")
    assert load(files(tmp_path / "a.jsonl")) == [("fine", 1)]


def test_amazon_reviews_before_2023(tmp_path):
    rows = [
        {"overall": 5.0, "reviewText": "Plays well", "summary": "Good"},
        {"overall": 1.0, "reviewText": "Broke"},
        {"overall": 3.0, "summary": "Hm", "reviewText": ""},
    ]
    path = tmp_path / "Toys.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    config = DataConfig(source="amazon_reviews", path=str(path))
    assert load(config) == [("Good: Plays well", 4), ("Broke", 0), ("Hm", 2)]


def test_amazon_reviews_of_2023(tmp_path):
    rows = [{"rating": 4.0, "title": "Good", "text": "Plays well"}, {"rating": 2.0, "title": "", "text": "Broke"}]
    path = write(tmp_path / "Toys.jsonl.gz", rows)
    assert load(DataConfig(source="amazon_reviews", path=str(path))) == [("Good: Plays well", 3), ("Broke", 1)]
    binary = DataConfig(source="amazon_reviews", path=str(path), classes="binary")
    assert [label for _, label in load(binary)] == [1, 0]


def test_amazon_polarity(tmp_path):
    parquet = write(tmp_path / "a.parquet", [{"label": 1, "title": "Good", "content": "Plays well"}])
    assert load(DataConfig(source="amazon_polarity", path=str(parquet))) == [("Good: Plays well", 1)]
    fasttext = write(tmp_path / "a.txt.bz2", [{"label": 1, "text": "Good: Plays well"}])
    assert load(DataConfig(source="amazon_polarity", path=str(fasttext))) == [("Good: Plays well", 1)]


def test_titles_on_request(tmp_path):
    new = write(tmp_path / "new.jsonl", [{"rating": 4.0, "title": "Good", "text": "Plays well"}])
    old = write(tmp_path / "old.jsonl", [{"overall": 4.0, "summary": "Good", "reviewText": "Plays well"}])
    polarity = write(tmp_path / "polarity.parquet", [{"label": 3, "title": "Good", "content": "Plays well"}])
    for source, path in (("amazon_reviews", new), ("amazon_reviews", old), ("amazon_polarity", polarity)):
        assert load(DataConfig(source=source, path=str(path))) == [("Good: Plays well", 3)]
        assert load(DataConfig(source=source, path=str(path), titles=False)) == [("Plays well", 3)]


def test_review_of_a_title_alone(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"rating": 1, "title": "Good", "text": ""}, {"rating": 5, "text": "Fine"}])
    config = DataConfig(source="amazon_reviews", path=str(path))
    assert load(config) == [("Good", 0), ("Fine", 4)]
    config.titles = False
    with pytest.raises(UserError, match=r"a\.jsonl, line 1: has no text; mend it, or leave such rows out"):
        load(config)
    config.bad_rows = "skip"
    assert load(config) == [("Fine", 4)]


def test_embedded_reviews():
    polarity = load(DataConfig(reviews=200))
    stars = load(DataConfig(reviews=200, classes="stars"))
    assert len(stars) == 200
    assert polarity == [(text, int(label > 2)) for text, label in stars if label != 2]
    assert load(DataConfig(reviews=200, seed=1)) != polarity
    assert load(DataConfig(reviews=100)) == polarity[: len(load(DataConfig(reviews=100)))]


@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real reviews are not there")
class TestRealReviews:
    def test_video_games(self):
        reviews = load(DataConfig(source="amazon_reviews", path=str(REAL_DATA / "Video_Games.json.gz")))
        assert len(reviews) == 31_920
        assert {label for _, label in reviews} == set(range(5))

    def test_fasttext(self):
        reviews = load(DataConfig(source="amazon_polarity", path=str(REAL_DATA / "train.ft.txt.bz2")))
        assert len(reviews) == 5259
        assert 0.4 < sum(label for _, label in reviews) / 5259 < 0.6

    def test_imdb(self):
        loaded = load_examples(DataConfig(source="imdb", path=str(REAL_DATA / "imdb")))
        assert {split: len(part) for split, part in loaded.items()} == {"train": 25_000, "test": 5000}
        assert sum(loaded["train"]["label"]) == 12_500
