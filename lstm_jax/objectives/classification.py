"""What training minimises, review by review."""

import jax
import jax.numpy as jnp
import optax

from lstm_jax.types import Labels, Lengths, Logits


def cross_entropy(logits: Logits, lengths: Lengths, labels: Labels) -> tuple[jax.Array, jax.Array]:
    """Cross-entropy in nats and the logits that decide the class.

    With an output at every step the loss is the mean over a review's words, and the last word decides.

    Args:
      logits: ``[B, C]`` or ``[T, B, C]``.
      lengths: ``[B]``.
      labels: ``[B]``.

    Returns:
      ``(loss[B], logits[B, C])``.
    """
    if logits.ndim == 2:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels), logits
    steps = jnp.arange(logits.shape[0])[:, None]
    every = jnp.broadcast_to(labels[None], logits.shape[:2])
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, every)
    loss = jnp.sum(jnp.where(steps < lengths[None], losses, 0.0), axis=0) / jnp.maximum(lengths, 1)
    end = jnp.maximum(lengths - 1, 0)
    return loss, jnp.take_along_axis(logits, end[None, :, None], axis=0)[0]
