"""Adversarial training on the normalised embedding (Miyato, Dai & Goodfellow 2017, sections 2 and 3.1)."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from lstm_jax.data.batching import Batch
from lstm_jax.models.classifier import Network
from lstm_jax.objectives.base import LABELLED, Sums, register
from lstm_jax.objectives.classification import classification_sums, cross_entropy
from lstm_jax.types import ExampleKeys, Inputs, Params, Scalar

LEAST_NORM = 1e-12


def adversarial(
    network: Network,
    params: Params,
    batches: Mapping[str, Batch],
    keys: Mapping[str, ExampleKeys | None],
    hparams: Mapping[str, Scalar | float],
) -> tuple[Scalar, Sums]:
    """The mean cross-entropy under the noise of norm ε that raises each example's own loss most, to first order::

        r = ε g / |g|,  g = gradient of the example's cross-entropy with respect to its normalised embedded tokens

    A feature is normalised by its standard deviation over the embedding table, so that large vectors cannot make ε
    ineffective. The paper weights the rows of the table by token frequency; here all rows have the same weight. The
    gradient g and the loss use the same dropout masks.
    """
    batch, own = batches[LABELLED], keys[LABELLED]

    def losses(noise: Inputs, params: Params) -> tuple[Scalar, Sums]:
        x = network.embed(params, batch, own) + jnp.std(network.table(params), axis=0)[None, None] * noise
        y, _ = network.encode(params, x, batch, own)
        each, logits = cross_entropy(network.classify(params, y, batch, own), batch.lengths, batch.labels)
        return jnp.sum(each * batch.weights), classification_sums(each, logits, batch)

    none = jnp.zeros((*batch.tokens.shape, network.table(params).shape[1]))
    gradient, _ = jax.grad(losses, has_aux=True)(none, jax.lax.stop_gradient(params))
    loss, sums = losses(worst_noise(gradient, hparams["epsilon"]), params)
    return loss / batch.total, sums


def worst_noise(gradient: Inputs, epsilon: Scalar | float) -> Inputs:
    """Noise ``[T, B, D]`` of norm ε for each example along its gradient; zero where that is zero, as in padding."""
    norm = jnp.sqrt(jnp.sum(gradient**2, axis=(0, 2), keepdims=True))
    return epsilon * gradient / jnp.maximum(norm, LEAST_NORM)


register("adversarial", adversarial, bounds={"epsilon": (0.0, math.inf)}, epsilon=5.0)
