"""Cross-entropy against smoothed labels (Szegedy et al. 2016, section 7)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.data.batching import Batch
from lstm_jax.models.classifier import Network
from lstm_jax.objectives.base import LABELLED, Sums, register
from lstm_jax.objectives.classification import classification_sums, last_logits, mean_over_targets, token_targets
from lstm_jax.types import ExampleKeys, Labels, Logits, Params, Scalar


def label_smoothing(
    network: Network,
    params: Params,
    batches: Mapping[str, Batch],
    keys: Mapping[str, ExampleKeys | None],
    hparams: Mapping[str, Scalar | float],
) -> tuple[Scalar, Sums]:
    """The mean cross-entropy against the target ``(1 - smoothing) * one_hot(label) + smoothing / C``, in nats.

    With logits at every step, the loss of an example is the mean over its targets, as in ``cross_entropy``.
    """
    batch = batches[LABELLED]
    logits = network.logits(params, batch, keys[LABELLED])
    if logits.ndim == 2:
        losses = smoothed_cross_entropy(logits, batch.labels, hparams["smoothing"])
    else:
        labels, known = token_targets(logits, batch.lengths, batch.labels)
        losses = mean_over_targets(smoothed_cross_entropy(logits, labels, hparams["smoothing"]), known)
        logits = logits if batch.labels.ndim == 2 else last_logits(logits, batch.lengths)
    return jnp.sum(losses * batch.weights) / batch.total, classification_sums(losses, logits, batch)


def smoothed_cross_entropy(logits: Logits, labels: Labels, smoothing: Scalar | float) -> Float[Array, "*steps B"]:
    """Cross-entropy in nats of ``logits[..., B, C]`` against smoothed ``labels``, ``[B]`` or ``[..., B]``."""
    log_probabilities = jax.nn.log_softmax(logits, axis=-1)
    target = jnp.broadcast_to(labels, logits.shape[:-1])[..., None]
    of_label = jnp.take_along_axis(log_probabilities, target, axis=-1)[..., 0]
    return -(1.0 - smoothing) * of_label - smoothing * jnp.mean(log_probabilities, axis=-1)


register("label_smoothing", label_smoothing, bounds={"smoothing": (0.0, 1.0)}, smoothing=0.1)
