import numpy as np
import pytest

from lstm_jax import counting
from lstm_jax.text import corpus

GOOD, BAD, FILM, UNSEEN = 2, 3, 4, 5
VOCABULARY = 6


@pytest.fixture
def reviews():
    """Two positive reviews of five words and two negative ones of four."""
    flat = corpus.from_ids([[GOOD, FILM], [BAD, FILM], [GOOD, GOOD, FILM], [BAD, BAD]])
    return flat._replace(labels=np.array([1, 0, 1, 0], np.int32))


def test_class_frequencies(reviews):
    scores = counting.class_frequencies(reviews, VOCABULARY, 2)
    film_negative, film_positive = 1 / 4, 2 / 5  # its shares of the words of either class
    total = film_negative + film_positive
    np.testing.assert_allclose(
        scores.words, [[0, 0], [0, 0], [0, 1], [1, 0], [film_negative / total, film_positive / total], [0, 0]]
    )
    np.testing.assert_array_equal(scores.prior, [0, 0])


def test_naive_bayes(reviews):
    unbalanced = reviews._replace(labels=np.array([1, 0, 1, 1], np.int32))
    scores = counting.naive_bayes(unbalanced, VOCABULARY, 2)
    negative = np.array([1, 1, 1, 2, 2, 1]) / 8  # one review: bad film
    positive = np.array([1, 1, 4, 3, 3, 1]) / 13  # good film, good good film, bad bad
    np.testing.assert_allclose(scores.words, np.log(np.stack([negative, positive], axis=1)))
    np.testing.assert_allclose(scores.prior, np.log([1 / 4, 3 / 4]))


def test_predictions_add_up_the_words_of_each_review(reviews):
    scores = counting.WordScores(np.arange(12.0).reshape(6, 2) % 5, np.array([0.5, 0.0]))
    ids = [[GOOD, FILM], [BAD, FILM], [GOOD, GOOD, FILM], [BAD, BAD]]
    sums = np.array([scores.words[review].sum(axis=0) + scores.prior for review in ids])
    np.testing.assert_array_equal(counting.predictions(scores, reviews), sums.argmax(axis=1))
    assert counting.accuracy(scores, reviews) == np.mean(sums.argmax(axis=1) == [1, 0, 1, 0])


@pytest.mark.parametrize("method", counting.METHODS)
def test_methods_tell_apart_what_words_tell_apart(reviews, method):
    scores = counting.METHODS[method](reviews, VOCABULARY, 2)
    assert counting.predictions(scores, reviews).tolist() == [1, 0, 1, 0]
    assert counting.accuracy(scores, reviews) == 1.0
    unknown = corpus.from_ids([[GOOD, UNSEEN], [UNSEEN, BAD], [UNSEEN]])
    assert counting.predictions(scores, unknown)[:2].tolist() == [1, 0]


def test_a_class_without_reviews(reviews):
    for fit in counting.METHODS.values():
        scores = fit(reviews, VOCABULARY, 3)
        assert np.isfinite(scores.words).all()
        assert counting.predictions(scores, reviews).tolist() == [1, 0, 1, 0]
