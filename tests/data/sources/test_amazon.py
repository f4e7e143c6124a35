import json

import pytest

from lstm_jax.config import DataConfig
from lstm_jax.data.examples import load_examples
from lstm_jax.errors import UserError
from tests.data.helpers import training_rows
from tests.reviews import write


@pytest.mark.parametrize("titles", [False, True])
def test_the_characters_of_a_review_are_counted_without_its_title(tmp_path, titles):
    rows = [{"overall": 5, "reviewText": "abc"}, {"overall": 1, "reviewText": "déjà vu", "summary": "no more"}]
    write(tmp_path / "train.json", rows)
    if titles:
        write(tmp_path / "train-more.json", [{"overall": 3, "summary": "only a title"}])
    config = DataConfig(source="amazon_reviews", path=str(tmp_path), titles=titles)
    found = [(row["text"], row["characters"]) for row in load_examples(config).splits["train"].dataset.to_list()]
    assert ("abc", 3) in found
    assert ("no more: déjà vu" if titles else "déjà vu", 7) in found
    assert not titles or ("only a title", 0) in found


def test_amazon_reviews_before_2023(tmp_path):
    rows = [
        {"overall": 5.0, "reviewText": "Plays well", "summary": "Good"},
        {"overall": 1.0, "reviewText": "Broke"},
        {"overall": 3.0, "summary": "Hm", "reviewText": ""},
    ]
    path = tmp_path / "Toys.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    config = DataConfig(source="amazon_reviews", path=str(path))
    assert training_rows(config) == [("Good: Plays well", "5 stars"), ("Broke", "1 star"), ("Hm", "3 stars")]


def test_amazon_reviews_of_2023(tmp_path):
    rows = [{"rating": 4.0, "title": "Good", "text": "Plays well"}, {"rating": 2.0, "title": "", "text": "Broke"}]
    path = write(tmp_path / "Toys.jsonl.gz", rows)
    assert training_rows(DataConfig(source="amazon_reviews", path=str(path))) == [
        ("Good: Plays well", "4 stars"),
        ("Broke", "2 stars"),
    ]
    binary = DataConfig(source="amazon_reviews", path=str(path), classes="binary")
    assert [label for _, label in training_rows(binary)] == ["positive", "negative"]


def test_amazon_polarity(tmp_path):
    parquet = write(tmp_path / "a.parquet", [{"label": 1, "title": "Good", "content": "Plays well"}])
    assert training_rows(DataConfig(source="amazon_polarity", path=str(parquet))) == [("Good: Plays well", "1")]
    rows = [{"label": 1, "text": "Good: Plays well"}, {"label": 0, "text": "Bad: Broke"}]
    fasttext = DataConfig(source="amazon_polarity", path=str(write(tmp_path / "a.txt.bz2", rows)))
    assert training_rows(fasttext) == [("Good: Plays well", "2"), ("Bad: Broke", "1")]
    assert load_examples(fasttext).classes == (("negative", "positive"), ("1", "2"))
    assert load_examples(fasttext).splits["train"].classes.tolist() == [1, 0]


def test_titles_on_request(tmp_path):
    new = write(tmp_path / "new.jsonl", [{"rating": 4.0, "title": "Good", "text": "Plays well"}])
    old = write(tmp_path / "old.jsonl", [{"overall": 4.0, "summary": "Good", "reviewText": "Plays well"}])
    polarity = write(tmp_path / "polarity.parquet", [{"label": 3, "title": "Good", "content": "Plays well"}])
    for source, path in (("amazon_reviews", new), ("amazon_reviews", old), ("amazon_polarity", polarity)):
        label = "4 stars" if source == "amazon_reviews" else "3"
        assert training_rows(DataConfig(source=source, path=str(path))) == [("Good: Plays well", label)]
        assert training_rows(DataConfig(source=source, path=str(path), titles=False)) == [("Plays well", label)]


def test_review_of_a_title_alone(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"rating": 1, "title": "Good", "text": ""}, {"rating": 5, "text": "Fine"}])
    config = DataConfig(source="amazon_reviews", path=str(path))
    assert training_rows(config) == [("Good", "1 star"), ("Fine", "5 stars")]
    config.titles = False
    with pytest.raises(UserError, match=r"a\.jsonl, line 1: has no text; fix it, or skip such rows"):
        training_rows(config)
    config.bad_rows = "skip"
    assert training_rows(config) == [("Fine", "5 stars")]
