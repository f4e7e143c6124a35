"""Initial word vectors by their name in a config, and a user's own source of them."""

import numpy as np
import pytest

from lstm_jax.config import Config, TokensConfig, VectorsConfig
from lstm_jax.data import corpus, vectors
from lstm_jax.data.vectors import Vectors, first_vectors
from lstm_jax.registry import VECTORS
from tests.reviews import files


def asked(numbered, source: str, **options) -> Config:
    config = Config()
    config.model.embedding_size = 3
    config.data = files(numbered, tokens=TokensConfig(min_count=1), vectors=VectorsConfig(source, **options))
    return config


@pytest.fixture
def own():
    """Registers a user's own vectors and removes them afterwards."""
    names = []

    def register(name: str, entry: Vectors) -> None:
        vectors.register(name, entry)
        names.append(name)

    yield register
    for name in names:
        VECTORS.unregister(name)


def token_lengths(config, corpora):
    vocabulary = corpora.tokenizer.get_vocab()
    table = np.zeros((len(vocabulary), config.model.embedding_size), np.float32)
    for token, row in vocabulary.items():
        table[row] = len(token)
    return table


def test_own_vectors(own, numbered):
    own("token_lengths", Vectors(token_lengths))
    config = asked(numbered, "token_lengths")
    corpora = corpus.prepare(config.data)
    assert corpora.whole is None
    table = first_vectors(config, corpora)
    assert table[corpora.tokenizer.token_to_id("common1")].tolist() == [7, 7, 7]
    assert VECTORS.file_of("token_lengths") == __file__


def test_own_vectors_that_read_text(own, numbered):
    def counts(config, corpora):
        occurrences = np.bincount(corpora.whole.tokens, minlength=corpora.tokenizer.get_vocab_size())
        return np.repeat(occurrences[:, None], config.model.embedding_size, axis=1).astype(np.float32)

    own("counts", Vectors(counts, reads_text=True))
    config = asked(numbered, "counts")
    corpora = corpus.prepare(config.data)
    assert first_vectors(config, corpora).sum() == 72 * 2 * 3
    trained = corpus.prepare(config.data, corpora.tokenizer)
    assert trained.whole is None
    assert first_vectors(config, trained) is None


def test_vectors_of_a_wrong_shape_are_a_fault_of_their_code(own, numbered):
    own("too_few", Vectors(lambda config, corpora: np.zeros((2, 3), np.float32)))
    config = asked(numbered, "too_few")
    with pytest.raises(
        ValueError, match=r"the vectors 'too_few' have the shape \(2, 3\), but the embedding has \(84, 3\)"
    ):
        first_vectors(config, corpus.prepare(config.data))


def test_random_vectors_are_left_to_the_embedding(numbered):
    config = asked(numbered, "random")
    assert first_vectors(config, corpus.prepare(config.data)) is None


@pytest.mark.parametrize("source", ["cooccurrence", "word2vec"])
def test_learned_vectors_have_a_row_a_token(numbered, source):
    config = asked(numbered, source)
    corpora = corpus.prepare(config.data)
    table = first_vectors(config, corpora)
    assert table.shape == (84, 3)
    np.testing.assert_allclose(table[:2], 0, atol=1e-6)  # padding and unknown


def test_vectors_of_a_file(numbered, tmp_path):
    (tmp_path / "v.txt").write_text("common1 1 2 3\n")
    config = asked(numbered, "file", path=str(tmp_path / "v.txt"), missing="zeros")
    corpora = corpus.prepare(config.data)
    table = first_vectors(config, corpora)
    assert table[corpora.tokenizer.token_to_id("common1")].tolist() == [1, 2, 3]
    assert np.count_nonzero(table) == 3
