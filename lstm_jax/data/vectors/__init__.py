"""First values of the embedding. Each source of them is a file that registers itself; your own may stand anywhere."""

from lstm_jax.data.vectors import class_frequency, cooccurrence, files, word2vec  # noqa: F401 - registered by import
from lstm_jax.data.vectors.base import Vectors, first_vectors, register

__all__ = ["Vectors", "first_vectors", "register"]
