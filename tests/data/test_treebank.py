import bz2
import re

import nltk.tokenize
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer

from lstm_jax import characters
from lstm_jax.data import treebank
from lstm_jax.data.treebank import separate_tokens
from tests.reviews import REAL_DATA

# Fragments that the tokenizer's rules treat specially. Texts are built from them.
FRAGMENTS = """
    the good Film 5 3,000 5: a:b a;b $5 50% e-mail U.S. e.g. end. (ok). "Hi" "Hi." don't.' .) ... .. -- — ' " ` `` . ,
    : ; ?! ? ( ) [a] {b} <c> “q” ‘x’ «y» » ” ’ * @ # & can't cannot gonna Wanna gimme lemme gotta 'tis 'TWAS more'n d'ye
    it's x's' I'LL you'd we're n't N'T 'n' 're ü 映画 😀 ' ''' <url> <url>.
""".split()  # noqa: SIM905
SPACES = ("", " ", "  ", "\n", "\u00a0", "\x1c")

ENDS = re.compile(r"\.[\])}>\"'»”’]*$")  # A piece that ends a sentence: a period and closing marks.
# Marks that the rules treat differently at the end of a sentence.
AT_ENDS = re.compile(r"^(''|\"\"|\"'')|'([smd]|ll|re|ve|n't)?'$", re.IGNORECASE)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(treebank, "_known", {})


def sentences(text: str) -> list[str]:
    found: list[list[str]] = [[]]
    for piece in text.split():
        found[-1].append(piece)
        if ENDS.search(piece):
            found.append([])
    return [" ".join(pieces) for pieces in found]


def by_nltk(text: str) -> list[str]:
    """The words from NLTK's tokenizer, sentence by sentence; ``<url>`` is one word."""
    words = (" ".join(NLTKWordTokenizer().tokenize(sentence)) for sentence in sentences(text))
    return " ".join(words).replace("< url >", "<url>").split()


def plain_ends(text: str) -> bool:
    return not any(AT_ENDS.search(sentence) for sentence in sentences(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's good. I can't say more.", "It 's good . I ca n't say more ."),
        ("A U.S. film, e.g. this one", "A U.S . film , e.g . this one"),  # a period before a space ends a sentence
        ("at 9.30 a.m.? for $3.50, or 1,000", "at 9.30 a.m. ? for $ 3.50 , or 1,000"),
        ('He said "no." (And left.) Then', "He said `` no . '' ( And left . ) Then"),
        ("well... and -- so?!", "well ... and -- so ? !"),
        ("'tis a 'quoted' word, we'll gonna cannot", "' tis a ' quoted ' word , we 'll gon na can not"),
        ("the actors' faces; the film's end.", "the actors ' faces ; the film 's end ."),
        ("“curly” ‘marks’ «and» more—or less", "“ curly ” ‘ marks ’ « and » more — or less"),
        ("see <url> and (<url>).", "see <url> and ( <url> ) ."),
        ("überraschend gut 😀 映画", "überraschend gut 😀 映画"),
        ("  many\n\nspaces\t \u00a0here ", "many spaces here"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_words_of_a_text(text, words):
    assert separate_tokens([text]) == [words]
    assert by_nltk(text) == words.split()


texts_of_fragments = st.lists(st.tuples(st.sampled_from(FRAGMENTS), st.sampled_from(SPACES)), max_size=12).map(
    lambda parts: "".join(fragment + space for fragment, space in parts)
)


@settings(max_examples=150)
@given(st.lists(texts_of_fragments.filter(plain_ends), min_size=1, max_size=5))
def test_words_are_those_of_nltk(texts):
    assert [text.split() for text in separate_tokens(texts)] == [by_nltk(text) for text in texts]


@settings(max_examples=100)
@given(st.lists(st.text().filter(plain_ends), min_size=1, max_size=5))
def test_words_of_any_text_are_those_of_nltk(texts):
    expected = [by_nltk(text.replace(treebank.BORDER, " ")) for text in texts]
    assert [text.split() for text in separate_tokens(texts)] == expected


@pytest.mark.parametrize("piece", ["''b", '""b', '""', "it's'", "end."])
def test_a_text_has_the_same_words_whatever_stands_beside_it(piece):
    alone = separate_tokens([piece])[0]
    treebank._known.clear()
    beside = separate_tokens([piece, *(f"word{n}" for n in range(200))])
    assert beside[0] == alone
    treebank._known.clear()
    assert separate_tokens([*(f"word{n}" for n in range(200)), piece])[-1] == alone


@pytest.mark.parametrize("call", [1, 3, 2000])
def test_pieces_are_found_again_whatever_the_call(monkeypatch, call):
    monkeypatch.setattr(treebank, "PIECES_PER_CALL", call)
    texts = ["It's good. I can't", "can't it's (good)", "good. good.", ""] * 2
    for _ in range(2):
        assert [text.split() for text in separate_tokens(texts)] == [by_nltk(text) for text in texts]


def test_a_piece_is_tokenised_once(monkeypatch):
    assert separate_tokens(["it's good. It's fine."]) == ["it 's good . It 's fine ."]
    monkeypatch.setattr(nltk.tokenize, "NLTKWordTokenizer", None)
    assert separate_tokens(["It's good.", "it's fine. it's good."]) == [
        "It 's good .",
        "it 's fine . it 's good .",
    ]
    with pytest.raises(TypeError):  # a new piece needs the tokenizer, which is removed
        separate_tokens(["it's new"])


def test_a_piece_is_divided_above_a_length_alone(monkeypatch):
    monkeypatch.setattr(characters, "LONGEST_PIECE", 6)
    assert separate_tokens(["a,bcde it's.", "a,bcdef it's.", "abcdefghijklmn."]) == [
        "a , bcde it 's .",
        "a , bcde f it 's .",
        "abcdef ghijkl mn .",
    ]


def test_a_call_gets_a_limited_number_of_characters(monkeypatch):
    monkeypatch.setattr(treebank, "CHARACTERS_PER_CALL", 10)
    calls = []
    tokenize = treebank._tokenize
    monkeypatch.setattr(treebank, "_tokenize", lambda pieces: (calls.append(pieces), tokenize(pieces)))
    assert separate_tokens(["it's good abcdefghijk cannot can't"]) == ["it 's good abcdefghijk can not ca n't"]
    assert calls == [["it's", "good"], ["abcdefghijk"], ["cannot"], ["can't"]]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(treebank, "CACHE_SIZE", 10)
    most = 0
    for n in range(40):
        assert separate_tokens([f"it's{n}, w{n}.", "it's"]) == [f"it's{n} , w{n} .", "it 's"]
        most = max(most, len(treebank._known))
    assert 10 < most <= 10 + 3


def test_address_is_one_word():
    assert separate_tokens(["<url>, see:<url> (<url>)"]) == ["<url> , see : <url> ( <url> )"]


def test_border_in_a_text():
    border = treebank.BORDER
    assert separate_tokens([f"it's{border}good.", border, f"a {border} b", "it's"]) == [
        "it 's good .",
        "",
        "a b",
        "it 's",
    ]


@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real reviews are not there")
@pytest.mark.slow
def test_real_reviews():
    with bz2.open(REAL_DATA / "train.ft.txt.bz2", "rt", encoding="utf-8") as file:
        texts = [line.partition(" ")[2] for line in file][::3]
    assert len(texts) == 1753
    assert [text.split() for text in separate_tokens(texts)] == [by_nltk(text) for text in texts]
