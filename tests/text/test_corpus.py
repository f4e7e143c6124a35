import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from lstm_jax.config import DataConfig, TokensConfig, VectorsConfig
from lstm_jax.errors import UserError
from lstm_jax.text import corpus, tokens
from lstm_jax.text.batches import FlatCorpus
from tests.helpers import assert_equal
from tests.reviews import ROWS, files, write

UNKNOWN = 1


def unpack(flat: FlatCorpus) -> list[list[int]]:
    return [flat.tokens[a:b].tolist() for a, b in zip(flat.offsets[:-1], flat.offsets[1:], strict=True)]


def words(corpora: corpus.Corpora, part: str) -> list[list[str]]:
    return [[corpora.tokenizer.id_to_token(n) for n in ids] for ids in unpack(getattr(corpora, part))]


@pytest.fixture
def numbered(tmp_path):
    """100 reviews, each with a word of its own that tells its number, and ten words that all have."""
    rows = [{"text": f"common{n % 10} number{n}", "label": n % 2} for n in range(100)]
    return write(tmp_path / "reviews.csv", rows)


def numbers(corpora: corpus.Corpora, part: str) -> list[int]:
    """Which of the numbered reviews a part holds; their words must be known."""
    return [int(review[1].removeprefix("number")) for review in words(corpora, part)]


def all_known() -> Tokenizer:
    """A tokeniser that knows every word of the numbered reviews."""
    names = ["[PAD]", "[UNK]", *(f"common{n}" for n in range(10)), *(f"number{n}" for n in range(100))]
    tokenizer = tokens.blank(TokensConfig())
    tokenizer.model = models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="[UNK]")
    return tokenizer


def prepare(path, **options) -> corpus.Corpora:
    return corpus.prepare(files(path, **options), all_known())


def test_parts_are_disjoint_and_of_the_asked_sizes(numbered):
    corpora = prepare(numbered, test_fraction=0.2, validation_fraction=0.1)
    parts = [numbers(corpora, part) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [72, 8, 20]
    assert sorted(np.concatenate(parts)) == list(range(100))
    for part in ("train", "validation", "test"):
        assert getattr(corpora, part).labels.tolist() == [n % 2 for n in numbers(corpora, part)]
    assert parts[0] != sorted(parts[0])
    assert corpora.classes == 2


def test_split_follows_the_seed(numbered):
    first, again, other = (prepare(numbered, seed=seed) for seed in (3, 3, 4))
    for part in ("train", "validation", "test"):
        assert_equal(getattr(first, part), getattr(again, part))
        assert numbers(first, part) != numbers(other, part)


def test_limit_takes_training_reviews_only(numbered):
    full, limited = prepare(numbered), prepare(numbered, limit=30)
    assert numbers(limited, "train") == numbers(full, "train")[:30]
    assert numbers(limited, "test") == numbers(full, "test")
    assert numbers(limited, "validation") == numbers(full, "validation")
    assert len(prepare(numbered, limit=1000).train.labels) == 72


def test_parts_that_the_source_has_are_kept(tmp_path):
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


@given(st.integers(10, 300), st.floats(0.01, 0.9), st.floats(0.01, 0.9), st.integers(0, 2**32 - 1))
def test_rows_of_any_split(size, validation, test, seed):
    config = DataConfig(validation_fraction=validation, test_fraction=test, seed=seed)
    try:
        rows = corpus.split_rows({"train": size}, config)
    except UserError:
        left = size - round(test * size)
        assert 0 in (round(test * size), round(validation * left), left - round(validation * left))
        return
    assert {split for split, _ in rows.values()} == {"train"}
    assert sorted(np.concatenate([own for _, own in rows.values()])) == list(range(size))
    assert len(rows["test"][1]) == round(test * size)


def test_part_that_would_be_empty(tmp_path):
    path = write(tmp_path / "a.csv", ROWS[:2])
    with pytest.raises(UserError, match=r"of 2 reviews none is left for test; give more reviews or change "):
        corpus.prepare(files(path))


def test_vocabulary_is_learned_from_the_training_part_alone(numbered):
    corpora = corpus.prepare(files(numbered, tokens=TokensConfig(min_count=1)))
    vocabulary = set(corpora.tokenizer.get_vocab())
    trained = {word for review in words(corpora, "train") for word in review}
    assert vocabulary == trained | {"[PAD]", "[UNK]"}
    assert len([word for word in vocabulary if word.startswith("number")]) == 72
    for part in ("validation", "test"):
        assert {review[1] for review in words(corpora, part)} == {"[UNK]"}

    limited = corpus.prepare(files(numbered, limit=5, tokens=TokensConfig(min_count=1)))
    assert len([word for word in limited.tokenizer.get_vocab() if word.startswith("number")]) == 5


def test_corpus_holds_each_review_as_the_tokeniser_gives_it(tmp_path):
    path = write(tmp_path / "train.jsonl", ROWS * 4)
    write(tmp_path / "test.jsonl", [*ROWS, {"text": "'", "label": 0}])
    corpora = corpus.prepare(files(tmp_path, tokens=TokensConfig(min_count=1)))
    texts = [row["text"] for row in ROWS] + ["'"]
    assert unpack(corpora.test) == tokens.encode(corpora.tokenizer, texts)
    assert unpack(corpora.test)[-1] == [UNKNOWN]
    assert corpora.test.labels.tolist() == [1, 0, 0, 1, 1, 0]
    assert corpora.test.tokens.dtype == corpora.test.labels.dtype == np.int32
    assert words(corpora, "test")[2:5] == [
        ["dont", "bother"],
        ["so", "-", "so", "and", "then", "more"],
        ["überraschend", "gut", "😀", "映画"],
    ]
    assert path.exists()


def test_reviews_are_cut_to_the_greatest_length(tmp_path):
    path = write(tmp_path / "a.csv", [{"text": "a b c d e f g", "label": n % 2} for n in range(20)])
    kept = {
        cut: words(corpus.prepare(files(path, tokens=TokensConfig(max_length=4, cut=cut))), "train")[0]
        for cut in ("head", "tail", "both")
    }
    assert kept == {"head": list("abcd"), "tail": list("defg"), "both": list("abfg")}


@given(
    st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=12), min_size=1, max_size=8),
    st.integers(1, 12),
    st.sampled_from(["head", "tail", "both"]),
)
def test_cut_of_any_corpus(ids, length, keep):
    def expected(review):
        if len(review) <= length:
            return review
        head = {"head": length, "tail": 0, "both": length // 2 or length}[keep]
        return review[:head] + review[len(review) - (length - head) :]

    flat = corpus.from_ids(ids)._replace(labels=np.arange(len(ids), dtype=np.int32))
    cut = corpus.cut(flat, length, keep)
    assert unpack(cut) == [expected(review) for review in ids]
    assert cut.labels.tolist() == list(range(len(ids)))


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=6), min_size=1, max_size=8), st.data())
def test_take(ids, data):
    rows = data.draw(st.lists(st.integers(0, len(ids) - 1), max_size=10))
    flat = corpus.from_ids(ids)._replace(labels=np.arange(len(ids), dtype=np.int32))
    taken = corpus.take(flat, np.array(rows, int))
    assert unpack(taken) == [ids[row] for row in rows]
    assert taken.labels.tolist() == rows
    assert corpus.lengths(taken).tolist() == [len(ids[row]) for row in rows]


def test_reviews_to_learn_word_vectors_from(tmp_path):
    """The training reviews and the unlabelled ones, uncut, and none to validate or test on."""
    write(tmp_path / "train.csv", [{"text": f"w{n} a b", "label": n % 2} for n in range(20)])
    write(tmp_path / "test.csv", [{"text": "test c d", "label": 1}])
    write(tmp_path / "unsupervised.csv", [{"text": "b a b"}, {"text": "a"}])
    options = {"tokens": TokensConfig(min_count=1, max_length=1), "vectors": VectorsConfig(source="cooccurrence")}
    corpora = corpus.prepare(files(tmp_path, **options))
    whole = words(corpora, "whole")
    assert whole[-2:] == [["b", "a", "b"], ["a"]]
    assert [review[:1] for review in whole[:-2]] == words(corpora, "train")
    assert all(review[1:] == ["a", "b"] for review in whole[:-2])
    assert len(whole) == 18 + 2
    assert corpora.classes == 2
    assert corpus.prepare(files(tmp_path)).whole is None


def test_number_of_classes(tmp_path):
    def classes(labels, **options):
        path = write(tmp_path / "a.csv", [{"text": "a", "label": n, "rating": n} for n in labels * 10])
        return corpus.prepare(files(path, **options)).classes

    assert classes([0, 1]) == 2
    assert classes([0, 1, 2, 3]) == 4
    assert classes([5], classes="stars") == 5  # the class map decides, whatever the file holds
    assert classes([1, 5], classes="polarity") == 2
    with pytest.raises(UserError, match="all reviews have the label 0; a classifier needs reviews of two classes"):
        classes([0])
    with pytest.raises(UserError, match="labels go up to 4, but none is 1; number the classes 0, 1, 2"):
        classes([0, 4, 2])


def test_embedded_reviews():
    corpora = corpus.prepare(DataConfig(reviews=500))
    sizes = [len(getattr(corpora, part).labels) for part in ("train", "validation", "test")]
    assert sum(sizes) == pytest.approx(400, abs=30)  # without those of three stars
    assert sizes[2] == round(0.2 * sum(sizes))
    assert corpora.classes == 2
    again = corpus.prepare(DataConfig(reviews=500))
    assert_equal(corpora.train, again.train)
    assert corpora.tokenizer.to_str() == again.tokenizer.to_str()


@pytest.mark.parametrize("block", [1, 7, 10])
def test_neighbours_of_a_block_fall_into_one_part(block):
    config = DataConfig(split_block=block, validation_fraction=0.2, test_fraction=0.25)
    parts = {part: rows for part, (_, rows) in corpus.split_rows({"train": 400}, config).items()}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(400))
    part_of = np.full(400, -1)
    for n, rows in enumerate(parts.values()):
        part_of[rows] = n
    split = [len(np.unique(part_of[start : start + block])) > 1 for start in range(0, 400, block)]
    assert not any(split)
    assert abs(len(parts["test"]) - 100) <= block
    assert abs(len(parts["validation"]) - 60) <= block
