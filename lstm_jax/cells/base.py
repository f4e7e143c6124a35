"""The Cell contract and what every cell shares: activations and initial weights."""

from collections.abc import Callable
from functools import partial
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
    """``a[M, K] @ b[K, N]``, the operands rounded to ``dtype`` first where there is one, the sums always in float32
    then; so are its gradients, which are such products themselves (once, and backwards only)."""
    return a @ b if dtype is None else _rounded(dtype, a, b)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _rounded(dtype: str, a: jax.Array, b: jax.Array) -> jax.Array:
    # By autodiff the gradients of rounded operands would themselves be rounded, and sums of them over time be lost.
    precision = jax.lax.Precision.DEFAULT  # of operands that are rounded already
    return jnp.matmul(a.astype(dtype), b.astype(dtype), precision=precision, preferred_element_type=jnp.float32)


def _rounded_forward(dtype: str, a: jax.Array, b: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    rounded = a.astype(dtype), b.astype(dtype)
    return _rounded(dtype, *rounded), rounded


def _rounded_backward(dtype: str, rounded: tuple[jax.Array, jax.Array], d: jax.Array) -> tuple[jax.Array, jax.Array]:
    a, b = rounded
    return _rounded(dtype, d, b.T), _rounded(dtype, a.T, d)


_rounded.defvjp(_rounded_forward, _rounded_backward)


def input_kernel(key: Key, input_size: int, hidden_size: int, gates: int) -> jax.Array:
    """Glorot-uniform ``[D, gates * H]``, each gate with the fan of its own block (Glorot & Bengio 2010)."""
    return jnp.concatenate([_glorot(k, (input_size, hidden_size)) for k in jax.random.split(key, gates)], axis=1)


def recurrent_kernel(key: Key, hidden_size: int, gates: int) -> jax.Array:
    """Orthogonal blocks ``[H, gates * H]``, so that no gate's state shrinks or grows at first (Saxe et al. 2014)."""
    return jnp.concatenate([_orthogonal(k, hidden_size) for k in jax.random.split(key, gates)], axis=1)


# Jitted, so that the gates and directions of one shape are traced once: tracing is most of a start with a warm cache.


@partial(jax.jit, static_argnums=1)
def _glorot(key: Key, shape: tuple[int, int]) -> jax.Array:
    return jax.nn.initializers.glorot_uniform()(key, shape, jnp.float32)


@partial(jax.jit, static_argnums=1)
def _orthogonal(key: Key, size: int) -> jax.Array:
    # One matrix after the other even under vmap: up to jaxlib 0.11.1 a batched decomposition on two CPU devices at once
    # may wait for ever, since each waits for threads that the other holds.
    init = jax.nn.initializers.orthogonal()
    return jax.custom_batching.sequential_vmap(lambda k: init(k, (size, size), jnp.float32))(key)
