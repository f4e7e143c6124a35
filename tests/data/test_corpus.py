"""A corpus holds each text as the tokenizer gives it, truncated and padded as the config says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.config import DataConfig, TokensConfig, VectorsConfig
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.sources import SPLITS
from lstm_jax.data.tokenizer import PADDING, encode, pretokenize
from lstm_jax.errors import UserError
from tests.data.helpers import prepare, texts_and_labels, tokens_in, unpack
from tests.helpers import assert_equal
from tests.reviews import ROWS, files, write

UNKNOWN = 1


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Makes blocks small, so that the few reviews here are copied in several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat_corpus, "BLOCK", 3)
        yield


def test_texts_are_those_of_the_tokenised_reviews(numbered):
    options = {"validation_from": "test", "eval_entries": 30, "train_entries": 20, "one_class_size": 40, "seed": 5}
    corpora = prepare(numbered, **options)
    for split in SPLITS:
        texts, labels = texts_and_labels(files(numbered, **options), split)
        assert texts == [" ".join(review) for review in tokens_in(corpora, split)]
        np.testing.assert_array_equal(labels, getattr(corpora, split).labels)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train_entries": 20},
        {"eval_entries": 7},
        {"one_class_size": 30},
        {"validation_from": "test"},
        {"min_characters": 16},
        {"vectors": VectorsConfig("cooccurrence")},
    ],
)
def test_digests_are_those_of_the_texts_of_each_split(numbered, options):
    config = files(numbered, tokens=TokensConfig(min_count=1), **options)
    corpora = corpus.prepare(config)
    for split in SPLITS:
        rows = corpus.rows_of(config, split)
        np.testing.assert_array_equal(corpora.digests[split], rows["digest"].to_numpy())
    assert len(np.unique(np.concatenate(list(corpora.digests.values())))) == sum(map(len, corpora.digests.values()))


def test_corpus_holds_each_review_as_the_tokeniser_gives_it(tmp_path):
    path = write(tmp_path / "train.jsonl", ROWS * 4)
    write(tmp_path / "test.jsonl", [*ROWS, {"text": "'", "label": 0}])
    corpora = corpus.prepare(files(tmp_path, tokens=TokensConfig(min_count=1)))
    texts = [row["text"] for row in ROWS] + ["'"]
    assert unpack(corpora.test) == encode(corpora.tokenizer, texts)
    assert unpack(corpora.test)[-1] == [UNKNOWN]
    assert corpora.test.labels.tolist() == [1, 0, 0, 1, 1, 0]
    assert corpora.test.tokens.dtype == corpora.test.labels.dtype == np.int32
    assert tokens_in(corpora, "test")[2:5] == [
        ["dont", "bother"],
        ["so", "-", "so", "and", "then", ",", "more"],
        ["überraschend", "gut", "😀", "映画"],
    ]
    assert path.exists()


def test_texts_are_truncated_to_the_greatest_length(tmp_path):
    path = write(tmp_path / "a.csv", [{"text": "a b c d e f g", "label": n % 2} for n in range(20)])
    kept = {
        cut: tokens_in(corpus.prepare(files(path, tokens=TokensConfig(max_length=4, truncation=cut))), "train")[0]
        for cut in ("head", "tail", "both")
    }
    assert kept == {"head": list("abcd"), "tail": list("defg"), "both": list("abfg")}


def test_number_of_classes(tmp_path):
    def classes(labels, **options):
        path = write(tmp_path / "a.csv", [{"text": "a", "label": n, "rating": n} for n in labels * 10])
        return corpus.prepare(files(path, **options)).classes.names

    assert classes([1, 0]) == ("0", "1")
    assert classes([0, 10, 2, -1]) == ("-1", "0", "2", "10")
    assert len(classes([5], classes="stars")) == 5  # the class map decides, whatever the file holds
    assert classes([1, 5], classes="polarity") == ("negative", "positive")
    with pytest.raises(
        UserError, match="all examples have the label '0'; a classifier needs examples of at least two classes"
    ):
        classes([0])


def test_embedded_reviews():
    corpora = corpus.prepare(DataConfig(reviews=500))
    sizes = [len(getattr(corpora, split).labels) for split in SPLITS]
    assert sum(sizes) == pytest.approx(400, abs=30)  # without those of three stars
    assert sizes[2] == round(0.2 * sum(sizes))
    assert corpora.classes.names == ("negative", "positive")
    again = corpus.prepare(DataConfig(reviews=500))
    assert_equal(corpora.train, again.train)
    assert corpora.tokenizer.to_str() == again.tokenizer.to_str()


short_reviews = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=12), min_size=1, max_size=8)


@given(short_reviews, st.integers(1, 12), st.sampled_from(["head", "tail", "both"]), st.booleans())
def test_reviews_as_the_network_reads_them(ids, length, cut, pad_left):
    flat = flat_corpus.from_ids(ids)
    shaped = corpus.prepare_examples(flat, TokensConfig(max_length=length, truncation=cut, pad_left=pad_left), UNKNOWN)
    short = unpack(flat_corpus.truncate(flat, length, cut))
    assert unpack(shaped) == [[PADDING] * (length - len(review)) * pad_left + review for review in short]


def test_padded_splits(tmp_path):
    write(tmp_path / "train.csv", [{"text": f"a b c w{n}", "label": n % 2} for n in range(20)])
    write(tmp_path / "test.csv", [{"text": "c", "label": 1}, {"text": "c b a c b a", "label": 0}])
    options = {
        "tokens": TokensConfig(min_count=2, max_length=5, truncation="tail", pad_left=True),
        "vectors": VectorsConfig("cooccurrence"),
    }
    corpora = corpus.prepare(files(tmp_path, **options))
    assert tokens_in(corpora, "test") == [["[PAD]"] * 4 + ["c"], list("bacba")]
    assert tokens_in(corpora, "train")[0] == ["[PAD]", *"abc", "[UNK]"]
    assert {tuple(review) for review in tokens_in(corpora, "whole")} == {("a", "b", "c", "[UNK]")}


@pytest.mark.parametrize("kind", ["keras", "treebank"])
def test_other_kinds_of_tokens(tmp_path, kind):
    path = write(tmp_path / "a.jsonl", ROWS * 4)
    config = files(path, tokens=TokensConfig(kind=kind, min_count=1))
    corpora = corpus.prepare(config)
    for split in SPLITS:
        texts, _ = texts_and_labels(config, split)
        assert unpack(getattr(corpora, split)) == encode(corpora.tokenizer, pretokenize(texts, config.tokens))
    read = {" ".join(review) for split in SPLITS for review in tokens_in(corpora, split)}
    assert {"keras": "<START> don't bother", "treebank": "do n't bother"}[kind] in read
