"""Keras 3 on JAX: ``keras.layers.LSTM``."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.benchmarks.implementations.problem import Built, Case, Problem, Results, Weights, build_jax

os.environ["KERAS_BACKEND"] = "jax"
import keras  # reads the variable when it is imported


def _layer(case: Case, dtype: str) -> Any:
    # The default initial values need a QR decomposition, which JAX lacks in bfloat16. They are replaced anyway.
    layer = keras.layers.LSTM(case.units, return_sequences=True, recurrent_initializer="zeros", dtype=dtype)
    return keras.layers.Bidirectional(layer, dtype=dtype) if case.directions == 2 else layer


def build_keras(name: str, case: Case, problem: Problem, dtype: str, platform: str) -> Built:
    """Builds Keras layers on one device, with inputs ``[B, T, D]`` and everything in the type ``dtype``.

    Keras gets a mask if examples have different lengths. Past an example's end it then repeats the last output, which
    nothing reads. Its backward direction starts in the padding and keeps its initial state until the last token.
    """
    del name, platform  # JAX chooses its default device
    layers = [_layer(case, dtype) for _ in range(case.layers)]
    x, probe = (jnp.asarray(value.swapaxes(0, 1), dtype) for value in (problem.x, problem.probe))
    alive = jnp.asarray(np.arange(case.steps) < problem.lengths[:, None])
    for layer, width in zip(layers, case.widths, strict=True):
        layer.build((case.batch, case.steps, width))
    flat = [value for layer in problem.weights for own in layer for value in own]
    params = [[jnp.asarray(flat.pop(0), dtype) for _ in layer.trainable_variables] for layer in layers]

    def apply(params: Any, x: Any, alive: Any) -> Any:
        mask = alive if case.ragged else None
        for layer, own in zip(layers, params, strict=True):
            held = [variable.value for variable in layer.non_trainable_variables]
            x = layer.stateless_call(own, held, x, mask=mask)[0]
        return x

    def loss(params: Any, x: Any, alive: Any, probe: Any) -> Any:
        return jnp.sum(apply(params, x, alive) * probe)

    def results(y: Any, gradients: Any) -> Results:
        of_params, of_x = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), gradients)
        layers = [[Weights(*own[3 * n : 3 * n + 3]) for n in range(case.directions)] for own in of_params]
        y = np.asarray(y, np.float32) * np.asarray(alive)[:, :, None]
        return Results(y.swapaxes(0, 1), layers, of_x.swapaxes(0, 1))

    return build_jax(apply, jax.grad(loss, argnums=(0, 1)), (params, x, alive), probe, results)
