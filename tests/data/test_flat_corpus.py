"""Operations on flat corpora."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.config import TokensConfig
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.tokenizer import PADDING
from tests.data.helpers import unpack

UNKNOWN = 1
short_reviews = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=12), min_size=1, max_size=8)


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Makes blocks small, so that the few reviews here are copied in several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat_corpus, "BLOCK", 3)
        yield


@given(
    st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=12), min_size=1, max_size=8),
    st.integers(1, 12),
    st.sampled_from(["head", "tail", "both"]),
)
def test_truncation_of_any_corpus(ids, length, keep):
    def expected(review):
        if len(review) <= length:
            return review
        head = {"head": length, "tail": 0, "both": length // 2 or length}[keep]
        return review[:head] + review[len(review) - (length - head) :]

    flat = flat_corpus.from_ids(ids)._replace(labels=np.arange(len(ids), dtype=np.int32))
    cut = flat_corpus.truncate(flat, length, keep)
    assert unpack(cut) == [expected(review) for review in ids]
    assert cut.labels.tolist() == list(range(len(ids)))


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=6), min_size=1, max_size=8), st.data())
def test_take(ids, data):
    rows = data.draw(st.lists(st.integers(0, len(ids) - 1), max_size=10))
    flat = flat_corpus.from_ids(ids)._replace(labels=np.arange(len(ids), dtype=np.int32))
    taken = flat_corpus.take(flat, np.array(rows, int))
    assert unpack(taken) == [ids[row] for row in rows]
    assert taken.labels.tolist() == rows
    assert flat_corpus.lengths(taken).tolist() == [len(ids[row]) for row in rows]


@given(short_reviews, st.integers(0, 5))
def test_padding_on_the_left(ids, more):
    length = max(map(len, ids)) + more
    flat = flat_corpus.from_ids(ids)._replace(labels=np.arange(len(ids), dtype=np.int32))
    padded = flat_corpus.pad_left(flat, length)
    assert unpack(padded) == [[PADDING] * (length - len(review)) + review for review in ids]
    assert padded.labels.tolist() == list(range(len(ids)))
    assert padded.tokens.dtype == np.int32


def test_unknown_tokens_vanish_where_asked():
    flat = flat_corpus.from_ids([[5, 1, 6], [1, 1], [7], [1]])
    assert unpack(flat_corpus.remove_token(flat, UNKNOWN)) == [[5, 6], [1], [7], [1]]
    empty = flat_corpus.from_ids([[], [1, 5], [], [1], []])
    assert unpack(flat_corpus.remove_token(empty, UNKNOWN)) == [[], [5], [], [1], []]
    shaped = corpus.prepare_examples(flat, TokensConfig(remove_unknown=True, max_length=1), UNKNOWN)
    assert unpack(shaped) == [[5], [1], [7], [1]]
    assert unpack(corpus.prepare_examples(flat, TokensConfig(), UNKNOWN)) == [[5, 1, 6], [1, 1], [7], [1]]


@pytest.mark.parametrize("pad", [flat_corpus.pad_left, flat_corpus.pad_right])
def test_padding_on_either_side(pad):
    flat = flat_corpus.from_ids([[5, 6], [], [7, 8, 9, 4], [3]])
    own = unpack(pad(flat, 4))
    expected = [[5, 6, 0, 0], [0, 0, 0, 0], [7, 8, 9, 4], [3, 0, 0, 0]]
    assert own == (expected if pad is flat_corpus.pad_right else [[0, 0, 5, 6], expected[1], expected[2], [0, 0, 0, 3]])


def test_unknown_tokens_as_padding():
    flat = flat_corpus.from_ids([[5, UNKNOWN, 6], [UNKNOWN]])
    config = TokensConfig(unknown_as_padding=True, pad_right=True, max_length=3)
    assert unpack(corpus.prepare_examples(flat, config, UNKNOWN)) == [[5, 0, 6], [0, 0, 0]]
    assert unpack(flat)[0] == [5, UNKNOWN, 6], "the texts themselves stay as they are"
