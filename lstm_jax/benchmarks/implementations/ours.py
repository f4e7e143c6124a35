"""This project's layers, with the batch sharded over all devices as in ``train.py``."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from lstm_jax.benchmarks.implementations.problem import Built, Case, Problem, Results, Weights, build_jax
from lstm_jax.cells.lstm import LSTMParams
from lstm_jax.config import ModelConfig
from lstm_jax.layers import Directions, Layer
from lstm_jax.models.classifier import recurrent_layers


def build_ours(name: str, case: Case, problem: Problem, dtype: str, platform: str) -> Built:
    """Builds the layers with ``model.implementation`` set to ``name``.

    Only the operands of matrix products have the type ``dtype``. Sums, parameters, inputs, state and saved activations
    are float32.
    """
    del platform  # JAX chooses its default device
    config = ModelConfig(
        hidden_size=case.units,
        layers=case.layers,
        bidirectional=case.directions == 2,
        implementation=name,
        matmul_dtype=dtype,
    )
    return build_layer(recurrent_layers(config), case, problem)


def build_layer(layer: Layer, case: Case, problem: Problem, params: Any = None) -> Built:
    """Builds a stack of layers of the case's sizes. Other layers than LSTMs need ``params`` and have no ``results``."""
    devices = max(n for n in range(1, len(jax.devices()) + 1) if case.batch % n == 0)
    mesh = Mesh(np.array(jax.devices()[:devices]), ("data",))
    sequences, examples, everywhere = P(None, "data"), P("data"), P()
    params = jax.device_put(_params(problem) if params is None else params, NamedSharding(mesh, everywhere))
    x, probe = (jax.device_put(value, NamedSharding(mesh, sequences)) for value in (problem.x, problem.probe))
    lengths = jax.device_put(problem.lengths, NamedSharding(mesh, examples))

    shard = partial(jax.shard_map, mesh=mesh, check_vma=False)

    @partial(shard, in_specs=(everywhere, sequences, examples), out_specs=sequences)
    def forward(params: Any, x: Any, lengths: Any) -> Any:
        return layer.apply(params, x, lengths)[0]

    def loss(params: Any, x: Any, lengths: Any, probe: Any) -> Any:
        return jnp.sum(layer.apply(params, x, lengths)[0] * probe)

    @partial(shard, in_specs=(everywhere, sequences, examples, sequences), out_specs=(everywhere, sequences))
    def train(params: Any, x: Any, lengths: Any, probe: Any) -> Any:
        of_params, of_x = jax.grad(loss, argnums=(0, 1))(params, x, lengths, probe)
        return jax.lax.psum(of_params, "data"), of_x

    return build_jax(forward, train, (params, x, lengths), probe, _results)


def _params(problem: Problem) -> Any:
    layers = [[LSTMParams(*map(jnp.asarray, own)) for own in layer] for layer in problem.weights]
    return tuple(Directions(*layer) if len(layer) == 2 else layer[0] for layer in layers)


def _results(y: Any, gradients: Any) -> Results:
    of_params, of_x = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), gradients)
    layers = [tuple(layer) if isinstance(layer, Directions) else (layer,) for layer in of_params]
    weights = [[Weights(*own) for own in layer] for layer in layers]
    return Results(np.asarray(y, np.float32), weights, of_x)
