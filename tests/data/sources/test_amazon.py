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
    found = [(row["text"], row["characters"]) for row in load_examples(config)["train"].to_list()]
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
    assert training_rows(config) == [("Good: Plays well", 4), ("Broke", 0), ("Hm", 2)]


def test_amazon_reviews_of_2023(tmp_path):
    rows = [{"rating": 4.0, "title": "Good", "text": "Plays well"}, {"rating": 2.0, "title": "", "text": "Broke"}]
    path = write(tmp_path / "Toys.jsonl.gz", rows)
    assert training_rows(DataConfig(source="amazon_reviews", path=str(path))) == [("Good: Plays well", 3), ("Broke", 1)]
    binary = DataConfig(source="amazon_reviews", path=str(path), classes="binary")
    assert [label for _, label in training_rows(binary)] == [1, 0]


def test_amazon_polarity(tmp_path):
    parquet = write(tmp_path / "a.parquet", [{"label": 1, "title": "Good", "content": "Plays well"}])
    assert training_rows(DataConfig(source="amazon_polarity", path=str(parquet))) == [("Good: Plays well", 1)]
    fasttext = write(tmp_path / "a.txt.bz2", [{"label": 1, "text": "Good: Plays well"}])
    assert training_rows(DataConfig(source="amazon_polarity", path=str(fasttext))) == [("Good: Plays well", 1)]


def test_titles_on_request(tmp_path):
    new = write(tmp_path / "new.jsonl", [{"rating": 4.0, "title": "Good", "text": "Plays well"}])
    old = write(tmp_path / "old.jsonl", [{"overall": 4.0, "summary": "Good", "reviewText": "Plays well"}])
    polarity = write(tmp_path / "polarity.parquet", [{"label": 3, "title": "Good", "content": "Plays well"}])
    for source, path in (("amazon_reviews", new), ("amazon_reviews", old), ("amazon_polarity", polarity)):
        assert training_rows(DataConfig(source=source, path=str(path))) == [("Good: Plays well", 3)]
        assert training_rows(DataConfig(source=source, path=str(path), titles=False)) == [("Plays well", 3)]


def test_review_of_a_title_alone(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"rating": 1, "title": "Good", "text": ""}, {"rating": 5, "text": "Fine"}])
    config = DataConfig(source="amazon_reviews", path=str(path))
    assert training_rows(config) == [("Good", 0), ("Fine", 4)]
    config.titles = False
    with pytest.raises(UserError, match=r"a\.jsonl, line 1: has no text; fix it, or skip such rows"):
        training_rows(config)
    config.bad_rows = "skip"
    assert training_rows(config) == [("Fine", 4)]
