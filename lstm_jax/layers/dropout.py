"""Dropout whose masks belong to rows.

Every row has a key of its own, so a review gets the same mask whatever batch, bucket or device it is
computed in. Masks of features are shared over time (Gal & Ghahramani 2016), so that a feature is dropped for
a whole review, unless every step is to have its own (Zaremba et al. 2014).
"""

import jax
import jax.numpy as jnp

from lstm_jax.types import RowKeys, Scalar, Tokens


def fold_in(keys: RowKeys, data: int) -> RowKeys:
    """New row keys for the use numbered ``data``."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys, data)


def feature_dropout(keys: RowKeys, x: jax.Array, rate: Scalar | float, per_step: bool = False) -> jax.Array:
    """Drops features of ``x[..., B, D]`` with probability ``rate``, scaling the kept by ``1 / (1 - rate)``.

    The mask is ``[B, D]``, which leading axes share; with ``per_step`` it is ``[T, B, D]``, of ``x[T, B, D]``.
    """
    features = x.shape[-1]
    shape = (x.shape[0], features) if per_step else (features,)
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - rate, shape), out_axes=-2)(keys)
    return x * jnp.broadcast_to(keep / (1.0 - rate), x.shape)


def word_dropout(keys: RowKeys, tokens: Tokens, rate: Scalar | float, replacement: int) -> Tokens:
    """Puts ``replacement`` for words of ``tokens[T, B]`` with probability ``rate``, each on its own."""
    return jnp.where(_dropped_words(keys, tokens.shape[0], rate), replacement, tokens)


def kept_words(keys: RowKeys, steps: int, rate: Scalar | float) -> jax.Array:
    """A mask ``[T, B]``: 0 for words dropped with probability ``rate``, ``1 / (1 - rate)`` for the others."""
    return ~_dropped_words(keys, steps, rate) / (1.0 - rate)


def _dropped_words(keys: RowKeys, steps: int, rate: Scalar | float) -> jax.Array:
    return jax.vmap(lambda key: jax.random.bernoulli(key, rate, (steps,)), out_axes=1)(keys)
