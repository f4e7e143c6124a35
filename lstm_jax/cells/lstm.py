"""Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000)."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.cells.base import Cell, input_kernel, matmul, recurrent_kernel, sigmoid
from lstm_jax.types import Features, Hidden, Key, MatmulDtype, Size


class LSTMParams(NamedTuple):
    """Weights with the gates side by side in the order i, f, g, o."""

    input_kernel: Float[Array, "D 4*H"]
    recurrent_kernel: Float[Array, "H 4*H"]
    bias: Float[Array, "4*H"]


class LSTMState(NamedTuple):
    """What the cell carries from one token to the next."""

    c: Hidden  # cell state
    h: Hidden  # hidden state, which is also the output


class Gates(NamedTuple):
    """The activated gates of one step."""

    i: Hidden  # input gate, in (0, 1)
    f: Hidden  # forget gate, in (0, 1)
    g: Hidden  # candidate, in (-1, 1)
    o: Hidden  # output gate, in (0, 1)

    def named(self, c: Hidden) -> dict[str, Hidden]:
        """What a picture shows of the step that ends in the cell state ``c``; see ``Cell.gates``."""
        names = ("input gate", "forget gate", "candidate", "output gate", "cell state")
        return dict(zip(names, (*self, c), strict=True))


def gates(params: LSTMParams, state: LSTMState, x: Features, matmul_dtype: MatmulDtype = None) -> Gates:
    """The four gates of the step from ``state`` with the input ``x[B, D]``."""
    product = partial(matmul, dtype=matmul_dtype)
    z = product(x, params.input_kernel) + product(state.h, params.recurrent_kernel) + params.bias[None]
    i, f, g, o = jnp.split(z, 4, axis=-1)
    return Gates(sigmoid(i), sigmoid(f), jnp.tanh(g), sigmoid(o))


def lstm(hidden_size: int, forget_bias: float = 1.0, matmul_dtype: MatmulDtype = None) -> Cell:
    """An LSTM cell::

        i = σ(x·Wi + h·Ui + bi)        f = σ(x·Wf + h·Uf + bf)
        g = tanh(x·Wg + h·Ug + bg)     o = σ(x·Wo + h·Uo + bo)
        c' = f ⊙ c + i ⊙ g             h' = o ⊙ tanh(c')

    Each gate has one bias, the sum of PyTorch's two. Biases start at zero, except the forget gate's, which starts
    at ``forget_bias`` so that the cell remembers from the first step of training (Jozefowicz et al. 2015).

    Args:
      hidden_size: The number of hidden units, H.
      forget_bias: The initial value of the forget gate's bias.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
    """

    def init(key: Key, input_size: int) -> LSTMParams:
        input_key, recurrent_key = jax.random.split(key)
        return LSTMParams(
            input_kernel(input_key, input_size, hidden_size, 4),
            recurrent_kernel(recurrent_key, hidden_size, 4),
            jnp.zeros(4 * hidden_size).at[hidden_size : 2 * hidden_size].set(forget_bias),
        )

    def initial_state(batch_size: Size) -> LSTMState:
        zeros = jnp.zeros((batch_size, hidden_size))
        return LSTMState(c=zeros, h=zeros)

    def step(params: LSTMParams, state: LSTMState, x: Features) -> tuple[LSTMState, Hidden]:
        i, f, g, o = gates(params, state, x, matmul_dtype)
        c = f * state.c + i * g
        h = o * jnp.tanh(c)
        return LSTMState(c, h), h

    def shown(params: LSTMParams, state: LSTMState, x: Features) -> dict[str, Hidden]:
        opened = gates(params, state, x, matmul_dtype)
        return opened.named(opened.f * state.c + opened.i * opened.g)

    return Cell(init, initial_state, step, shown)
