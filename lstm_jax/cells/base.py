"""The Cell contract and what every cell shares: activations and initial weights."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lstm_jax.types import Features, Hidden, Key, MatmulDtype, Params, State


class Cell(NamedTuple):
    """One recurrent step as pure functions.

    Attributes:
      init: ``(key, input_size) -> params``.
      initial_state: ``(batch_size) -> state``, zeros.
      step: ``(params, state, x[B, D]) -> (state, y[B, H])``.
    """

    init: Callable[[Key, int], Params]
    initial_state: Callable[[int], State]
    step: Callable[[Params, State, Features], tuple[State, Hidden]]


def sigmoid(x: jax.Array) -> jax.Array:
    """The logistic function as a tanh, which XLA's CPU backend vectorises better than exp."""
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def matmul(a: jax.Array, b: jax.Array, dtype: MatmulDtype = None) -> jax.Array:
    """``a @ b``, the operands rounded to ``dtype`` first where there is one, the sums always in float32 then."""
    if dtype is None:
        return a @ b
    return jnp.matmul(a.astype(dtype), b.astype(dtype), preferred_element_type=jnp.float32)


def input_kernel(key: Key, input_size: int, hidden_size: int, gates: int) -> jax.Array:
    """Glorot-uniform ``[D, gates * H]``, each gate with the fan of its own block (Glorot & Bengio 2010)."""
    init = jax.nn.initializers.glorot_uniform()
    blocks = [init(k, (input_size, hidden_size), jnp.float32) for k in jax.random.split(key, gates)]
    return jnp.concatenate(blocks, axis=1)


def recurrent_kernel(key: Key, hidden_size: int, gates: int) -> jax.Array:
    """Orthogonal blocks ``[H, gates * H]``, so that no gate's state shrinks or grows at first (Saxe et al. 2014)."""
    # One matrix after the other even under vmap: up to jaxlib 0.11.1 a batched decomposition on two CPU devices at once
    # may wait for ever, since each waits for threads that the other holds.
    init = jax.custom_batching.sequential_vmap(
        lambda k: jax.nn.initializers.orthogonal()(k, (hidden_size, hidden_size), jnp.float32)
    )
    return jnp.concatenate([init(k) for k in jax.random.split(key, gates)], axis=1)
