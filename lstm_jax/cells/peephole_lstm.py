"""LSTM whose gates see the cell state (Gers & Schmidhuber 2000; Gers, Schraudolph & Schmidhuber 2002)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.cells.base import Cell, matmul, sigmoid
from lstm_jax.cells.lstm import Gates, LSTMState, lstm
from lstm_jax.types import Features, Hidden, Key, MatmulDtype


class PeepholeParams(NamedTuple):
    """Weights with the gates side by side in the order i, f, g, o. The candidate, g, has no peephole."""

    input_kernel: Float[Array, "D 4*H"]
    recurrent_kernel: Float[Array, "H 4*H"]
    bias: Float[Array, "4*H"]
    peephole: Float[Array, "3*H"]  # pi, pf, po


def peephole_lstm(hidden_size: int, forget_bias: float = 1.0, matmul_dtype: MatmulDtype = None) -> Cell:
    """An LSTM cell with peephole connections::

        i = σ(x·Wi + h·Ui + pi ⊙ c + bi)        f = σ(x·Wf + h·Uf + pf ⊙ c + bf)
        g = tanh(x·Wg + h·Ug + bg)              c' = f ⊙ c + i ⊙ g
        o = σ(x·Wo + h·Uo + po ⊙ c' + bo)       h' = o ⊙ tanh(c')

    Input and forget gate see the cell state before the step, the output gate sees the one after it. A peephole reads
    its own unit only. Peepholes start at zero, so that the cell starts as :func:`lstm_jax.cells.lstm.lstm`.

    Args:
      hidden_size: The number of hidden units, H.
      forget_bias: The initial value of the forget gate's bias.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
    """
    plain = lstm(hidden_size, forget_bias)

    def init(key: Key, input_size: int) -> PeepholeParams:
        return PeepholeParams(**plain.init(key, input_size)._asdict(), peephole=jnp.zeros(3 * hidden_size))

    def opened(params: PeepholeParams, state: LSTMState, x: Features) -> tuple[Gates, Hidden]:
        """The gates, and the cell state after the step."""
        z = matmul(x, params.input_kernel, matmul_dtype) + matmul(state.h, params.recurrent_kernel, matmul_dtype)
        i, f, g, o = jnp.split(z + params.bias[None], 4, axis=-1)
        to_i, to_f, to_o = jnp.split(params.peephole[None], 3, axis=-1)
        i, f, g = sigmoid(i + to_i * state.c), sigmoid(f + to_f * state.c), jnp.tanh(g)
        c = f * state.c + i * g
        return Gates(i, f, g, sigmoid(o + to_o * c)), c

    def step(params: PeepholeParams, state: LSTMState, x: Features) -> tuple[LSTMState, Hidden]:
        gates, c = opened(params, state, x)
        h = gates.o * jnp.tanh(c)
        return LSTMState(c, h), h

    def shown(params: PeepholeParams, state: LSTMState, x: Features) -> dict[str, Hidden]:
        gates, c = opened(params, state, x)
        return gates.named(c)

    return Cell(init, plain.initial_state, step, shown)
