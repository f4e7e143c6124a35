"""Dropout with a mask for each example.

Every example has its own key, so its mask does not depend on the batch, bucket or device that it is computed in. A
mask of features is shared over time (Gal & Ghahramani 2016): a feature is dropped for a whole example. Optionally
every step has its own mask (Zaremba et al. 2014).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.types import ExampleKeys, Scalar, TokenMask, Tokens


def fold_in(keys: ExampleKeys, data: int) -> ExampleKeys:
    """Folds ``data`` into the key of each example."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys, data)


def feature_dropout(
    keys: ExampleKeys, x: Float[Array, "*steps B D"], rate: Scalar | float, per_step: bool = False
) -> Float[Array, "*steps B D"]:
    """Drops features with probability ``rate`` and scales the others by ``1 / (1 - rate)``.

    Args:
      keys: One key for each example.
      x: Features, with or without a leading time axis.
      rate: The probability that a feature is dropped; it may be traced.
      per_step: Whether to draw a mask ``[T, B, D]`` for ``x[T, B, D]``. Otherwise all steps share a mask ``[B, D]``.
    """
    features = x.shape[-1]
    shape = (x.shape[0], features) if per_step else (features,)
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - rate, shape), out_axes=-2)(keys)
    return x * jnp.broadcast_to(keep / (1.0 - rate), x.shape)


def token_dropout(keys: ExampleKeys, tokens: Tokens, rate: Scalar | float, replacement: int) -> Tokens:
    """Replaces each token by ``replacement`` with probability ``rate``, independently of the others."""
    return jnp.where(_dropped_words(keys, tokens.shape[0], rate), replacement, tokens)


def token_keep_mask(keys: ExampleKeys, steps: int, rate: Scalar | float) -> Float[Array, "{steps} B"]:
    """A mask that is 0 for tokens dropped with probability ``rate`` and ``1 / (1 - rate)`` for the others."""
    return ~_dropped_words(keys, steps, rate) / (1.0 - rate)


def _dropped_words(keys: ExampleKeys, steps: int, rate: Scalar | float) -> TokenMask:
    return jax.vmap(lambda key: jax.random.bernoulli(key, rate, (steps,)), out_axes=1)(keys)
