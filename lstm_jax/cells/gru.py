"""Gated recurrent unit (Cho et al. 2014, in the variant of cuDNN, PyTorch and Keras)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.cells.base import Cell, input_kernel, matmul, recurrent_kernel, sigmoid
from lstm_jax.types import Features, Hidden, Key, MatmulDtype, Size


class GRUParams(NamedTuple):
    """Weights with the gates side by side in the order r, z, n."""

    input_kernel: Float[Array, "D 3*H"]
    recurrent_kernel: Float[Array, "H 3*H"]
    bias: Float[Array, "3*H"]
    recurrent_bias: Float[Array, "H"]  # un, multiplied by the reset gate.


class GRUGates(NamedTuple):
    """The activated gates of one step."""

    r: Hidden  # reset gate, in (0, 1)
    z: Hidden  # update gate, in (0, 1)
    n: Hidden  # candidate, in (-1, 1)


def gru_gates(params: GRUParams, h: Hidden, x: Features, matmul_dtype: MatmulDtype = None) -> GRUGates:
    """The gates of the step from the state ``h`` with the input ``x[B, D]``."""
    x_r, x_z, x_n = jnp.split(matmul(x, params.input_kernel, matmul_dtype) + params.bias[None], 3, axis=-1)
    h_r, h_z, h_n = jnp.split(matmul(h, params.recurrent_kernel, matmul_dtype), 3, axis=-1)
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    return GRUGates(r, z, jnp.tanh(x_n + r * (h_n + params.recurrent_bias[None])))


def gru(hidden_size: int, matmul_dtype: MatmulDtype = None) -> Cell:
    """A GRU cell, whose state is the hidden state ``h[B, H]``::

        r = σ(x·Wr + h·Ur + br)        z = σ(x·Wz + h·Uz + bz)
        n = tanh(x·Wn + bn + r ⊙ (h·Un + un))
        h' = (1 - z) ⊙ n + z ⊙ h

    The reset gate acts after the recurrent product, so the three recurrent products are one. All biases start
    at zero. PyTorch has two biases for each gate; only the candidate's second one, ``un``, is not redundant.

    Args:
      hidden_size: The number of hidden units, H.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
    """

    def init(key: Key, input_size: int) -> GRUParams:
        input_key, recurrent_key = jax.random.split(key)
        return GRUParams(
            input_kernel(input_key, input_size, hidden_size, 3),
            recurrent_kernel(recurrent_key, hidden_size, 3),
            jnp.zeros(3 * hidden_size),
            jnp.zeros(hidden_size),
        )

    def initial_state(batch_size: Size) -> Hidden:
        return jnp.zeros((batch_size, hidden_size))

    def step(params: GRUParams, h: Hidden, x: Features) -> tuple[Hidden, Hidden]:
        _, z, n = gru_gates(params, h, x, matmul_dtype)
        h = n + z * (h - n)
        return h, h

    def shown(params: GRUParams, h: Hidden, x: Features) -> dict[str, Hidden]:
        r, z, n = gru_gates(params, h, x, matmul_dtype)
        return {"reset gate": r, "update gate": z, "candidate": n, "hidden state": n + z * (h - n)}

    return Cell(init, initial_state, step, shown)
