"""The whole network as one StableHLO program for CPUs, CUDA GPUs and TPUs, which JAX alone runs."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jaxtyping import Array, Float

from lstm_jax.config import ModelConfig
from lstm_jax.export.folder import Files
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.objectives.classification import cross_entropy
from lstm_jax.registry import implementations
from lstm_jax.training.experiment import network_params
from lstm_jax.training.restore import Trained
from lstm_jax.types import Lengths, Tokens

PLATFORMS = ("cpu", "cuda", "tpu")


def stablehlo_files(trained: Trained) -> Files:
    """``model.stablehlo``: ``(tokens[T, B], lengths[B]) -> probabilities[B, C]`` of int32, for all T and B from 1 on.

    The weights are constants of the program. Several lanes give the mean of their probabilities. Products are rounded
    as in the run.
    """
    model = trained.model.clone(config=_portable(trained.config.model))
    params, frozen = network_params(trained.variables["params"]), trained.variables["frozen"]
    variables = jax.tree.map(np.asarray, {"params": params, "frozen": frozen})

    def predict(tokens: Tokens, lengths: Lengths) -> Float[Array, "B C"]:
        lanes = [jax.tree.map(lambda leaf, n=n: jnp.asarray(leaf[n]), variables) for n in range(trained.lanes)]
        return jnp.mean(jnp.stack([_probabilities(model, lane, tokens, lengths) for lane in lanes]), axis=0)

    length, batch = export.symbolic_shape("T, B")
    shapes = jax.ShapeDtypeStruct((length, batch), jnp.int32), jax.ShapeDtypeStruct((batch,), jnp.int32)
    # The choice among implementations asks for the number of examples, and custom VJPs serve training alone.
    program = export.export(jax.jit(predict), platforms=PLATFORMS)(*shapes)
    return {"model.stablehlo": bytes(program.serialize())}


def _portable(config: ModelConfig) -> ModelConfig:
    """The config with the layer's plain loop over time, if it has one: no shape is known before the program runs."""
    portable = copy.copy(config)
    for name in ("scan", "loop"):
        if name in implementations(config.layer):
            object.__setattr__(portable, "implementation", name)
    return portable


def _probabilities(model: TextClassifier, variables: object, tokens: Tokens, lengths: Lengths) -> Float[Array, "B C"]:
    logits = model.apply(variables, tokens, lengths)  # type: ignore[arg-type]
    _, logits = cross_entropy(logits, lengths, jnp.zeros_like(lengths))  # type: ignore[arg-type]
    return jax.nn.softmax(logits, axis=-1)
