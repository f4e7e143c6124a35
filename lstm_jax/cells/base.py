"""The Cell contract and what every cell shares: activations, matrix products and initial weights."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.types import Features, Hidden, Key, MatmulDtype, Params, State


class Cell(NamedTuple):
    """One recurrent step as pure functions.

    Attributes:
      init: ``(key, input_size) -> params``.
      initial_state: ``(batch_size) -> state``, all zeros. Every array of a state is ``[B, …]``.
      step: ``(params, state, x[B, D]) -> (state, y[B, H])``.
      gates: ``(params, state, x[B, D]) -> {name: [B, H]}``, what a picture shows of the step from ``state``: activated
        gates, candidates and the state after the step, by the names that readers see. ``input gate`` and every other
        name that ends in ``gate`` get the colours of (0, 1), names that end in ``candidate`` those of (-1, 1), all
        others those of states. ``None`` if the cell has no gates.
    """

    init: Callable[[Key, int], Params]
    initial_state: Callable[[int], State]
    step: Callable[[Params, State, Features], tuple[State, Hidden]]
    gates: Callable[[Params, State, Features], dict[str, Hidden]] | None = None


def sigmoid(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The logistic function, computed as a tanh, which XLA's CPU backend vectorises better than exp."""
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def matmul(a: Float[Array, "M K"], b: Float[Array, "K N"], dtype: MatmulDtype = None) -> Float[Array, "M N"]:
    """The product ``a @ b``, with operands rounded to ``dtype`` if one is given.

    Rounded operands are still summed in float32. The gradients are products of the same kind, so they are summed in
    float32 too. With a ``dtype`` the product can be differentiated once, and in reverse mode only.
    """
    return a @ b if dtype is None else _rounded(dtype, a, b)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _rounded(dtype: str, a: Float[Array, "M K"], b: Float[Array, "K N"]) -> Float[Array, "M N"]:
    # Autodiff would round the gradients of rounded operands, and sums of them over time would lose most of their terms.
    precision = jax.lax.Precision.DEFAULT  # The operands are rounded already.
    return jnp.matmul(a.astype(dtype), b.astype(dtype), precision=precision, preferred_element_type=jnp.float32)


def _rounded_forward(
    dtype: str, a: Float[Array, "M K"], b: Float[Array, "K N"]
) -> tuple[Float[Array, "M N"], tuple[Float[Array, "M K"], Float[Array, "K N"]]]:
    rounded = a.astype(dtype), b.astype(dtype)
    return _rounded(dtype, *rounded), rounded


def _rounded_backward(
    dtype: str, rounded: tuple[Float[Array, "M K"], Float[Array, "K N"]], d: Float[Array, "M N"]
) -> tuple[Float[Array, "M K"], Float[Array, "K N"]]:
    a, b = rounded
    return _rounded(dtype, d, b.T), _rounded(dtype, a.T, d)


_rounded.defvjp(_rounded_forward, _rounded_backward)


def input_kernel(
    key: Key, input_size: int, hidden_size: int, gates: int
) -> Float[Array, "{input_size} {gates}*{hidden_size}"]:
    """Glorot-uniform weights ``[D, gates * H]``, with the fans of each gate's own block (Glorot & Bengio 2010)."""
    return jnp.concatenate([_glorot(k, (input_size, hidden_size)) for k in jax.random.split(key, gates)], axis=1)


def recurrent_kernel(key: Key, hidden_size: int, gates: int) -> Float[Array, "{hidden_size} {gates}*{hidden_size}"]:
    """Orthogonal blocks ``[H, gates * H]``, so that no gate's state shrinks or grows at first (Saxe et al. 2014)."""
    return jnp.concatenate([_orthogonal(k, hidden_size) for k in jax.random.split(key, gates)], axis=1)


# The initialisers are jitted so that gates and directions of one shape are traced once: with a warm compilation cache,
# tracing takes most of the start-up time.


@partial(jax.jit, static_argnums=1)
def _glorot(key: Key, shape: tuple[int, int]) -> Float[Array, "{shape[0]} {shape[1]}"]:
    return jax.nn.initializers.glorot_uniform()(key, shape, jnp.float32)


@partial(jax.jit, static_argnums=1)
def _orthogonal(key: Key, size: int) -> Float[Array, "{size} {size}"]:
    # The map decomposes one matrix after the other even under vmap. Up to jaxlib 0.11.1 a batched decomposition on two
    # CPU devices at once may deadlock, since each waits for threads that the other holds.
    init = jax.nn.initializers.orthogonal()
    return jax.custom_batching.sequential_vmap(lambda k: init(k, (size, size), jnp.float32))(key)
