"""Flax's ``nn.RNN(OptimizedLSTMCell)``, used as in its documentation."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from lstm_jax.benchmarks.implementations.problem import Built, Case, Problem, Results, Weights, build_jax

GATES = "ifgo"


class _Network(nn.Module):
    case: Case
    dtype: str

    @nn.compact
    def __call__(self, x: Any, lengths: Any) -> Any:
        given = lengths if self.case.ragged else None
        for _ in range(self.case.layers):
            directions = [self._direction() for _ in range(self.case.directions)]
            both = nn.Bidirectional(directions[0], directions[-1], time_major=True)
            x = (both if self.case.directions == 2 else directions[0])(x, seq_lengths=given)
        return x

    def _direction(self) -> nn.RNN:
        # A cell's state takes the type of param_dtype.
        cell = nn.OptimizedLSTMCell(self.case.units, dtype=self.dtype, param_dtype=self.dtype)
        return nn.RNN(cell, time_major=True)


def build_flax(name: str, case: Case, problem: Problem, dtype: str, platform: str) -> Built:
    """Builds Flax layers on one device, as Flax does by default, with everything in the type ``dtype``."""
    del name, platform  # JAX chooses its default device
    network = _Network(case, dtype)
    x, probe = (jnp.asarray(value, dtype) for value in (problem.x, problem.probe))
    lengths = jnp.asarray(problem.lengths)
    alive = (np.arange(case.steps)[:, None] < problem.lengths)[:, :, None]
    shapes = jax.eval_shape(network.init, jax.random.key(0), x, lengths)
    given = iter(own for layer in problem.weights for own in layer)
    params = {"params": {name: _params(next(given)) for name in _cells(shapes["params"])}}

    def loss(params: Any, x: Any, lengths: Any, probe: Any) -> Any:
        return jnp.sum(network.apply(params, x, lengths) * probe)

    def results(y: Any, gradients: Any) -> Results:
        of_params, of_x = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), gradients)
        flat = [_weights(of_params["params"][name]) for name in _cells(of_params["params"])]
        layers = [flat[n : n + case.directions] for n in range(0, len(flat), case.directions)]
        return Results(np.asarray(y, np.float32) * alive, layers, of_x)

    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)
    return build_jax(network.apply, jax.grad(loss, argnums=(0, 1)), (params, x, lengths), probe, results)


def _cells(params: Any) -> list[str]:
    """The names of the cells in the order of layers and directions."""
    return sorted(params, key=lambda name: int(name.rpartition("_")[2]))


def _params(own: Weights) -> Any:
    found = {}
    for gate, *values in zip(GATES, *(np.split(value, 4, axis=-1) for value in own), strict=True):
        from_input, from_hidden, bias = values
        found[f"i{gate}"] = {"kernel": from_input}
        found[f"h{gate}"] = {"kernel": from_hidden, "bias": bias}
    return found


def _weights(cell: Any) -> Weights:
    return Weights(
        np.concatenate([cell[f"i{gate}"]["kernel"] for gate in GATES], axis=-1),
        np.concatenate([cell[f"h{gate}"]["kernel"] for gate in GATES], axis=-1),
        np.concatenate([cell[f"h{gate}"]["bias"] for gate in GATES], axis=-1),
    )
