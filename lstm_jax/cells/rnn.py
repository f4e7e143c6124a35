"""The plain recurrent network (Elman 1990), with tanh or rectified units."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.cells.base import Cell, input_kernel, matmul, recurrent_kernel
from lstm_jax.types import Features, Hidden, Key, MatmulDtype, Size


class RNNParams(NamedTuple):
    """Weights of the units."""

    input_kernel: Float[Array, "D H"]
    recurrent_kernel: Float[Array, "H H"]
    bias: Float[Array, "H"]


def rnn(
    hidden_size: int,
    activation: Callable[[Hidden], Hidden] = jnp.tanh,
    matmul_dtype: MatmulDtype = None,
) -> Cell:
    """An Elman cell, whose state is the hidden state ``h[B, H]``::

        h' = φ(x·W + h·U + b)

    Args:
      hidden_size: The number of hidden units, H.
      activation: φ, ``jnp.tanh`` or ``jax.nn.relu``. Rectified units start from U = I (Le et al. 2015),
        which keeps their state from exploding or vanishing; tanh units start from an orthogonal U.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
    """

    def init(key: Key, input_size: int) -> RNNParams:
        input_key, recurrent_key = jax.random.split(key)
        identity = activation is jax.nn.relu
        return RNNParams(
            input_kernel(input_key, input_size, hidden_size, 1),
            jnp.eye(hidden_size) if identity else recurrent_kernel(recurrent_key, hidden_size, 1),
            jnp.zeros(hidden_size),
        )

    def initial_state(batch_size: Size) -> Hidden:
        return jnp.zeros((batch_size, hidden_size))

    def step(params: RNNParams, h: Hidden, x: Features) -> tuple[Hidden, Hidden]:
        product = partial(matmul, dtype=matmul_dtype)
        h = activation(product(x, params.input_kernel) + product(h, params.recurrent_kernel) + params.bias[None])
        return h, h

    return Cell(init, initial_state, step)
