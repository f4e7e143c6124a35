import numpy as np
import pytest

from lstm_jax.config import Config, TokensConfig, VectorsConfig
from lstm_jax.data import corpus
from lstm_jax.data.vectors import first_vectors
from lstm_jax.errors import ConfigError
from tests.reviews import files, write


@pytest.fixture
def word_vectors(tmp_path):
    """A function from the test reviews to the class frequencies of each word."""
    write(tmp_path / "train.csv", [{"text": "good film", "label": 1}, {"text": "bad bad film", "label": 0}])
    write(tmp_path / "validation.csv", [{"text": "bad plot", "label": 0}])

    def vectors(test: list[dict], fit_on: str, size: int = 2, **tokens) -> dict[str, list[float]]:
        write(tmp_path / "test.csv", test)
        config = Config()
        asked = VectorsConfig("class_frequency", fit_on=fit_on)
        config.data = files(tmp_path, tokens=TokensConfig(min_count=1, **tokens), vectors=asked)
        config.model.embedding_size = size
        corpora = corpus.prepare(config.data)
        table = first_vectors(config, corpora)
        assert table.dtype == np.float32
        return {word: table[n].tolist() for word, n in corpora.tokenizer.get_vocab().items()}

    return vectors


TEST_REVIEWS = [{"text": "good acting", "label": 0}, {"text": "film", "label": 1}]


def test_class_frequencies_as_word_vectors(word_vectors):
    film = np.array([1 / 3, 1 / 2]) / (1 / 3 + 1 / 2)  # normalised shares of "film" among the words of each class
    found = word_vectors(TEST_REVIEWS, "train")
    assert found.pop("film") == pytest.approx(film.tolist())
    assert found == {"[PAD]": [0, 0], "[UNK]": [0, 0], "good": [0, 1], "bad": [1, 0]}
    assert found.items() < word_vectors([{"text": "good bad plot", "label": 0}], "train").items()


def test_padding_has_a_zero_vector_and_changes_no_other(word_vectors):
    plain = word_vectors(TEST_REVIEWS, "train")
    assert word_vectors(TEST_REVIEWS, "train", max_length=9, pad_left=True) == plain
    assert plain["[PAD]"] == [0, 0]


def test_labels_of_test_reviews_leak_into_word_vectors_on_request(word_vectors):
    found = word_vectors(TEST_REVIEWS, "all")
    assert (found["plot"], found["acting"]) == ([1, 0], [1, 0])
    shares = np.array([1 / 7, 1 / 3])  # shares of "good" among the words of each class
    assert found["good"] == pytest.approx((shares / shares.sum()).tolist())
    turned = word_vectors([{**review, "label": 1 - review["label"]} for review in TEST_REVIEWS], "all")
    assert turned["acting"] == [0, 1]


def test_class_frequencies_are_a_number_a_class(word_vectors):
    with pytest.raises(ConfigError, match=r"embedding_size is 3, but a word's frequencies in 2 classes are 2 numbers"):
        word_vectors(TEST_REVIEWS, "train", size=3)
