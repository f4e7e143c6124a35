"""Slow and plain reference implementations of the cells, which the tests compare the fast ones with.

Each function computes one step of one example, one gate at a time. It takes the parameters that the fast cell's
``init`` makes, and vectors without a batch axis.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.cells.gru import GRUParams
from lstm_jax.cells.layer_norm_lstm import EPSILON, LayerNormParams
from lstm_jax.cells.lstm import LSTMParams, LSTMState
from lstm_jax.cells.peephole_lstm import PeepholeParams
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


def peephole_lstm_step(params: PeepholeParams, state: LSTMState, x: Float[Array, "D"]) -> LSTMState:
    """One step by the equations of :func:`lstm_jax.cells.peephole_lstm.peephole_lstm`."""
    units = state.h.shape[0]
    to_i, to_f, to_o = (params.peephole[k * units : (k + 1) * units] for k in range(3))

    def gate(k: int) -> Float[Array, "H"]:
        own = slice(k * units, (k + 1) * units)
        return params.input_kernel[:, own].T @ x + params.recurrent_kernel[:, own].T @ state.h + params.bias[own]

    i = 1 / (1 + jnp.exp(-gate(0) - to_i * state.c))
    f = 1 / (1 + jnp.exp(-gate(1) - to_f * state.c))
    c = f * state.c + i * jnp.tanh(gate(2))
    return LSTMState(c=c, h=jnp.tanh(c) / (1 + jnp.exp(-gate(3) - to_o * c)))


def layer_norm_lstm_step(params: LayerNormParams, state: LSTMState, x: Float[Array, "D"]) -> LSTMState:
    """One step by the equations of :func:`lstm_jax.cells.layer_norm_lstm.layer_norm_lstm`."""

    def norm(z: Float[Array, "G"]) -> Float[Array, "G"]:
        return (z - jnp.mean(z)) / jnp.sqrt(jnp.var(z) + EPSILON)

    from_x = params.input_gain * norm(params.input_kernel.T @ x)
    from_h = params.recurrent_gain * norm(params.recurrent_kernel.T @ state.h)
    i, f, g, o = jnp.split(from_x + from_h + params.bias, 4)
    c = state.c / (1 + jnp.exp(-f)) + jnp.tanh(g) / (1 + jnp.exp(-i))
    return LSTMState(c=c, h=jnp.tanh(params.cell_gain * norm(c) + params.cell_bias) / (1 + jnp.exp(-o)))


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
