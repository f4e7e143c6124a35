"""Word vectors by word2vec (Mikolov et al. 2013), learned with gensim: skip-gram with negative sampling."""

import sys
from collections.abc import Iterator

import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.vectors.cache import cached
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

EPOCHS = 5
NEGATIVE = 5  # words drawn against each real neighbour
LONGEST = 10_000  # words of a sentence, of which gensim drops the rest


def learn(corpus: FlatCorpus, vocabulary_size: int, first_word: int, size: int, window: int, seed: int) -> HostArray:
    """The vectors ``[V, D]`` of a vocabulary; special words and those that the corpus lacks are zero.

    Args:
      corpus: whole reviews; their labels are not looked at.
      vocabulary_size: V.
      first_word: the first id that is a word's.
      size: D.
      window: how many words on either side are a word's neighbours.
      seed: of first vectors and draws. One thread learns, so that the same seed gives the same vectors.

    Raises:
      UserError: gensim is not installed, or no word is known.
    """
    if not np.any(corpus.tokens >= first_word):
        raise UserError("word vectors cannot be learned: the reviews hold no word of the vocabulary")

    def train() -> HostArray:
        try:
            from gensim.models import Word2Vec
        except ImportError:
            raise UserError(
                "config.data.vectors.source 'word2vec' needs gensim; pip install 'gensim>=4.3', or use 'cooccurrence'"
            ) from None
        model = Word2Vec(
            _Sentences(corpus, first_word),
            vector_size=size,
            window=window,
            min_count=1,
            sg=1,
            negative=NEGATIVE,
            epochs=EPOCHS,
            workers=1,
            seed=seed,
        )
        vectors = np.zeros((vocabulary_size, size), np.float32)
        vectors[[int(word) for word in model.wv.index_to_key]] = model.wv.vectors
        return vectors

    return cached(corpus, train, sys.modules[__name__], vocabulary_size, first_word, size, window, seed)


class _Sentences:
    """The reviews as lists of words, which are ids as text, as often as asked."""

    def __init__(self, corpus: FlatCorpus, first_word: int) -> None:
        self._corpus, self._first_word = corpus, first_word
        self._names = np.array([str(n) for n in range(int(corpus.tokens.max(initial=0)) + 1)], object)

    def __iter__(self) -> Iterator[list[str]]:
        for start, end in zip(self._corpus.offsets[:-1], self._corpus.offsets[1:], strict=True):
            ids = self._corpus.tokens[start:end]
            names = self._names[ids[ids >= self._first_word]].tolist()
            yield from (names[n : n + LONGEST] for n in range(0, len(names), LONGEST))
