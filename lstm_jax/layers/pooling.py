"""From the outputs of a sequence to one vector a review, looking only at the review's own words."""

from collections.abc import Callable

import jax.numpy as jnp

from lstm_jax.types import Hidden, Lengths, Outputs


def last(y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """Each direction's output after the last word that it reads.

    Args:
      y: ``[T, B, H]``.
      lengths: ``[B]``.
      backward: how many of the last features come from a layer that reads backwards, and so end at the
        first word.
    """
    end = _at(y, lengths - 1)
    forward = y.shape[-1] - backward
    return jnp.concatenate([end[:, :forward], y[0, :, forward:]], axis=-1)


def first_last(y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """All features at the first and at the last word, joined ``[B, 2H]``."""
    del backward
    return jnp.concatenate([y[0], _at(y, lengths - 1)], axis=-1)


def mean(y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """The mean over the words; a layer's outputs are zero past a row's length."""
    del backward
    return jnp.sum(y, axis=0) / jnp.maximum(lengths, 1)[:, None]


def maximum(y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """The maximum over the words, feature by feature; 0 for a row without words."""
    del backward
    words = (jnp.arange(y.shape[0])[:, None] < lengths[None])[:, :, None]
    best = jnp.max(jnp.where(words, y, -jnp.inf), axis=0)
    return jnp.where((lengths > 0)[:, None], best, 0.0)


def mean_max(y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """Mean and maximum, joined ``[B, 2H]``."""
    return jnp.concatenate([mean(y, lengths, backward), maximum(y, lengths, backward)], axis=-1)


def _at(y: Outputs, step: Lengths) -> Hidden:
    return jnp.take_along_axis(y, jnp.maximum(step, 0)[None, :, None], axis=0)[0]


# The names that a config may use; ``every`` is the absence of pooling: an output at every word.
POOLINGS: dict[str, Callable[[Outputs, Lengths, int], Hidden]] = {
    "last": last,
    "first_last": first_last,
    "mean": mean,
    "max": maximum,
    "mean_max": mean_max,
}
