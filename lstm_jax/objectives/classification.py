"""Cross-entropy of the classes, the default objective."""

from collections.abc import Mapping

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from lstm_jax.data.batching import Batch
from lstm_jax.models.classifier import Network
from lstm_jax.objectives.base import LABELLED, Sums, register
from lstm_jax.types import ExampleKeys, Labels, Lengths, Logits, Params, Scalar, TokenMask


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


def cross_entropy(logits: Logits, lengths: Lengths, labels: Labels) -> tuple[Float[Array, " B"], Logits]:
    """Cross-entropy in nats, and the logits that determine the predicted classes.

    With logits at every step, the loss of an example is the mean over its targets: the tokens that have a label, or all
    tokens if the example has one label.

    Args:
      logits: The logits, ``[B, C]`` or ``[T, B, C]``.
      lengths: Lengths of the examples, ``[B]``.
      labels: The true classes, ``[B]`` or ``[T, B]``, which is -1 where a token has none.

    Returns:
      The pair ``(loss[B], logits)``. With one label an example, the logits are ``[B, C]``, those at its last token if
      there are logits at every step; with labels of tokens they are all of ``[T, B, C]``.

    Raises:
      ValueError: Tokens have labels, but the logits are those of whole examples.
    """
    if logits.ndim == 2:
        if labels.ndim == 2:
            raise ValueError("labels[T, B] of tokens need logits[T, B, C]; set config.model.pooling='every'")
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels), logits
    targets, known = token_targets(logits, lengths, labels)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    return mean_over_targets(losses, known), logits if labels.ndim == 2 else last_logits(logits, lengths)


def token_targets(
    logits: Float[Array, "T B C"], lengths: Lengths, labels: Labels
) -> tuple[Int[Array, "T B"], TokenMask]:
    """The class of every token, 0 where there is none, and which tokens are targets; none in padding."""
    inside = jnp.arange(logits.shape[0])[:, None] < lengths[None]
    if labels.ndim == 1:
        return jnp.broadcast_to(labels[None], logits.shape[:2]), inside
    return jnp.maximum(labels, 0), inside & (labels >= 0)


def mean_over_targets(values: Float[Array, "T B"], known: TokenMask) -> Float[Array, " B"]:
    """The mean of each example's values over its targets, 0 without any."""
    return jnp.sum(jnp.where(known, values, 0.0), axis=0) / jnp.maximum(jnp.sum(known, axis=0), 1)


def last_logits(logits: Float[Array, "T B C"], lengths: Lengths) -> Float[Array, "B C"]:
    """The logits at each example's last token."""
    end = jnp.maximum(lengths - 1, 0)
    return jnp.take_along_axis(logits, end[None, :, None], axis=0)[0]


def classification_sums(losses: Float[Array, " B"], logits: Logits, batch: Batch) -> Sums:
    """Sums of a batch: ``loss`` in nats, and the numbers of ``correct`` predictions, ``examples`` and ``tokens``.

    With labels of tokens, an example adds to ``correct`` the share of its targets whose class is predicted. So
    ``correct`` over ``examples`` is an accuracy in which all examples count alike, however many targets they have. An
    example without targets should have the weight 0.

    Args:
      losses: The loss of each example.
      logits: The logits that determine the predicted classes, from ``cross_entropy``.
      batch: The batch.
    """
    predicted = jnp.argmax(logits, axis=-1)
    real = batch.weights.astype(jnp.int32)
    if batch.labels.ndim == 2:
        targets, known = token_targets(logits, batch.lengths, batch.labels)
        right = mean_over_targets((predicted == targets).astype(losses.dtype), known)
    else:
        right = predicted == batch.labels
    return {
        "loss": jnp.sum(losses * batch.weights),
        "correct": jnp.sum(real * right),
        "examples": jnp.sum(real),
        "tokens": jnp.sum(batch.lengths),
    }


register("classification", classification)
