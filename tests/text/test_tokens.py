import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.config import TokensConfig
from lstm_jax.errors import UserError
from lstm_jax.text import tokens

PAD, UNKNOWN = 0, 1


def learned(texts: list[str], fingerprint: str | None = None, **options):
    dataset = datasets.Dataset.from_dict({"text": texts})
    config = TokensConfig(**{"min_count": 1, **options})
    return tokens.learn(dataset.data.column("text"), fingerprint or repr((texts, options)), config)


@pytest.fixture(scope="module")
def good_film():
    return learned(["good film"])


def words(tokenizer, text: str) -> list[str]:
    return [tokenizer.id_to_token(n) for n in tokens.encode(tokenizer, [text])[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good film", ["good", "film"]),
        ("one<br /><br />two", ["one", "two"]),
        ("don't it's 'quoted'", ["dont", "its", "quoted"]),
        ("well... (really!), 9/10", ["well", "...", "(", "really", "!),", "9", "/", "10"]),
        ("state-of-the-art", ["state", "-", "of", "-", "the", "-", "art"]),
        ("ÜBER_gut 映画\t😀\n", ["über_gut", "映画", "😀"]),
        ("a\0b", ["a", "\0", "b"]),
    ],
)
def test_words_of_a_text(text, expected):
    assert words(learned([text]), text) == expected


def test_case_is_kept_on_request():
    tokenizer = learned(["Good good"], lower_case=False)
    assert words(tokenizer, "Good good GOOD") == ["Good", "good", "[UNK]"]
    assert words(learned(["Good good"]), "Good good GOOD") == ["good"] * 3


def test_vocabulary_holds_the_most_frequent_words():
    texts = ["four four four four three three three", "two two one"]
    assert learned(texts).get_vocab() == {"[PAD]": PAD, "[UNK]": UNKNOWN, "four": 2, "three": 3, "two": 4, "one": 5}
    assert set(learned(texts, vocabulary_size=4).get_vocab()) == {"[PAD]", "[UNK]", "four", "three"}
    assert set(learned(texts, min_count=3).get_vocab()) == {"[PAD]", "[UNK]", "four", "three"}
    assert set(learned(texts, min_count=9).get_vocab()) == {"[PAD]", "[UNK]"}


def test_ids_are_deterministic_where_words_are_equally_frequent():
    texts = [f"word{n} again{n}" for n in range(200)]
    first, second = learned(texts, "a first time"), learned(texts, "a second time")
    assert first.get_vocab() == second.get_vocab()
    assert sorted(first.get_vocab().values()) == list(range(402))


def test_unknown_words_and_empty_texts(good_film):
    good, film = good_film.token_to_id("good"), good_film.token_to_id("film")
    texts = ["good bad film", "bad", "", " \n<br />'"]
    assert tokens.encode(good_film, texts) == [[good, UNKNOWN, film], [UNKNOWN], [UNKNOWN], [UNKNOWN]]


def test_a_text_cannot_spell_the_special_words(good_film, tmp_path):
    tokens.write(good_film, tmp_path / "tokenizer.json")
    for tokenizer in (good_film, tokens.read(tmp_path / "tokenizer.json")):
        assert tokens.encode(tokenizer, ["[PAD][UNK]"]) == [[UNKNOWN] * 5]  # [ pad ][ unk ]


@given(texts=st.lists(st.text(), min_size=1, max_size=50))
def test_any_text_has_words(good_film, texts):
    for ids in tokens.encode(good_film, texts):
        assert ids
        assert PAD not in ids


def test_long_text():
    assert tokens.encode(learned(["word word end"]), ["word " * 200_000 + "end"])[0] == [2] * 200_000 + [3]


def test_learned_vocabulary_is_read_from_the_cache(monkeypatch):
    first = learned(["good film"], "cached once")
    monkeypatch.setattr(tokens, "blank", None)
    assert learned(["other words"], "cached once").to_str() == first.to_str()
    with pytest.raises(TypeError):  # another vocabulary is learned, which needs the function taken away
        learned(["good film"], "cached once", vocabulary_size=3)


def test_written_and_read(tmp_path):
    tokenizer = learned(["good film"])
    path = tmp_path / "folder" / "tokenizer.json"
    tokens.write(tokenizer, path)
    assert tokens.read(path).to_str() == tokenizer.to_str()
    assert [file.name for file in path.parent.iterdir()] == ["tokenizer.json"]
    path.write_text(path.read_text()[:50])
    with pytest.raises(UserError, match=r"tokenizer\.json is not a readable vocabulary .*; delete it and train again"):
        tokens.read(path)


def test_tokenised_reviews_are_cached(tmp_path, monkeypatch):
    rows = {"text": ["good film", "bad film", ""], "label": [1, 0, 1]}
    features = datasets.Features({"text": datasets.Value("large_string"), "label": datasets.Value("int32")})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path)
    tokenizer = learned(["good bad film"])
    encoded = []
    encode = tokens.encode
    monkeypatch.setattr(tokens, "encode", lambda tokenizer, texts: (encoded.append(texts), encode(tokenizer, texts))[1])

    for _ in range(2):
        dataset = tokens.tokenised(datasets.load_from_disk(tmp_path), tokenizer)
        expected = [[tokenizer.token_to_id(w) for w in text.split()] or [UNKNOWN] for text in rows["text"]]
        assert dataset["ids"][:] == expected
        assert dataset["label"][:] == [1, 0, 1]
        assert dataset.column_names == ["label", "ids"]
    assert encoded == [rows["text"]]

    tokens.tokenised(datasets.load_from_disk(tmp_path), learned(["other words"]))
    assert len(encoded) == 2
