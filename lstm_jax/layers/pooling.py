"""Poolings: one vector per example from the outputs at its tokens, without padding."""

from collections.abc import Callable
from typing import no_type_check

import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.errors import ConfigError
from lstm_jax.registry import POOLINGS
from lstm_jax.types import Hidden, Lengths, Outputs


@no_type_check  # The registry looks for the caller's file, which a wrapper of this function would hide.
def register(name: str, pool: Callable[[Outputs, Lengths, int], Float[Array, "B P"]]) -> None:
    """Registers a pooling under a name, for ``config.model.pooling``.

    Args:
      name: The name that a config may use.
      pool: ``(y[T, B, H], lengths[B], backward) -> [B, P]``, where the last ``backward`` features come from a layer
        that reads backwards.

    Raises:
      ConfigError: The project or another file has already registered the name, or it is ``every``, which stands for
        no pooling: an output at every token.
    """
    if name == "every":
        raise ConfigError("the pooling 'every' stands for no pooling; register yours under another name")
    POOLINGS.register(name, pool)


def last(y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """Each direction's output after the last token that it reads.

    Args:
      y: Outputs of a layer, zero past an example's length.
      lengths: The examples' lengths.
      backward: The number of features, counted from the end, that come from a layer that reads backwards. They are
        taken from the first token.
    """
    end = _at(y, lengths - 1)
    forward = y.shape[-1] - backward
    return jnp.concatenate([end[:, :forward], y[0, :, forward:]], axis=-1)


def first_last(y: Outputs, lengths: Lengths, backward: int) -> Float[Array, "B 2*H"]:
    """All features at the first and at the last token, joined."""
    del backward
    return jnp.concatenate([y[0], _at(y, lengths - 1)], axis=-1)


def mean(y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """The mean over the tokens; the outputs of a layer are zero past an example's length."""
    del backward
    return jnp.sum(y, axis=0) / jnp.maximum(lengths, 1)[:, None]


def maximum(y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """The maximum over the tokens, feature by feature; 0 for an example without tokens."""
    del backward
    tokens = (jnp.arange(y.shape[0])[:, None] < lengths[None])[:, :, None]
    best = jnp.max(jnp.where(tokens, y, -jnp.inf), axis=0)
    return jnp.where((lengths > 0)[:, None], best, 0.0)


def mean_max(y: Outputs, lengths: Lengths, backward: int) -> Float[Array, "B 2*H"]:
    """Mean and maximum, joined."""
    return jnp.concatenate([mean(y, lengths, backward), maximum(y, lengths, backward)], axis=-1)


def _at(y: Outputs, step: Lengths) -> Hidden:
    return jnp.take_along_axis(y, jnp.maximum(step, 0)[None, :, None], axis=0)[0]


register("last", last)
register("first_last", first_last)
register("mean", mean)
register("max", maximum)
register("mean_max", mean_max)
