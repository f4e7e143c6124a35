"""Sums over reviews, from which loss, accuracy and speed follow."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lstm_jax.data.batching import Batch
from lstm_jax.types import Logits, Scalar


class Metrics(NamedTuple):
    """Sums over the reviews of a batch, or of many: metrics of two batches add up leaf by leaf."""

    loss: Scalar  # nats
    correct: Scalar  # reviews
    reviews: Scalar  # reviews
    tokens: Scalar  # words


def summed(losses: jax.Array, logits: Logits, batch: Batch) -> Metrics:
    """The sums of one batch from its ``losses[B]`` and ``logits[B, C]``."""
    predicted = jnp.argmax(logits, axis=-1)
    real = batch.weights.astype(jnp.int32)
    return Metrics(
        loss=jnp.sum(losses * batch.weights),
        correct=jnp.sum(real * (predicted == batch.labels)),
        reviews=jnp.sum(real),
        tokens=jnp.sum(batch.lengths),
    )
