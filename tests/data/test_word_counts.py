import numpy as np
import pytest

from lstm_jax.data import flat_corpus
from lstm_jax.data.word_counts import (
    BASELINES,
    TokenScores,
    baseline_accuracy,
    baseline_predictions,
    class_frequencies,
    majority,
    naive_bayes,
)

GOOD, BAD, FILM, UNSEEN = 2, 3, 4, 5
VOCABULARY = 6


@pytest.fixture
def reviews():
    """Two positive reviews of five words and two negative ones of four."""
    flat = flat_corpus.from_ids([[GOOD, FILM], [BAD, FILM], [GOOD, GOOD, FILM], [BAD, BAD]])
    return flat._replace(labels=np.array([1, 0, 1, 0], np.int32))


def test_class_frequencies(reviews):
    scores = class_frequencies(reviews, VOCABULARY, 2)
    film_negative, film_positive = 1 / 4, 2 / 5  # the share of "film" among the words of each class
    total = film_negative + film_positive
    np.testing.assert_allclose(
        scores.tokens, [[0, 0], [0, 0], [0, 1], [1, 0], [film_negative / total, film_positive / total], [0, 0]]
    )
    np.testing.assert_array_equal(scores.prior, [0, 0])


def test_naive_bayes(reviews):
    unbalanced = reviews._replace(labels=np.array([1, 0, 1, 1], np.int32))
    scores = naive_bayes(unbalanced, VOCABULARY, 2)
    negative = np.array([1, 1, 1, 2, 2, 1]) / 8  # one review: bad film
    positive = np.array([1, 1, 4, 3, 3, 1]) / 13  # good film, good good film, bad bad
    np.testing.assert_allclose(scores.tokens, np.log(np.stack([negative, positive], axis=1)))
    np.testing.assert_allclose(scores.prior, np.log([1 / 4, 3 / 4]))


def test_predictions_add_up_the_words_of_each_review(reviews):
    scores = TokenScores(np.arange(12.0).reshape(6, 2) % 5, np.array([0.5, 0.0]))
    ids = [[GOOD, FILM], [BAD, FILM], [GOOD, GOOD, FILM], [BAD, BAD]]
    sums = np.array([scores.tokens[review].sum(axis=0) + scores.prior for review in ids])
    np.testing.assert_array_equal(baseline_predictions(scores, reviews), sums.argmax(axis=1))
    assert baseline_accuracy(scores, reviews) == np.mean(sums.argmax(axis=1) == [1, 0, 1, 0])


LOOKING = {name: fit for name, fit in BASELINES.items() if fit is not majority}


def test_the_majority_is_the_greatest_class_whatever_the_words(reviews):
    more = flat_corpus.join([reviews, reviews._replace(labels=np.zeros(len(reviews.labels), int))])
    assert baseline_predictions(majority(more, VOCABULARY, 2), reviews).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("method", LOOKING)
def test_methods_tell_apart_what_words_tell_apart(reviews, method):
    scores = BASELINES[method](reviews, VOCABULARY, 2)
    assert baseline_predictions(scores, reviews).tolist() == [1, 0, 1, 0]
    assert baseline_accuracy(scores, reviews) == 1.0
    unknown = flat_corpus.from_ids([[GOOD, UNSEEN], [UNSEEN, BAD], [UNSEEN]])
    assert baseline_predictions(scores, unknown)[:2].tolist() == [1, 0]


def test_a_class_without_reviews(reviews):
    for fit in LOOKING.values():
        scores = fit(reviews, VOCABULARY, 3)
        assert np.isfinite(scores.tokens).all()
        assert baseline_predictions(scores, reviews).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("method", BASELINES)
def test_padding_is_not_counted(reviews, method):
    padded = flat_corpus.pad_left(reviews, 7)._replace(labels=np.array([1, 0, 0, 0], np.int32))
    plain = reviews._replace(labels=padded.labels)
    scores, without = (BASELINES[method](corpus, VOCABULARY, 2) for corpus in (padded, plain))
    np.testing.assert_array_equal(scores.tokens, without.tokens)
    heavy = scores._replace(tokens=scores.tokens - np.array([[9.0, 0.0]]) * (np.arange(VOCABULARY) == 0)[:, None])
    np.testing.assert_array_equal(baseline_predictions(heavy, padded), baseline_predictions(scores, plain))


@pytest.mark.parametrize("ids", [[[], [GOOD], [], [BAD], []], [[], []]])
def test_reviews_without_words_are_predicted_by_the_prior(ids):
    scores = TokenScores(np.eye(2)[[0, 0, 1, 0, 0, 0]] * 5, np.array([1.0, 2.0]))
    expected = [{GOOD: 1, BAD: 0}[review[0]] if review else 1 for review in ids]
    assert baseline_predictions(scores, flat_corpus.from_ids(ids)).tolist() == expected
