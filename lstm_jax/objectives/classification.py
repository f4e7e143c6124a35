"""Cross-entropy of the classes, the default objective."""

from collections.abc import Mapping

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from lstm_jax.data.batching import Batch
from lstm_jax.models.classifier import Network
from lstm_jax.objectives.base import LABELLED, Sums, register
from lstm_jax.types import ExampleKeys, Labels, Lengths, Logits, Params, Scalar


def classification(
    network: Network,
    params: Params,
    batches: Mapping[str, Batch],
    keys: Mapping[str, ExampleKeys | None],
    hparams: Mapping[str, Scalar | float],
) -> tuple[Scalar, Sums]:
    """The mean cross-entropy in nats; contract as in ``Objective``."""
    del hparams
    batch = batches[LABELLED]
    losses, logits = cross_entropy(network.logits(params, batch, keys[LABELLED]), batch.lengths, batch.labels)
    return jnp.sum(losses * batch.weights) / batch.total, classification_sums(losses, logits, batch)


def cross_entropy(logits: Logits, lengths: Lengths, labels: Labels) -> tuple[Float[Array, " B"], Float[Array, "B C"]]:
    """Cross-entropy in nats, and the logits that determine the predicted class.

    With logits at every step, the loss is the mean over an example's tokens and the prediction that of the last token.

    Args:
      logits: The logits, ``[B, C]`` or ``[T, B, C]``.
      lengths: Lengths of the examples, ``[B]``.
      labels: The true classes, ``[B]``.

    Returns:
      The pair ``(loss[B], logits[B, C])``.
    """
    if logits.ndim == 2:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels), logits
    every = jnp.broadcast_to(labels[None], logits.shape[:2])
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, every)
    return mean_over_tokens(losses, lengths), last_logits(logits, lengths)


def mean_over_tokens(losses: Float[Array, "T B"], lengths: Lengths) -> Float[Array, " B"]:
    """The mean of each example's losses over its tokens."""
    steps = jnp.arange(losses.shape[0])[:, None]
    return jnp.sum(jnp.where(steps < lengths[None], losses, 0.0), axis=0) / jnp.maximum(lengths, 1)


def last_logits(logits: Float[Array, "T B C"], lengths: Lengths) -> Float[Array, "B C"]:
    """The logits at each example's last token."""
    end = jnp.maximum(lengths - 1, 0)
    return jnp.take_along_axis(logits, end[None, :, None], axis=0)[0]


def classification_sums(losses: Float[Array, " B"], logits: Float[Array, "B C"], batch: Batch) -> Sums:
    """Sums of a batch: ``loss`` in nats, and the numbers of ``correct`` predictions, ``examples`` and ``tokens``."""
    predicted = jnp.argmax(logits, axis=-1)
    real = batch.weights.astype(jnp.int32)
    return {
        "loss": jnp.sum(losses * batch.weights),
        "correct": jnp.sum(real * (predicted == batch.labels)),
        "examples": jnp.sum(real),
        "tokens": jnp.sum(batch.lengths),
    }


register("classification", classification)
