import numpy as np
import pytest
import scipy.sparse

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.vectors import cooccurrence
from lstm_jax.data.vectors.cache import STDDEV
from lstm_jax.data.vectors.cooccurrence import cooccurrence_vectors
from lstm_jax.errors import UserError

WORDS = 9


def corpus_of(reviews=30, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 15, reviews)
    tokens = rng.integers(0, WORDS, counts.sum()).astype(np.int32)
    return FlatCorpus(tokens, np.concatenate([[0], np.cumsum(counts)]), np.zeros(reviews, np.int32))


def counted_one_by_one(corpus, first_token, window):
    counts = np.zeros((WORDS, WORDS))
    for start, end in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True):
        review = corpus.tokens[start:end]
        for i, word in enumerate(review):
            for j in range(max(i - window, 0), min(i + window + 1, len(review))):
                if i != j and word >= first_token and review[j] >= first_token:
                    counts[word, review[j]] += 1
    return counts


@pytest.mark.parametrize("window", [1, 3, 20])
@pytest.mark.parametrize("chunk", [7, 10**6])
@pytest.mark.parametrize("first_token", [2, 4])
def test_neighbours_are_counted_within_a_review_whatever_the_chunk(window, chunk, first_token, monkeypatch):
    monkeypatch.setattr(cooccurrence, "TOKENS_AT_A_TIME", chunk)
    counts = cooccurrence.neighbours(corpus_of(), WORDS, first_token, window).toarray()
    np.testing.assert_array_equal(counts, counted_one_by_one(corpus_of(), first_token, window))
    assert not counts[:first_token].any()


def test_mutual_information_of_a_case_worked_by_hand():
    counts = scipy.sparse.csr_array(np.array([[0.0, 3.0], [3.0, 1.0]]))
    smoothed = np.array([3.0, 4.0]) ** 0.75
    smoothed /= smoothed.sum()
    expected = np.array([[0.0, np.log(3 / (3 * smoothed[1]))], [np.log(3 / (4 * smoothed[0])), 0.0]])
    assert np.log(1 / (4 * smoothed[1])) < 0  # left out
    np.testing.assert_allclose(cooccurrence.mutual_information(counts).toarray(), expected, rtol=1e-6)


def test_vectors_give_the_best_approximation_of_their_rank():
    rng = np.random.default_rng(0)
    dense = np.abs(rng.normal(size=(40, 3)) @ rng.normal(size=(3, 40))) + 0.01 * rng.random((40, 40))
    vectors = cooccurrence.factor(scipy.sparse.csr_array(dense.astype(np.float32)), 3)
    u, values, _ = np.linalg.svd(dense)
    expected = u[:, :3] * np.sqrt(values[:3])
    wanted = expected @ expected.T
    np.testing.assert_allclose(vectors @ vectors.T, wanted, atol=1e-4 * np.trace(wanted))


def test_words_in_like_company_get_like_vectors():
    rng = np.random.default_rng(1)
    kinds = ((2, 3), (6, 7)), ((4, 5), (8, 9))
    reviews = [[rng.choice(words), *rng.permutation(things)] for words, things in kinds * 200]
    corpus = FlatCorpus(np.concatenate(reviews).astype(np.int32), np.arange(401) * 3, np.zeros(400, np.int32))
    vectors = cooccurrence_vectors(corpus, 10, 2, 3, 2)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)
    assert unit[2] @ unit[3] > 0.9 > 0.3 > unit[2] @ unit[4]


def test_vectors_have_the_deviation_of_random_ones():
    vectors = cooccurrence_vectors(corpus_of(), WORDS, 4, 3, 2)
    assert vectors.shape == (WORDS, 3)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors.std(), STDDEV, rtol=1e-5)
    np.testing.assert_allclose(vectors[:4], 0, atol=1e-6)
    assert np.abs(vectors[4:]).max(axis=1).min() > 1e-3


def test_vectors_are_learned_once(monkeypatch):
    first = cooccurrence_vectors(corpus_of(seed=5), WORDS, 2, 3, 2)
    monkeypatch.setattr(cooccurrence, "neighbours", None)
    np.testing.assert_array_equal(cooccurrence_vectors(corpus_of(seed=5), WORDS, 2, 3, 2), first)
    relabelled = corpus_of(seed=5)._replace(labels=np.ones(30, np.int32))
    np.testing.assert_array_equal(cooccurrence_vectors(relabelled, WORDS, 2, 3, 2), first)
    for other in ((WORDS + 1, 2, 3, 2), (WORDS, 3, 3, 2), (WORDS, 2, 4, 2), (WORDS, 2, 3, 1)):
        with pytest.raises(TypeError):  # other vectors must be learned, and that function is removed
            cooccurrence_vectors(corpus_of(seed=5), *other)
    with pytest.raises(TypeError):
        cooccurrence_vectors(corpus_of(seed=6), WORDS, 2, 3, 2)
    shifted = corpus_of(seed=5)
    shifted = shifted._replace(offsets=np.concatenate([[0], shifted.offsets[1:-1] - 1, shifted.offsets[-1:]]))
    with pytest.raises(TypeError):
        cooccurrence_vectors(shifted, WORDS, 2, 3, 2)


def test_learning_again_gives_the_same_vectors(monkeypatch, tmp_path):
    first = cooccurrence_vectors(corpus_of(), WORDS, 2, 3, 2)
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path))
    np.testing.assert_array_equal(cooccurrence_vectors(corpus_of(), WORDS, 2, 3, 2), first)


def test_too_few_words_for_vectors_of_that_size():
    with pytest.raises(
        UserError, match=r"embedding_size is 9, but it must be below the vocabulary's 9 words; lower it"
    ):
        cooccurrence_vectors(corpus_of(), WORDS, 2, WORDS, 2)
