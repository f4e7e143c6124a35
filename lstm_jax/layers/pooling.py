"""Poolings: one vector per example from the outputs at its tokens, without padding."""

from collections.abc import Callable
from typing import Any, NamedTuple, no_type_check

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.errors import ConfigError
from lstm_jax.registry import POOLINGS
from lstm_jax.types import Hidden, Key, Lengths, Outputs, Params


class Pooling(NamedTuple):
    """A pooling with weights, as pure functions.

    Attributes:
      init: ``(key, features) -> params`` for outputs of so many features, H.
      apply: ``(params, y[T, B, H], lengths[B], backward) -> [B, P]``, where the last ``backward`` features come from a
        layer that reads backwards.
      shares: ``(params, y[T, B, H], lengths[B]) -> [T, B]``, how much each token counts, for a report. The shares of an
        example add up to 1 and are 0 past its length. ``None`` if tokens have no such shares.
    """

    init: Callable[[Key, int], Params]
    apply: Callable[[Params, Outputs, Lengths, int], Float[Array, "B P"]]
    shares: Callable[[Params, Outputs, Lengths], Float[Array, "T B"]] | None = None


@no_type_check  # The registry looks for the caller's file, which a wrapper of this function would hide.
def register(name: str, pool: Pooling | Callable[[Outputs, Lengths, int], Float[Array, "B P"]]) -> None:
    """Registers a pooling under a name, for ``config.model.pooling``.

    Args:
      name: The name that a config may use.
      pool: A Pooling, or a function without weights, ``(y[T, B, H], lengths[B], backward) -> [B, P]``.

    Raises:
      ConfigError: The project or another file has already registered the name, or it is ``every``, which stands for
        no pooling: an output at every token.
    """
    if name == "every":
        raise ConfigError("the pooling 'every' stands for no pooling; register yours under another name")
    POOLINGS.register(name, pool if isinstance(pool, Pooling) else _without_weights(pool))


def _without_weights(pool: Callable[..., Any]) -> Pooling:
    return Pooling(lambda key, features: (), lambda params, *outputs: pool(*outputs))


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


class AttentionParams(NamedTuple):
    """Weights of the pooling ``attention``; its attention has as many features as the outputs, H."""

    kernel: Float[Array, "H H"]
    bias: Float[Array, " H"]
    context: Float[Array, " H"]


def init_attention(key: Key, features: int) -> AttentionParams:
    """Glorot-uniform kernel, a bias of zeros, and a normal context vector, so that scores begin within about ±1."""
    kernel_key, context_key = jax.random.split(key)
    kernel = jax.nn.initializers.glorot_uniform()(kernel_key, (features, features), jnp.float32)
    return AttentionParams(kernel, jnp.zeros(features), jax.random.normal(context_key, (features,)) / features**0.5)


def attention(params: AttentionParams, y: Outputs, lengths: Lengths, backward: int) -> Hidden:
    """The mean over the tokens, weighted by additive attention; 0 for an example without tokens.

    Source: Yang et al. 2016, "Hierarchical Attention Networks for Document Classification", section 2.2, for words: ::

        u_t = tanh(y_t·W + b)      α = softmax over t of u_t·u      result = Σ_t α_t y_t

    ``W`` is the kernel, ``b`` the bias and ``u`` the context vector. A single token has α = 1.
    """
    del backward
    shares = attention_shares(params, y, lengths)
    return jnp.sum(shares[:, :, None] * _tokens_alone(y, lengths), axis=0)


def attention_shares(params: AttentionParams, y: Outputs, lengths: Lengths) -> Float[Array, "T B"]:
    """The weights α of ``attention``, 0 past an example's length."""
    tokens = jnp.arange(y.shape[0])[:, None] < lengths[None]
    scores = jnp.tanh(_tokens_alone(y, lengths) @ params.kernel + params.bias[None, None]) @ params.context
    # An example without tokens keeps finite scores, since a softmax over nothing has NaN in its gradient.
    shares = jax.nn.softmax(jnp.where(tokens | (lengths == 0)[None], scores, -jnp.inf), axis=0)
    return jnp.where(tokens, shares, 0.0)


def _tokens_alone(y: Outputs, lengths: Lengths) -> Outputs:
    """Outputs with zeros in place of whatever padding holds, since 0 · NaN would be NaN."""
    return jnp.where((jnp.arange(y.shape[0])[:, None] < lengths[None])[:, :, None], y, 0.0)


def _at(y: Outputs, step: Lengths) -> Hidden:
    return jnp.take_along_axis(y, jnp.maximum(step, 0)[None, :, None], axis=0)[0]


register("last", last)
register("first_last", first_last)
register("mean", mean)
register("max", maximum)
register("mean_max", mean_max)
register("attention", Pooling(init_attention, attention, attention_shares))
