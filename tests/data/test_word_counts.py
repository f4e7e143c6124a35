import numpy as np
import pytest

from lstm_jax.config import Config, TokensConfig, VectorsConfig
from lstm_jax.data import corpus
from lstm_jax.data import word_counts as counting
from lstm_jax.errors import ConfigError
from lstm_jax.training import network
from tests.reviews import files, write

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


LOOKING = {name: fit for name, fit in counting.METHODS.items() if fit is not counting.majority}


def test_the_majority_is_the_greatest_class_whatever_the_words(reviews):
    more = corpus.join([reviews, reviews._replace(labels=np.zeros(len(reviews.labels), int))])
    assert counting.predictions(counting.majority(more, VOCABULARY, 2), reviews).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("method", LOOKING)
def test_methods_tell_apart_what_words_tell_apart(reviews, method):
    scores = counting.METHODS[method](reviews, VOCABULARY, 2)
    assert counting.predictions(scores, reviews).tolist() == [1, 0, 1, 0]
    assert counting.accuracy(scores, reviews) == 1.0
    unknown = corpus.from_ids([[GOOD, UNSEEN], [UNSEEN, BAD], [UNSEEN]])
    assert counting.predictions(scores, unknown)[:2].tolist() == [1, 0]


def test_a_class_without_reviews(reviews):
    for fit in LOOKING.values():
        scores = fit(reviews, VOCABULARY, 3)
        assert np.isfinite(scores.words).all()
        assert counting.predictions(scores, reviews).tolist() == [1, 0, 1, 0]


@pytest.fixture
def word_vectors(tmp_path):
    """A function of the test reviews: the word vectors that class frequencies give, by word."""
    write(tmp_path / "train.csv", [{"text": "good film", "label": 1}, {"text": "bad bad film", "label": 0}])
    write(tmp_path / "validation.csv", [{"text": "bad plot", "label": 0}])

    def vectors(test: list[dict], fit_on: str, size: int = 2) -> dict[str, list[float]]:
        write(tmp_path / "test.csv", test)
        config = Config()
        asked = VectorsConfig("class_frequency", fit_on=fit_on)
        config.data = files(tmp_path, tokens=TokensConfig(min_count=1), vectors=asked)
        config.model.embedding_size = size
        corpora = corpus.prepare(config.data)
        table = network.first_vectors(config, corpora)
        assert table.dtype == np.float32
        return {word: table[n].tolist() for word, n in corpora.tokenizer.get_vocab().items()}

    return vectors


TEST_REVIEWS = [{"text": "good acting", "label": 0}, {"text": "film", "label": 1}]


def test_class_frequencies_as_word_vectors(word_vectors):
    film = np.array([1 / 3, 1 / 2]) / (1 / 3 + 1 / 2)  # its shares of the words of either class
    found = word_vectors(TEST_REVIEWS, "train")
    assert found.pop("film") == pytest.approx(film.tolist())
    assert found == {"[PAD]": [0, 0], "[UNK]": [0, 0], "good": [0, 1], "bad": [1, 0]}
    assert found.items() < word_vectors([{"text": "good bad plot", "label": 0}], "train").items()


def test_labels_of_test_reviews_leak_into_word_vectors_on_request(word_vectors):
    found = word_vectors(TEST_REVIEWS, "all")
    assert (found["plot"], found["acting"]) == ([1, 0], [1, 0])
    shares = np.array([1 / 7, 1 / 3])  # of good among the words of either class
    assert found["good"] == pytest.approx((shares / shares.sum()).tolist())
    turned = word_vectors([{**review, "label": 1 - review["label"]} for review in TEST_REVIEWS], "all")
    assert turned["acting"] == [0, 1]


def test_class_frequencies_are_a_number_a_class(word_vectors):
    with pytest.raises(ConfigError, match=r"embedding_size is 3, but a word's frequencies in 2 classes are 2 numbers"):
        word_vectors(TEST_REVIEWS, "train", size=3)
