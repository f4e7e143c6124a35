import json
import re
import time

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, models, normalizers

from lstm_jax.config import TokensConfig
from lstm_jax.data import tokenizer as tokenizer_module
from lstm_jax.data import treebank
from lstm_jax.data.tokenizer import (
    KERAS_SPECIAL,
    SPECIAL,
    URL,
    _cleaned,
    blank_tokenizer,
    encode,
    encode_dataset,
    first_token_id,
    index_vocabulary,
    learn_vocabulary,
    pretokenize,
    pretokenize_dataset,
    read_tokenizer,
    tokens_of,
    unknown_id,
    write_tokenizer,
)
from lstm_jax.errors import UserError
from tests.reviews import REAL_DATA

PAD, UNKNOWN = 0, 1
START, KERAS_UNKNOWN, UNUSED = 1, 2, 3
KINDS = ("runs", "alphanumeric", "spaces", "keras", "treebank")


def learned(texts: list[str], fingerprint: str | None = None, **options):
    config = TokensConfig(**{"min_count": 1, **options})
    dataset = datasets.Dataset.from_dict({"text": pretokenize(texts, config)})
    return learn_vocabulary([dataset.data.column("text").to_pylist()], fingerprint or repr((texts, options)), config)


@pytest.fixture(scope="module")
def good_film():
    return learned(["good film"])


def words(tokenizer, text: str) -> list[str]:
    return tokens_of(tokenizer, encode(tokenizer, [text])[0])


def words_of(text: str, **options) -> list[str]:
    """The tokens of a text under the vocabulary learned from it, without <START>."""
    (split,) = pretokenize([text], TokensConfig(**options))
    found = words(learned([text], **options), split)
    return found[1:] if options["kind"] == "keras" else found


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


TEXT = "Don't visit end_of.<br />It's 10,5% – e-mail: (OK)! [映画]"
WORDS = {
    "runs": "dont visit end_of . its 10 , 5 % – e - mail : ( ok )! [ 映画 ]",
    "alphanumeric": "dont visit endof its 105 email ok 映画",
    "spaces": "don't visit end_of. it's 10,5% – e-mail: (ok)! [映画]",
    "keras": "don't visit end of br it's 10 5 – e mail ok 映画",
    "treebank": "do n't visit end_of . it 's 10,5 % – e-mail : ( ok ) ! [ 映画 ]",
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_words(kind):
    assert words_of(TEXT, kind=kind) == WORDS[kind].split()


@pytest.mark.parametrize("kind", KINDS)
def test_case_is_kept_by_every_kind(kind):
    text = "Good GOOD good"
    assert words_of(text, kind=kind) == ["good"] * 3
    assert words_of(text, kind=kind, lower_case=False) == text.split()


@pytest.mark.parametrize("kind", KINDS)
def test_digits_become_zeros(kind):
    text = "1999 was b2b 0 x10"
    assert words_of(text, kind=kind) == text.split()
    assert words_of(text, kind=kind, zero_digits=True) == ["0000", "was", "b0b", "0", "x00"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "address",
    [
        "http://a.b/c?d=1&e=_f",
        "https://x.y:80/#z",
        "www.x.org",
        "a-shop.com",
        "shop.org/a/b_c",
        "x.y.net/",
        "HTTPS://A.b/C",
        "WWW.X.com",
    ],
)
def test_every_address_becomes_the_same_word(kind, address):
    text = f"see {address} now"
    marked = words_of(text, kind=kind, mark_urls=True)
    assert [word.strip("<>") for word in marked] == ["see", "url", "now"]
    assert marked[1] == "<url>" or kind not in ("spaces", "treebank")  # the others may drop the brackets
    assert marked[1] not in words_of(text, kind=kind)


@pytest.mark.parametrize("kind", ["spaces", "treebank"])
def test_what_is_no_address(kind):
    text = "the company.community http www com not.a.link end.then u.s.a"
    assert words_of(text, kind=kind, mark_urls=True) == text.split()


# The definition of a web address, which takes time that grows with the square of the text.
PLAIN_URL = r"(?i)(?:https?://|www\.)\S+|\b[\w.-]+\.(?:com|org|net)\b(?:/\S*)?"
ADDRESS_PARTS = [*"aw.-:/ htps0é_ſK\n\x1c\u0301", "com", "org", "net", "www.", "http://", "HTTPS://", ".com", ".Org"]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(ADDRESS_PARTS), max_size=14).map("".join))
def test_addresses_are_those_of_the_plain_definition(text):
    assert re.sub(URL, r"\1<url>", text) == re.sub(PLAIN_URL, "<url>", text)
    plain = normalizers.Replace(Regex(PLAIN_URL), "<url>").normalize_str(text)
    assert normalizers.Replace(Regex(tokenizer_module.URL_IN_LIBRARY), "<url>").normalize_str(text) == plain


LONG_RUNS = [*"a0é .,'\"`-_:;!?([{<>)*“’…—/\\😀\t\0", "a.", "a-", "a'", ".)", '"a', ",5", "''", "--", "n't ", "a b "]
LONG_RUNS += ["a.com", "<br />", "__label__", "http://", "http:/", "www", "a.co", "[UNK]", "d'ye", "cannot", "<url>"]


@pytest.mark.parametrize("mark_urls", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_takes_time_that_grows_with_its_square(kind, mark_urls):
    config = TokensConfig(kind=kind, mark_urls=mark_urls)
    special = KERAS_SPECIAL if kind == "keras" else SPECIAL
    tokenizer = blank_tokenizer(config)
    tokenizer.model = models.WordLevel({name: n for n, name in enumerate(special)}, tokenizer.model.unk_token)
    encode(tokenizer, pretokenize(["It's imported."], config))
    for unit in LONG_RUNS:
        began = time.process_time()
        encode(tokenizer, pretokenize([(unit * 100_000)[:100_000]], config))
        assert time.process_time() - began < 2, unit  # The square of this length would take minutes.


@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_longer_than_the_library_can_search_is_divided(kind):
    """The library's regular expressions stop the process after ten million steps."""
    text = "a" * 12_000_000
    tokenizer = learned([text], kind=kind, mark_urls=True)
    assert words(tokenizer, pretokenize([text], TokensConfig(kind=kind))[0])[-120:] == ["a" * 100_000] * 120


@pytest.mark.parametrize("kind", KINDS)
def test_first_ids(kind, tmp_path):
    special = ["<PAD>", "<START>", "<UNK>", "<UNUSED>"] if kind == "keras" else ["[PAD]", "[UNK]"]
    tokenizer = learned(["one two two", "three three three"], kind=kind)
    write_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    for known in (tokenizer, read_tokenizer(tmp_path / "tokenizer.json")):
        assert tokens_of(known, range(known.get_vocab_size())) == [*special, "three", "two", "one"]
        assert first_token_id(known) == len(special)
        assert unknown_id(known) == known.token_to_id("<UNK>" if kind == "keras" else "[UNK]")
        assert words(known, "one four")[-2:] == ["one", special[unknown_id(known)]]


def test_layout_of_keras():
    texts = ["the film was good", "the film", "the end <br /> was"]
    tokenizer = learned(texts, kind="keras", vocabulary_size=7)
    vocabulary = {"<PAD>": PAD, "<START>": START, "<UNK>": KERAS_UNKNOWN, "<UNUSED>": UNUSED}
    assert tokenizer.get_vocab().keys() - vocabulary == {"the", "film", "was"}
    assert tokenizer.get_vocab() == {**vocabulary, "the": 4, "film": 5, "was": 6}
    ids = encode(tokenizer, ["The GOOD film!", "", "was <PAD> <START>"])
    assert ids == [[START, 4, KERAS_UNKNOWN, 5], [START], [START, 6, KERAS_UNKNOWN, KERAS_UNKNOWN]]
    assert tokens_of(tokenizer, ids[0]) == ["<START>", "the", "<UNK>", "film"]


@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real reviews are not there")
@pytest.mark.slow
def test_keras_vocabulary_of_real_reviews():
    """The most frequent words of ``keras.datasets.imdb.get_word_index()``, which counts the test half too."""
    imdb = datasets.Dataset.from_parquet(str(REAL_DATA / "imdb" / "train.parquet"))
    tokenizer = learn_vocabulary(
        [imdb.data.column("text").to_pylist()], "real", TokensConfig(kind="keras", vocabulary_size=10_000)
    )
    assert tokenizer.get_vocab_size() == 10_000
    assert tokens_of(tokenizer, range(4, 14)) == ["the", "and", "a", "of", "to", "is", "br", "in", "it", "i"]


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
    assert encode(good_film, texts) == [[good, UNKNOWN, film], [UNKNOWN], [UNKNOWN], [UNKNOWN]]


def test_a_text_cannot_spell_the_special_words(good_film, tmp_path):
    write_tokenizer(good_film, tmp_path / "tokenizer.json")
    for tokenizer in (good_film, read_tokenizer(tmp_path / "tokenizer.json")):
        assert encode(tokenizer, ["[PAD][UNK]"]) == [[UNKNOWN] * 5]  # [ pad ][ unk ]


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_lets_a_text_spell_the_special_words(kind, lower_case):
    special = (*SPECIAL, *KERAS_SPECIAL)
    for texts in (["good film"], ["good film", *special * 3]):
        tokenizer = learned(texts, kind=kind, lower_case=lower_case)
        own = KERAS_SPECIAL if kind == "keras" else SPECIAL
        assert tokens_of(tokenizer, range(len(own))) == list(own)
        assert sorted(tokenizer.get_vocab().values()) == list(range(tokenizer.get_vocab_size()))
        for ids in encode(tokenizer, pretokenize(list(special), TokensConfig(kind=kind))):
            without_start = ids[1:] if kind == "keras" else ids
            assert {n for n in without_start if n < len(own)} <= {unknown_id(tokenizer)}


@pytest.mark.parametrize("kind", KINDS)
@given(texts=st.lists(st.text(), min_size=1, max_size=50))
@pytest.mark.slow
def test_any_text_has_words(kind, texts):
    config = TokensConfig(kind=kind, zero_digits=True, mark_urls=True)
    tokenizer = learned(["good film"], kind=kind)
    for ids in encode(tokenizer, pretokenize(texts, config)):
        assert ids
        assert PAD not in ids
        assert (ids[0] == START) == (kind == "keras" or ids[0] == UNKNOWN)
        assert START not in ids[1:] or kind != "keras"


def test_long_text():
    assert encode(learned(["word word end"]), ["word " * 200_000 + "end"])[0] == [2] * 200_000 + [3]


def test_learned_vocabulary_is_read_from_the_cache(monkeypatch):
    first = learned(["good film"], "cached once")
    monkeypatch.setattr(tokenizer_module, "blank_tokenizer", None)
    assert learned(["other words"], "cached once").to_str() == first.to_str()
    with pytest.raises(TypeError):  # another vocabulary must be learned, and that function is removed
        learned(["good film"], "cached once", vocabulary_size=3)


def test_vocabularies_of_other_words_are_cached_apart():
    changes = [{"kind": kind} for kind in KINDS]
    changes += [{"zero_digits": True}, {"mark_urls": True}, {"lower_case": False}, {"min_count": 2}]
    text = "Don't say 12<br />at_all x.com"
    for _ in range(2):
        found = [learned([text], "one name for all", **change).get_vocab() for change in changes]
        assert found == [learned([text], f"a name for {change}", **change).get_vocab() for change in changes]
    assert len({tuple(sorted(vocabulary)) for vocabulary in found}) == len(changes)


def test_written_and_read(tmp_path):
    tokenizer = learned(["good film"])
    path = tmp_path / "folder" / "tokenizer.json"
    write_tokenizer(tokenizer, path)
    assert read_tokenizer(path).to_str() == tokenizer.to_str()
    assert [file.name for file in path.parent.iterdir()] == ["tokenizer.json"]
    path.write_text(path.read_text()[:50])
    with pytest.raises(UserError, match=r"tokenizer\.json is not a readable vocabulary .*; delete it and train again"):
        read_tokenizer(path)


def test_tokenised_reviews_are_cached(tmp_path, monkeypatch):
    rows = {"text": ["good film", "bad film", ""]}
    features = datasets.Features({"text": datasets.Value("large_string")})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path)
    tokenizer = learned(["good bad film"])
    encoded = []
    encoder = tokenizer_module._encoder

    def noted(known):
        return lambda texts: (encoded.append(texts), encoder(known)(texts))[1]

    monkeypatch.setattr(tokenizer_module, "_encoder", noted)

    for _ in range(2):
        dataset = encode_dataset(datasets.load_from_disk(tmp_path), tokenizer)
        expected = [[tokenizer.token_to_id(w) for w in text.split()] or [UNKNOWN] for text in rows["text"]]
        assert dataset["ids"][:] == expected
        assert dataset.column_names == ["ids"]
    assert encoded == [rows["text"]]

    encode_dataset(datasets.load_from_disk(tmp_path), learned(["other words"]))
    assert len(encoded) == 2


def test_treebank_words_are_found_once(tmp_path, monkeypatch):
    datasets.Dataset.from_dict({"text": ["It's 10.", "Good<br />film"], "label": [1, 0]}).save_to_disk(tmp_path)
    asked = []
    separate = treebank.separate_tokens
    monkeypatch.setattr(treebank, "separate_tokens", lambda texts: (asked.append(texts), separate(texts))[1])

    def prepared(**options) -> datasets.Dataset:
        return pretokenize_dataset(datasets.load_from_disk(tmp_path), TokensConfig(**options))

    for _ in range(2):
        assert prepared(kind="treebank")["text"][:] == ["it 's 10 .", "good film"]
    assert asked == [["it's 10.", "good film"]]
    assert prepared(kind="treebank", zero_digits=True)["text"][:] == ["it 's 00 .", "good film"]
    assert prepared(kind="treebank", lower_case=False)["text"][:] == ["It 's 10 .", "Good film"]
    assert len(asked) == 3
    for kind in set(KINDS) - {"treebank"}:
        assert prepared(kind=kind)["text"][:] == ["It's 10.", "Good<br />film"]
    assert len(asked) == 3


def test_a_dictionary_gives_the_ids_that_the_tokeniser_gives():
    config = TokensConfig(kind="treebank", min_count=2)
    texts = pretokenize(["It's good, isn't it?", "It's not good.", "", "[PAD] unheard (good)"], config)
    tokenizer = learn_vocabulary([texts], "by dictionary", config)
    by_library = [encoding.ids or [UNKNOWN] for encoding in tokenizer.encode_batch_fast(texts)]
    assert encode(tokenizer, texts) == by_library
    assert {UNKNOWN, tokenizer.token_to_id("good")} < set(np.concatenate(by_library))


def loye(text: str) -> str:
    """The article's lines, as they are printed."""
    if "www." in text or "http:" in text or "https:" in text:
        text = re.sub(r"([^ ]+(?<=\.[a-z]{3}))", "<url>", text)
    return text


LOYE = {"kind": "treebank", "mark_urls": True, "url_rule": "loye"}


@given(st.text(alphabet="ab.c w1/\n:", max_size=40), st.sampled_from(["www.", "http:", "https:", ""]))
def test_the_addresses_of_loye_are_those_of_the_printed_expression(text, sign):
    text = f"{text[:5]}{sign}{text[5:]}"
    assert _cleaned(text, TokensConfig(**LOYE)) == loye(text)


def test_an_address_of_loye_is_three_tokens():
    text = "See www.shop.com/a then.and <url>."
    assert pretokenize([text], TokensConfig(**LOYE)) == ["see < url > /a < url > < url > ."]
    assert pretokenize([text], TokensConfig(**{**LOYE, "url_rule": "addresses"})) == ["see <url> then.and <url> ."]
    assert pretokenize(["nothing.but words"], TokensConfig(**LOYE)) == ["nothing.but words"]


@pytest.mark.parametrize("kind", KINDS)
def test_stop_words_are_removed(kind):
    texts = ["The good, the bad", "THE", "thee"]
    config = TokensConfig(kind=kind, min_count=1, stop_words=("the", "Bad"))
    found = pretokenize(texts, config)
    assert found == [{"runs": "good ,", "treebank": "good ,", "spaces": "good,"}.get(kind, "good"), "", "thee"]
    learned_words = learned(texts, kind=kind, stop_words=("the", "Bad")).get_vocab()
    assert "thee" in learned_words
    assert not {"the", "bad"} & set(learned_words)


def test_stop_words_that_are_not_one_token():
    with pytest.raises(UserError, match="holds \"don't\", which is 2 tokens do n't; leave it out"):
        pretokenize(["a"], TokensConfig(kind="treebank", stop_words=("not", "don't")))
    with pytest.raises(UserError, match="holds '!', which is no token"):
        pretokenize(["a"], TokensConfig(kind="alphanumeric", stop_words=("!",)))
    assert pretokenize(["don't go"], TokensConfig(kind="runs", stop_words=("don't",))) == ["go"]


@pytest.mark.parametrize("kind", ["runs", "spaces", "treebank"])
def test_line_breaks_are_kept_if_asked(kind):
    kept = words_of("good<br />film", kind=kind, keep_breaks=True)
    assert "br" in "".join(kept)
    assert words_of("good<br />film", kind=kind) == ["good", "film"]


def test_the_index_of_keras(tmp_path):
    file = tmp_path / "imdb_word_index.json"
    file.write_text(json.dumps({"film": 2, "the": 1, "rare": 4, "good": 3}))
    config = TokensConfig(kind="keras", vocabulary_size=7, index_path=str(file))
    tokenizer = index_vocabulary(file, config)
    assert encode(tokenizer, ["The film: rare, good!"]) == [[START, 4, 5, KERAS_UNKNOWN, 6]]
    assert words(tokenizer, "the rare") == ["<START>", "the", "<UNK>"]
    assert (tokenizer.get_vocab_size(), first_token_id(tokenizer), unknown_id(tokenizer)) == (7, 4, KERAS_UNKNOWN)
    write_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    again = read_tokenizer(tmp_path / "tokenizer.json")
    assert encode(again, ["<PAD> the <UNK>"]) == encode(tokenizer, ["<PAD> the <UNK>"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "cannot be read as JSON"),
        ("[1]", "holds no object of words and their ranks"),
        ("{}", "holds no object of words and their ranks"),
        ('{"a": "1"}', "holds no object of words and their ranks"),
        ('{"a": true}', "holds no object of words and their ranks"),
        ('{"a": 0, "b": 1}', "the 2 ranks are not 1 to 2, each once"),
        ('{"a": 1, "b": 1}', "the 2 ranks are not 1 to 2, each once"),
        ('{"a": 1, "<UNK>": 2}', "holds the word '<UNK>', which stands for an id below 4"),
    ],
)
def test_a_malformed_index(content, message, tmp_path):
    file = tmp_path / "index.json"
    file.write_text(content)
    with pytest.raises(UserError, match=message):
        index_vocabulary(file, TokensConfig(kind="keras", index_path=str(file)))
    with pytest.raises(UserError, match="cannot be read as JSON"):
        index_vocabulary(tmp_path / "nothing.json", TokensConfig(kind="keras"))


# The review that the article of configs/keras_imdb.py shows, as Keras's ids.
KERAS_IDS = [
    *(1, 778, 128, 74, 12, 630, 163, 15, 4, 1766, 7982, 1051, 2, 32, 85, 156, 45, 40, 148, 139, 121, 664, 665, 10, 10),
    *(1361, 173, 4, 749, 2, 16, 3804, 8, 4, 226, 65, 12, 43, 127, 24, 2, 10, 10),
]


@pytest.mark.long
@pytest.mark.skipif(not REAL_DATA.exists(), reason="LSTM_JAX_TEST_DATA names no folder of reviews")
def test_ids_counted_on_imdb_are_nearly_those_of_keras():
    texts = pq.read_table(REAL_DATA / "imdb" / "train.parquet").column("text").to_pylist()
    (shown,) = (text for text in texts if text.startswith("Begins better than it ends."))
    counted = learned(texts, kind="keras", vocabulary_size=10_000)
    (ids,) = encode(counted, [shown])
    different = [(own, theirs) for own, theirs in zip(ids, KERAS_IDS, strict=True) if own != theirs]
    assert len(different) == 7
    assert max(abs(own - theirs) for own, theirs in different) == 61
