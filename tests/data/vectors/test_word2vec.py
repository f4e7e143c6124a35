import sys

import numpy as np
import pytest

from lstm_jax.data import flat_corpus
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.vectors import word2vec
from lstm_jax.data.vectors.cache import STDDEV
from lstm_jax.data.vectors.word2vec import word2vec_vectors
from lstm_jax.errors import UserError

PAD, UNKNOWN, FIRST = 0, 1, 2
UNSEEN = 10
VOCABULARY = 11
SETTINGS = {"vocabulary_size": VOCABULARY, "first_token": FIRST, "size": 8, "window": 2, "seed": 0}


def reviews(count: int = 600, seed: int = 1) -> FlatCorpus:
    """Tokens 2 and 3 occur near 6 and 7, tokens 4 and 5 near 8 and 9; some tokens are unknown."""
    rng = np.random.default_rng(seed)
    kinds = ((2, 3), (6, 7)), ((4, 5), (8, 9))
    chosen = [kinds[n % 2] for n in range(count)]
    return flat_corpus.from_ids([[rng.choice(words), *rng.permutation(things), UNKNOWN] for words, things in chosen])


@pytest.fixture(scope="module")
def vectors():
    return word2vec_vectors(reviews(), **SETTINGS)


def test_vectors_of_a_vocabulary(vectors):
    assert vectors.shape == (VOCABULARY, 8)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[[PAD, UNKNOWN, UNSEEN]], 0)
    assert np.abs(vectors[FIRST:UNSEEN]).sum(axis=1).all()
    assert vectors.std() == pytest.approx(STDDEV, rel=1e-5)


def test_words_in_like_company_get_like_vectors():
    vectors = word2vec_vectors(reviews(15_000), **SETTINGS)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)
    likeness = unit @ unit.T
    assert min(likeness[2, 3], likeness[4, 5]) > 0.9 > 0.5 > likeness[2:4, 4:6].max()


def test_learning_again_gives_the_same_vectors(vectors, monkeypatch, tmp_path):
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path))
    np.testing.assert_array_equal(word2vec_vectors(reviews(), **SETTINGS), vectors)
    assert not np.array_equal(word2vec_vectors(reviews(), **{**SETTINGS, "seed": 1}), vectors)


def test_vectors_are_learned_once(vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    np.testing.assert_array_equal(word2vec_vectors(reviews(), **SETTINGS), vectors)
    relabelled = reviews()._replace(labels=np.ones(600, np.int32))
    np.testing.assert_array_equal(word2vec_vectors(relabelled, **SETTINGS), vectors)
    message = "config.data.vectors.source 'word2vec' needs gensim; pip install 'gensim>=4.3', or use 'cooccurrence'"
    for name, value in SETTINGS.items():
        with pytest.raises(UserError) as caught:  # other vectors must be learned, and the library is removed
            word2vec_vectors(reviews(), **{**SETTINGS, name: value + 1})
        assert str(caught.value) == message
    with pytest.raises(UserError, match="needs gensim"):
        word2vec_vectors(reviews(seed=2), **SETTINGS)


def test_sentences_hold_all_words_of_a_review(monkeypatch):
    monkeypatch.setattr(word2vec, "MAX_SENTENCE_LENGTH", 3)
    flat = flat_corpus.from_ids([[2, 3, UNKNOWN, 4, 5, 6, 7, 8], [PAD, UNKNOWN], [9]])
    sentences = word2vec._Sentences(flat, FIRST)
    for _ in range(2):
        assert list(sentences) == [["2", "3", "4"], ["5", "6", "7"], ["8"], ["9"]]


def test_reviews_without_any_known_word():
    with pytest.raises(UserError, match="the reviews hold no word of the vocabulary"):
        word2vec_vectors(flat_corpus.from_ids([[UNKNOWN, UNKNOWN], [UNKNOWN]]), **SETTINGS)
