"""Slow and plain reference implementations of the cells, which the tests compare the fast ones with.

Each function computes one step of one example, one gate at a time. It takes the parameters that the fast cell's
``init`` makes, and vectors without a batch axis.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.cells.gru import GRUParams
from lstm_jax.cells.lstm import LSTMParams, LSTMState
from lstm_jax.cells.rnn import RNNParams


def lstm_step(params: LSTMParams, state: LSTMState, x: Float[Array, "D"]) -> LSTMState:
    """One step by the equations of :func:`lstm_jax.cells.lstm.lstm`; ``state.c`` and ``state.h`` are ``[H]``."""
    units = state.h.shape[0]

    def gate(k: int) -> Float[Array, "H"]:
        own = slice(k * units, (k + 1) * units)
        return params.input_kernel[:, own].T @ x + params.recurrent_kernel[:, own].T @ state.h + params.bias[own]

    i, f, o = (1 / (1 + jnp.exp(-gate(k))) for k in (0, 1, 3))
    c = f * state.c + i * jnp.tanh(gate(2))
    return LSTMState(c=c, h=o * jnp.tanh(c))


def gru_step(params: GRUParams, h: Float[Array, "H"], x: Float[Array, "D"]) -> Float[Array, "H"]:
    """One step by the equations of :func:`lstm_jax.cells.gru.gru`."""
    units = h.shape[0]

    def parts(k: int) -> tuple[Float[Array, "H"], Float[Array, "H"]]:
        own = slice(k * units, (k + 1) * units)
        return params.input_kernel[:, own].T @ x + params.bias[own], params.recurrent_kernel[:, own].T @ h

    r, z = (1 / (1 + jnp.exp(-sum(parts(k)))) for k in (0, 1))
    from_x, from_h = parts(2)
    n = jnp.tanh(from_x + r * (from_h + params.recurrent_bias))
    return (1 - z) * n + z * h


def rnn_step(
    params: RNNParams,
    h: Float[Array, "H"],
    x: Float[Array, "D"],
    activation: Callable[[Float[Array, "H"]], Float[Array, "H"]] = jnp.tanh,
) -> Float[Array, "H"]:
    """One step by the equation of :func:`lstm_jax.cells.rnn.rnn`."""
    return activation(params.input_kernel.T @ x + params.recurrent_kernel.T @ h + params.bias)
