import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from lstm_jax.config import DataConfig, TokensConfig, VectorsConfig
from lstm_jax.errors import UserError
from lstm_jax.text import corpus, selection, sources, tokens
from lstm_jax.text.batches import FlatCorpus
from tests.helpers import assert_equal
from tests.reviews import ROWS, files, write

UNKNOWN = 1
PARTS = ("train", "validation", "test")


def unpack(flat: FlatCorpus) -> list[list[int]]:
    return [flat.tokens[a:b].tolist() for a, b in zip(flat.offsets[:-1], flat.offsets[1:], strict=True)]


def words(corpora: corpus.Corpora, part: str) -> list[list[str]]:
    return [[corpora.tokenizer.id_to_token(n) for n in ids] for ids in unpack(getattr(corpora, part))]


def rows_of(numbers: range) -> list[dict]:
    """Reviews, each with a word of its own that tells its number, and one of ten words that all have."""
    return [{"text": f"common{n % 10} number{n}", "label": n % 2} for n in numbers]


@pytest.fixture
def numbered(tmp_path):
    return write(tmp_path / "reviews.csv", rows_of(range(100)))


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
    parts = [numbers(corpora, part) for part in PARTS]
    assert [len(part) for part in parts] == [72, 8, 20]
    assert sorted(np.concatenate(parts)) == list(range(100))
    for part in PARTS:
        assert getattr(corpora, part).labels.tolist() == [n % 2 for n in numbers(corpora, part)]
    assert parts[0] != sorted(parts[0])
    assert corpora.classes == 2


def test_split_follows_the_seed(numbered):
    first, again, other = (prepare(numbered, seed=seed) for seed in (3, 3, 4))
    for part in PARTS:
        assert_equal(getattr(first, part), getattr(again, part))
        assert numbers(first, part) != numbers(other, part)


def test_train_entries_take_training_reviews_only(numbered):
    full, limited = prepare(numbered), prepare(numbered, train_entries=30)
    assert numbers(limited, "train") == numbers(full, "train")[:30]
    assert numbers(limited, "test") == numbers(full, "test")
    assert numbers(limited, "validation") == numbers(full, "validation")
    assert len(prepare(numbered, train_entries=1000).train.labels) == 72


def test_eval_entries_say_how_many_reviews_test(numbered):
    few, many = prepare(numbered, eval_entries=7), prepare(numbered, eval_entries=50, test_fraction=0.1)
    assert [len(numbers(few, part)) for part in PARTS] == [84, 9, 7]
    assert [len(numbers(many, part)) for part in PARTS] == [45, 5, 50]
    assert set(numbers(few, "test")) < set(numbers(many, "test"))
    assert set(numbers(few, "test")) != set(numbers(prepare(numbered, eval_entries=7, seed=1), "test"))
    with pytest.raises(UserError, match=r"of 100 reviews none is left for .* or the entries"):
        prepare(numbered, eval_entries=100)


def test_eval_entries_of_a_test_part(tmp_path):
    write(tmp_path / "train.csv", rows_of(range(60)))
    write(tmp_path / "test.csv", rows_of(range(60, 100)))
    drawn = [numbers(prepare(tmp_path, eval_entries=15, seed=seed), "test") for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] == sorted(set(drawn[0]))
    assert len(drawn[0]) == 15
    assert set(drawn[0]) < set(range(60, 100))
    assert drawn[0] != drawn[2]
    assert numbers(prepare(tmp_path, eval_entries=1000), "test") == list(range(60, 100))
    whole = prepare(tmp_path)
    for part in ("train", "validation"):
        assert numbers(prepare(tmp_path, eval_entries=15), part) == numbers(whole, part)


@pytest.mark.parametrize("entries", [{}, {"train_entries": 3, "eval_entries": 4}, {"test_fraction": 0.5}])
def test_data_ratio_goes_before_all_other_sizes(numbered, entries):
    corpora = prepare(numbered, data_ratio=0.75, validation_fraction=0.2, **entries)
    assert [len(numbers(corpora, part)) for part in PARTS] == [60, 15, 25]
    from_test = prepare(numbered, data_ratio=0.75, validation_fraction=0.2, validation_from="test", **entries)
    assert [len(numbers(from_test, part)) for part in PARTS] == [75, 5, 20]


def test_validation_reviews_from_the_test_part(numbered, tmp_path):
    plain = prepare(numbered, test_fraction=0.2)
    corpora = prepare(numbered, test_fraction=0.2, validation_fraction=0.5, validation_from="test")
    assert [len(numbers(corpora, part)) for part in PARTS] == [80, 10, 10]
    assert sorted(numbers(corpora, "validation") + numbers(corpora, "test")) == sorted(numbers(plain, "test"))
    entries = prepare(numbered, eval_entries=40, validation_fraction=0.25, validation_from="test", train_entries=9)
    assert [len(numbers(entries, part)) for part in PARTS] == [9, 10, 30]

    folder = tmp_path / "folder"
    write(folder / "train.csv", rows_of(range(60)))
    write(folder / "test.csv", rows_of(range(60, 100)))
    corpora = prepare(folder, validation_fraction=0.5, validation_from="test")
    assert sorted(numbers(corpora, "train")) == list(range(60))
    assert len(numbers(corpora, "validation")) == len(numbers(corpora, "test")) == 20
    assert sorted(numbers(corpora, "validation") + numbers(corpora, "test")) == list(range(60, 100))
    other = prepare(folder, validation_fraction=0.5, validation_from="test", seed=1)
    assert set(numbers(other, "test")) != set(numbers(corpora, "test"))


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
        rows = selection.split_rows({"train": np.arange(size)}, config)
    except UserError:
        left = size - round(test * size)
        assert 0 in (round(test * size), round(validation * left), left - round(validation * left))
        return
    assert {split for split, _ in rows.values()} == {"train"}
    assert sorted(np.concatenate([own for _, own in rows.values()])) == list(range(size))
    assert len(rows["test"][1]) == round(test * size)


some_rows = st.lists(st.integers(0, 200), min_size=30, max_size=120, unique=True).map(sorted).map(np.array)


@settings(max_examples=200)
@given(
    st.fixed_dictionaries({"train": some_rows}, optional={"validation": some_rows, "test": some_rows}),
    st.builds(
        DataConfig,
        seed=st.integers(0, 2**32 - 1),
        split_block=st.integers(1, 3),
        train_entries=st.sampled_from([0, 1, 10, 1000]),
        eval_entries=st.sampled_from([0, 5, 20]),
        data_ratio=st.sampled_from([0.0, 0.5, 0.8]),
        validation_fraction=st.floats(0.3, 0.7),
        validation_from=st.sampled_from(["train", "test"]),
    ),
)
def test_rows_of_any_selection(kept, config):
    parts = selection.split_rows(kept, config)
    assert set(parts) == set(PARTS)
    assert parts["train"][0] == "train"
    assert parts["test"][0] == ("test" if "test" in kept else "train")
    drawn_from = parts["test"][0] if config.validation_from == "test" else "train"
    assert parts["validation"][0] == ("validation" if "validation" in kept else drawn_from)
    by_entries = not config.data_ratio
    entries = by_entries and (config.train_entries or config.eval_entries)
    for source, rows in kept.items():
        used = np.concatenate([own for split, own in parts.values() if split == source])
        assert len(set(used)) == len(used)
        assert set(used) == set(rows) or (entries and set(used) < set(rows))
    if config.train_entries and by_entries:
        assert 1 <= len(parts["train"][1]) <= config.train_entries
    again = selection.split_rows(kept, config)
    for part, (_, rows) in parts.items():
        np.testing.assert_array_equal(again[part][1], rows)


def test_balanced_rows():
    labels = np.array([0] * 30 + [1] * 12 + [2] * 20)[np.random.default_rng(0).permutation(62)]
    for size, expected in ((10, 10), (12, 12), (-1, 12)):
        rows = selection.balanced(labels, size, seed=0)
        assert np.bincount(labels[rows]).tolist() == [expected] * 3
        assert rows.tolist() == sorted(set(rows.tolist()))
    np.testing.assert_array_equal(selection.balanced(labels, 10, seed=0), selection.balanced(labels, 10, seed=0))
    assert set(selection.balanced(labels, 10, seed=0)) != set(selection.balanced(labels, 10, seed=1))
    message = r"config\.data\.one_class_size is 13, but only 12 reviews are of class 1; lower it, or set -1"
    with pytest.raises(UserError, match=message):
        selection.balanced(labels, 13, seed=0)


def selected(path, **options) -> tuple[selection.Selection, list[str]]:
    """The selection of a config, and the texts of the split ``train``."""
    config = files(path, **options)
    source = sources.load(config)
    chosen = selection.select(source, config)
    for part, (split, rows) in chosen.parts.items():
        texts, labels = corpus.texts(config, part)
        assert texts == [source[split][int(row)]["text"] for row in rows]
        assert labels.tolist() == [source[split][int(row)]["label"] for row in rows]
    own = [rows for split, rows in chosen.parts.values() if split == "train"]
    assert sorted(np.concatenate([*own, chosen.rest])) == list(range(len(source["train"])))
    return chosen, source["train"]["text"][:]


def test_short_reviews_are_left_out(tmp_path):
    rows = [{"text": letter * n, "label": n % 2} for letter in "aü😀" for n in range(1, 31)]
    write(tmp_path / "train.jsonl", rows)
    write(tmp_path / "test.jsonl", rows)
    chosen, texts = selected(tmp_path, min_characters=11)
    used = np.concatenate([chosen.parts["train"][1], chosen.parts["validation"][1]])
    assert sorted(used) == [n for n, text in enumerate(texts) if len(text) >= 11]
    assert sorted(chosen.rest) == [n for n, text in enumerate(texts) if len(text) < 11]
    assert chosen.parts["test"][1].tolist() == sorted(used)
    with pytest.raises(UserError, match="of 0 reviews none is left for "):
        selected(tmp_path, min_characters=31)


def test_classes_are_balanced_after_short_reviews_are_left_out(tmp_path):
    rows = [{"text": f"{n:02} of a long text", "label": n % 3} for n in range(60)]
    rows += [{"text": f"{n}", "label": 2} for n in range(30)]
    rows += [{"text": f"{n} more of it", "label": 0} for n in range(9)]
    path = write(tmp_path / "a.csv", rows)
    for size, expected in ((-1, 20), (20, 20), (15, 15)):
        chosen, texts = selected(path, min_characters=10, one_class_size=size)
        used = np.concatenate([rows for _, rows in chosen.parts.values()])
        assert np.bincount([rows[n]["label"] for n in used]).tolist() == [expected] * 3
        assert min(len(texts[n]) for n in used) >= 10
        assert len(chosen.rest) == len(rows) - 3 * expected
    with pytest.raises(UserError, match=r"one_class_size is 21, but only 20 reviews are of class 1; lower it"):
        selected(path, min_characters=10, one_class_size=21)


def test_texts_are_those_of_the_tokenised_reviews(numbered):
    options = {"validation_from": "test", "eval_entries": 30, "train_entries": 20, "one_class_size": 40, "seed": 5}
    corpora = prepare(numbered, **options)
    for part in PARTS:
        texts, labels = corpus.texts(files(numbered, **options), part)
        assert texts == [" ".join(review) for review in words(corpora, part)]
        np.testing.assert_array_equal(labels, getattr(corpora, part).labels)


def test_part_that_would_be_empty(tmp_path):
    path = write(tmp_path / "a.csv", ROWS[:2])
    with pytest.raises(UserError, match=r"of 2 reviews none is left for test; give more reviews, or change "):
        corpus.prepare(files(path))


def test_vocabulary_is_learned_from_the_training_part_alone(numbered):
    corpora = corpus.prepare(files(numbered, tokens=TokensConfig(min_count=1)))
    vocabulary = set(corpora.tokenizer.get_vocab())
    trained = {word for review in words(corpora, "train") for word in review}
    assert vocabulary == trained | {"[PAD]", "[UNK]"}
    assert len([word for word in vocabulary if word.startswith("number")]) == 72
    for part in ("validation", "test"):
        assert {review[1] for review in words(corpora, part)} == {"[UNK]"}

    limited = corpus.prepare(files(numbered, train_entries=5, tokens=TokensConfig(min_count=1)))
    assert len([word for word in limited.tokenizer.get_vocab() if word.startswith("number")]) == 5


def test_vocabulary_of_all_reviews_on_request(numbered):
    options = {"tokens": TokensConfig(min_count=1), "train_entries": 30, "eval_entries": 20}
    corpora = corpus.prepare(files(numbered, vectors=VectorsConfig("class_frequency", fit_on="all"), **options))
    found = {word for word in corpora.tokenizer.get_vocab() if word.startswith("number")}
    assert found == {f"number{n}" for part in PARTS for n in numbers(corpora, part)}
    assert len(found) == 30 + 8 + 20

    for vectors in (VectorsConfig("class_frequency"), VectorsConfig("cooccurrence"), VectorsConfig(fit_on="all")):
        corpora = corpus.prepare(files(numbered, vectors=vectors, **options))
        own = {word for word in corpora.tokenizer.get_vocab() if word.startswith("number")}
        assert own == {f"number{n}" for n in numbers(corpora, "train")}
        assert len(own) == 30


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


@pytest.mark.parametrize("source", corpus.LEARNED_FROM_TEXT)
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
@pytest.mark.parametrize("own_test_part", [True, False])
def test_word_vectors_are_learned_from_no_review_to_validate_or_test_on(tmp_path, source, options, own_test_part):
    def reviews(counts):  # a review is told by how many words it has
        return [{"text": " ".join(["a"] * n), "label": n % 2} for n in counts]

    write(tmp_path / "train.csv", reviews(range(1, 81)))
    if own_test_part:
        write(tmp_path / "test.csv", reviews(range(81, 121)))
    corpora = corpus.prepare(files(tmp_path, vectors=VectorsConfig(source), **options))
    parts = {part: set(corpus.lengths(getattr(corpora, part))) for part in PARTS}
    whole = corpus.lengths(corpora.whole).tolist()
    assert sorted(whole) == sorted(set(range(1, 81)) - parts["validation"] - parts["test"])
    assert set(whole[: len(parts["train"])]) == parts["train"]


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
    sizes = [len(getattr(corpora, part).labels) for part in PARTS]
    assert sum(sizes) == pytest.approx(400, abs=30)  # without those of three stars
    assert sizes[2] == round(0.2 * sum(sizes))
    assert corpora.classes == 2
    again = corpus.prepare(DataConfig(reviews=500))
    assert_equal(corpora.train, again.train)
    assert corpora.tokenizer.to_str() == again.tokenizer.to_str()


def straddling(parts: dict[str, tuple[str, np.ndarray]], block: int) -> list[tuple[str, int]]:
    """The blocks of the source whose reviews fell into different parts."""
    seen: dict[tuple[str, int], set[str]] = {}
    for part, (split, rows) in parts.items():
        for row in rows:
            seen.setdefault((split, int(row) // block), set()).add(part)
    return [place for place, into in seen.items() if len(into) > 1]


@pytest.mark.parametrize("block", [1, 7, 10])
def test_neighbours_of_a_block_fall_into_one_part(block):
    config = DataConfig(split_block=block, validation_fraction=0.2, test_fraction=0.25)
    parts = selection.split_rows({"train": np.arange(400)}, config)
    assert sorted(np.concatenate([rows for _, rows in parts.values()])) == list(range(400))
    assert straddling(parts, block) == []
    assert abs(len(parts["test"][1]) - 100) <= block
    assert abs(len(parts["validation"][1]) - 60) <= block


@pytest.mark.parametrize("own_test_part", [True, False])
@pytest.mark.parametrize("validation_from", ["train", "test"])
@pytest.mark.parametrize(
    "options", [{}, {"train_entries": 55}, {"eval_entries": 120}, {"eval_entries": 35}, {"data_ratio": 0.5}], ids=str
)
def test_blocks_hold_together_whatever_the_sizes_of_the_parts(options, validation_from, own_test_part):
    kept = {"train": np.arange(404), **({"test": np.arange(153)} if own_test_part else {})}
    for seed in range(10):
        config = DataConfig(split_block=10, validation_from=validation_from, seed=seed, **options)
        config.validation_fraction = 0.4
        assert straddling(selection.split_rows(kept, config), 10) == []


def test_eval_entries_are_exact_whatever_the_blocks():
    for entries in (30, 35, 39):
        parts = selection.split_rows({"train": np.arange(400)}, DataConfig(split_block=10, eval_entries=entries))
        assert len(parts["test"][1]) == entries


@pytest.mark.parametrize("options", [{"min_characters": 5}, {"one_class_size": -1}, {"one_class_size": 60}], ids=str)
def test_blocks_are_those_of_the_source_where_reviews_are_left_out(tmp_path, options):
    rows = [{"text": "x" * (1 + n * n % 9), "label": int(n % 3 > 0)} for n in range(300)]
    path = write(tmp_path / "a.csv", rows)
    parts = selected(path, split_block=10, validation_fraction=0.3, test_fraction=0.3, **options)[0].parts
    assert straddling(parts, 10) == []


short_reviews = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=12), min_size=1, max_size=8)


@given(short_reviews, st.integers(0, 5))
def test_padding_in_front(ids, more):
    length = max(map(len, ids)) + more
    flat = corpus.from_ids(ids)._replace(labels=np.arange(len(ids), dtype=np.int32))
    padded = corpus.pad_front(flat, length)
    assert unpack(padded) == [[tokens.PADDING] * (length - len(review)) + review for review in ids]
    assert padded.labels.tolist() == list(range(len(ids)))
    assert padded.tokens.dtype == np.int32


@given(short_reviews, st.integers(1, 12), st.sampled_from(["head", "tail", "both"]), st.booleans())
def test_reviews_as_the_network_reads_them(ids, length, cut, pad_front):
    flat = corpus.from_ids(ids)
    shaped = corpus.shaped(flat, TokensConfig(max_length=length, cut=cut, pad_front=pad_front), UNKNOWN)
    short = unpack(corpus.cut(flat, length, cut))
    assert unpack(shaped) == [[tokens.PADDING] * (length - len(review)) * pad_front + review for review in short]


def test_padded_parts(tmp_path):
    write(tmp_path / "train.csv", [{"text": f"a b c w{n}", "label": n % 2} for n in range(20)])
    write(tmp_path / "test.csv", [{"text": "c", "label": 1}, {"text": "c b a c b a", "label": 0}])
    options = {
        "tokens": TokensConfig(min_count=2, max_length=5, cut="tail", pad_front=True),
        "vectors": VectorsConfig("cooccurrence"),
    }
    corpora = corpus.prepare(files(tmp_path, **options))
    assert words(corpora, "test") == [["[PAD]"] * 4 + ["c"], list("bacba")]
    assert words(corpora, "train")[0] == ["[PAD]", *"abc", "[UNK]"]
    assert {tuple(review) for review in words(corpora, "whole")} == {("a", "b", "c", "[UNK]")}


@pytest.mark.parametrize("kind", ["keras", "treebank"])
def test_other_kinds_of_words(tmp_path, kind):
    path = write(tmp_path / "a.jsonl", ROWS * 4)
    config = files(path, tokens=TokensConfig(words=kind, min_count=1))
    corpora = corpus.prepare(config)
    for part in PARTS:
        texts, _ = corpus.texts(config, part)
        assert unpack(getattr(corpora, part)) == tokens.encode(corpora.tokenizer, tokens.split(texts, config.tokens))
    read = {" ".join(review) for part in PARTS for review in words(corpora, part)}
    assert {"keras": "<START> don't bother", "treebank": "do n't bother"}[kind] in read


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
    assert words(corpora, "whole") == words(alone, "whole") + more
    for part in PARTS:
        assert_equal(getattr(corpora, part), getattr(alone, part))
    missing = VectorsConfig("cooccurrence", more_text="files", more_path="nothing")
    with pytest.raises(UserError, match=r"nothing does not exist; .*--config\.data\.vectors\.more_path"):
        corpus.prepare(files(numbered, vectors=missing))


def test_unknown_words_vanish_where_asked():
    flat = corpus.from_ids([[5, 1, 6], [1, 1], [7], [1]])
    assert unpack(corpus.without(flat, UNKNOWN)) == [[5, 6], [1], [7], [1]]
    shaped = corpus.shaped(flat, TokensConfig(drop_unknown=True, max_length=1), UNKNOWN)
    assert unpack(shaped) == [[5], [1], [7], [1]]
    assert unpack(corpus.shaped(flat, TokensConfig(), UNKNOWN)) == [[5, 1, 6], [1, 1], [7], [1]]
