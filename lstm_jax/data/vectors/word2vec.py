"""Vectors by word2vec (Mikolov et al. 2013), learned with gensim: skip-gram with negative sampling."""

import sys
from collections.abc import Iterator

import numpy as np

from lstm_jax.config import Config
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.tokenizer import first_token_id
from lstm_jax.data.vectors.base import Vectors, register
from lstm_jax.data.vectors.cache import cached
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

GENSIM_EPOCHS = 5
NEGATIVE = 5  # Number of negative samples for each neighbour.
MAX_SENTENCE_LENGTH = 10_000  # Maximum number of tokens of a sentence; gensim drops the rest.


def word2vec_vectors(
    corpus: FlatCorpus, vocabulary_size: int, first_token: int, size: int, window: int, seed: int
) -> HostArray:
    """The vectors ``[V, D]`` of a vocabulary; those of special tokens, and of tokens that the corpus lacks, are zero.

    Args:
      corpus: Untruncated texts; their labels are not read.
      vocabulary_size: Size of the vocabulary, V.
      first_token: The lowest id of an ordinary token.
      size: Size of the vectors, D.
      window: Maximum number of tokens on either side that count as a token's neighbours.
      seed: Seed of initial vectors and sampling. Training uses one thread, so the same seed gives the same vectors.

    Raises:
      UserError: gensim is not installed, or the corpus has no known token.
    """
    if not np.any(corpus.tokens >= first_token):
        raise UserError("word vectors cannot be learned: the reviews hold no word of the vocabulary")

    def train() -> HostArray:
        try:
            from gensim.models import Word2Vec
        except ImportError:
            raise UserError(
                "config.data.vectors.source 'word2vec' needs gensim; pip install 'gensim>=4.3', or use 'cooccurrence'"
            ) from None
        model = Word2Vec(
            _Sentences(corpus, first_token),
            vector_size=size,
            window=window,
            min_count=1,
            sg=1,
            negative=NEGATIVE,
            epochs=GENSIM_EPOCHS,
            workers=1,
            seed=seed,
        )
        vectors = np.zeros((vocabulary_size, size), np.float32)
        vectors[[int(token) for token in model.wv.index_to_key]] = model.wv.vectors
        return vectors

    return cached(corpus, train, sys.modules[__name__], vocabulary_size, first_token, size, window, seed)


class _Sentences:
    """Texts as lists of tokens, each written as its decimal id; can be iterated repeatedly, as gensim needs."""

    def __init__(self, corpus: FlatCorpus, first_token: int) -> None:
        self._corpus, self._first_token = corpus, first_token
        self._names = np.array([str(n) for n in range(int(corpus.tokens.max(initial=0)) + 1)], object)

    def __iter__(self) -> Iterator[list[str]]:
        for start, end in zip(self._corpus.offsets[:-1], self._corpus.offsets[1:], strict=True):
            ids = self._corpus.tokens[start:end]
            names = self._names[ids[ids >= self._first_token]].tolist()
            yield from (names[n : n + MAX_SENTENCE_LENGTH] for n in range(0, len(names), MAX_SENTENCE_LENGTH))


def _make(config: Config, corpora: Corpora) -> HostArray:
    assert corpora.whole is not None
    tokenizer, size, window = corpora.tokenizer, config.model.embedding_size, config.data.vectors.window
    vocabulary_size, first_token = tokenizer.get_vocab_size(), first_token_id(tokenizer)
    return word2vec_vectors(corpora.whole, vocabulary_size, first_token, size, window, config.data.seed)


register("word2vec", Vectors(_make, reads_text=True))
