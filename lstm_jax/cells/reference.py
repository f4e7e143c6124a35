"""The same cells again, slow and plain: one row, one gate at a time, for the tests to hold the fast ones against.

Each takes the parameters that its fast sibling's ``init`` makes and one row's vectors ``x[D]``, ``h[H]``.
"""

import jax
import jax.numpy as jnp

from lstm_jax.cells.gru import GRUParams
from lstm_jax.cells.lstm import LSTMParams, LSTMState
from lstm_jax.cells.rnn import RNNParams


def lstm_step(params: LSTMParams, state: LSTMState, x: jax.Array) -> LSTMState:
    """One word of one review through the equations of :func:`lstm_jax.cells.lstm.lstm`."""
    units = state.h.shape[0]

    def gate(k: int) -> jax.Array:
        own = slice(k * units, (k + 1) * units)
        return params.input_kernel[:, own].T @ x + params.recurrent_kernel[:, own].T @ state.h + params.bias[own]

    i, f, o = (1 / (1 + jnp.exp(-gate(k))) for k in (0, 1, 3))
    c = f * state.c + i * jnp.tanh(gate(2))
    return LSTMState(c=c, h=o * jnp.tanh(c))


def gru_step(params: GRUParams, h: jax.Array, x: jax.Array) -> jax.Array:
    """One word of one review through the equations of :func:`lstm_jax.cells.gru.gru`."""
    units = h.shape[0]

    def parts(k: int) -> tuple[jax.Array, jax.Array]:
        own = slice(k * units, (k + 1) * units)
        return params.input_kernel[:, own].T @ x + params.bias[own], params.recurrent_kernel[:, own].T @ h

    r, z = (1 / (1 + jnp.exp(-sum(parts(k)))) for k in (0, 1))
    from_x, from_h = parts(2)
    n = jnp.tanh(from_x + r * (from_h + params.recurrent_bias))
    return (1 - z) * n + z * h


def rnn_step(params: RNNParams, h: jax.Array, x: jax.Array, activation=jnp.tanh) -> jax.Array:
    """One word of one review through the equation of :func:`lstm_jax.cells.rnn.rnn`."""
    return activation(params.input_kernel.T @ x + params.recurrent_kernel.T @ h + params.bias)
