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
    steps = tokens.shape[0]
    drop = jax.vmap(lambda key: jax.random.bernoulli(key, rate, (steps,)), out_axes=1)(keys)
    return jnp.where(drop, replacement, tokens)
