"""Vocabulary and word vectors are not learned from validation or test examples, unless asked."""

import pytest

from lstm_jax.config import TokensConfig, VectorsConfig
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.sources import SPLITS
from lstm_jax.errors import UserError
from lstm_jax.registry import VECTORS
from tests.data.helpers import numbers, tokens_in
from tests.helpers import assert_equal
from tests.reviews import files, write


def test_vocabulary_is_learned_from_the_training_split_alone(numbered):
    corpora = corpus.prepare(files(numbered, tokens=TokensConfig(min_count=1)))
    vocabulary = set(corpora.tokenizer.get_vocab())
    trained = {word for review in tokens_in(corpora, "train") for word in review}
    assert vocabulary == trained | {"[PAD]", "[UNK]"}
    assert len([word for word in vocabulary if word.startswith("number")]) == 72
    for split in ("validation", "test"):
        assert {review[1] for review in tokens_in(corpora, split)} == {"[UNK]"}

    limited = corpus.prepare(files(numbered, train_entries=5, tokens=TokensConfig(min_count=1)))
    assert len([word for word in limited.tokenizer.get_vocab() if word.startswith("number")]) == 5


def test_vocabulary_of_all_reviews_on_request(numbered):
    options = {"tokens": TokensConfig(min_count=1), "train_entries": 30, "eval_entries": 20}
    corpora = corpus.prepare(files(numbered, vectors=VectorsConfig("class_frequency", fit_on="all"), **options))
    found = {word for word in corpora.tokenizer.get_vocab() if word.startswith("number")}
    assert found == {f"number{n}" for split in SPLITS for n in numbers(corpora, split)}
    assert len(found) == 30 + 8 + 20

    for vectors in (VectorsConfig("class_frequency"), VectorsConfig("cooccurrence"), VectorsConfig(fit_on="all")):
        corpora = corpus.prepare(files(numbered, vectors=vectors, **options))
        own = {word for word in corpora.tokenizer.get_vocab() if word.startswith("number")}
        assert own == {f"number{n}" for n in numbers(corpora, "train")}
        assert len(own) == 30


def test_reviews_to_learn_word_vectors_from(tmp_path):
    """They are the training and the unlabelled reviews, not truncated, and no validation or test reviews."""
    write(tmp_path / "train.csv", [{"text": f"w{n} a b", "label": n % 2} for n in range(20)])
    write(tmp_path / "test.csv", [{"text": "test c d", "label": 1}])
    write(tmp_path / "unsupervised.csv", [{"text": "b a b"}, {"text": "a"}])
    options = {"tokens": TokensConfig(min_count=1, max_length=1), "vectors": VectorsConfig(source="cooccurrence")}
    corpora = corpus.prepare(files(tmp_path, **options))
    whole = tokens_in(corpora, "whole")
    assert whole[-2:] == [["b", "a", "b"], ["a"]]
    assert [review[:1] for review in whole[:-2]] == tokens_in(corpora, "train")
    assert all(review[1:] == ["a", "b"] for review in whole[:-2])
    assert len(whole) == 18 + 2
    assert corpora.classes.names == ("0", "1")
    assert corpus.prepare(files(tmp_path)).whole is None


@pytest.mark.parametrize("source", [name for name, vectors in VECTORS.items() if vectors.reads_text])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"validation_from": "test"},
        {"one_class_size": 20, "train_entries": 10, "split_block": 5},
        {"min_characters": 16, "eval_entries": 12, "validation_from": "test"},
        {"data_ratio": 0.6},
    ],
)
@pytest.mark.parametrize("own_test_split", [True, False])
def test_word_vectors_are_learned_from_no_review_to_validate_or_test_on(tmp_path, source, options, own_test_split):
    def reviews(counts):  # the number of words identifies a review
        return [{"text": " ".join(["a"] * n), "label": n % 2} for n in counts]

    write(tmp_path / "train.csv", reviews(range(1, 81)))
    if own_test_split:
        write(tmp_path / "test.csv", reviews(range(81, 121)))
    corpora = corpus.prepare(files(tmp_path, vectors=VectorsConfig(source), **options))
    splits = {split: set(flat_corpus.lengths(getattr(corpora, split))) for split in SPLITS}
    whole = flat_corpus.lengths(corpora.whole).tolist()
    assert sorted(whole) == sorted(set(range(1, 81)) - splits["validation"] - splits["test"])
    assert set(whole[: len(splits["train"])]) == splits["train"]


def test_text_of_another_source_to_learn_word_vectors_from(numbered, tmp_path):
    other = tmp_path / "other"
    write(other / "train.csv", [{"text": "common1 common2 other", "label": 1}, {"text": "common3", "label": 0}])
    write(other / "test.csv", [{"text": "common4 common4", "label": 1}])
    write(other / "unsupervised.csv", [{"text": "common5 common5"}])
    options = {"tokens": TokensConfig(min_count=1)}
    alone = corpus.prepare(files(numbered, vectors=VectorsConfig("cooccurrence"), **options))
    vectors = VectorsConfig("cooccurrence", more_text="files", more_path=str(other))
    corpora = corpus.prepare(files(numbered, vectors=vectors, **options))
    assert corpora.tokenizer.to_str() == alone.tokenizer.to_str()
    more = [["common1", "common2", "[UNK]"], ["common3"], ["common5", "common5"]]
    assert tokens_in(corpora, "whole") == tokens_in(alone, "whole") + more
    for split in SPLITS:
        assert_equal(getattr(corpora, split), getattr(alone, split))
    missing = VectorsConfig("cooccurrence", more_text="files", more_path="nothing")
    with pytest.raises(UserError, match=r"nothing does not exist; .*--config\.data\.vectors\.more_path"):
        corpus.prepare(files(numbered, vectors=missing))
