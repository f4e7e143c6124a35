"""Initial values of the embedding. Each source is a module that registers itself; your own may be in any file."""

from lstm_jax.data.vectors import class_frequency, cooccurrence, files, word2vec  # noqa: F401 - registered by import
from lstm_jax.data.vectors.base import Vectors, first_vectors, register

__all__ = ["Vectors", "first_vectors", "register"]
