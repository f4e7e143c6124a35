"""LSTM with layer normalisation (Ba, Kiros & Hinton 2016)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.cells.base import Cell, matmul, sigmoid
from lstm_jax.cells.lstm import Gates, LSTMState, lstm
from lstm_jax.types import Features, Hidden, Key, MatmulDtype

EPSILON = 1e-5  # Added to a variance, as PyTorch does.


class LayerNormParams(NamedTuple):
    """Weights with the gates side by side in the order i, f, g, o."""

    input_kernel: Float[Array, "D 4*H"]
    recurrent_kernel: Float[Array, "H 4*H"]
    bias: Float[Array, "4*H"]
    input_gain: Float[Array, "4*H"]
    recurrent_gain: Float[Array, "4*H"]
    cell_gain: Float[Array, "H"]
    cell_bias: Float[Array, "H"]


def normalised(z: Float[Array, "B G"]) -> Float[Array, "B G"]:
    """``z`` minus its mean over the features, divided by ``sqrt(variance + EPSILON)``.

    Features that are all equal give exactly zero, and finite gradients, however large they are.
    """
    # The mean of equal numbers is rounded, and the division would enlarge the rest up to 300-fold. The first feature
    # is subtracted beforehand; since no result depends on it, it takes no gradient.
    z = z - jax.lax.stop_gradient(z[:, :1])
    z = z - jnp.mean(z, axis=-1, keepdims=True)
    return z * jax.lax.rsqrt(jnp.mean(jnp.square(z), axis=-1, keepdims=True) + EPSILON)


def layer_norm_lstm(hidden_size: int, forget_bias: float = 1.0, matmul_dtype: MatmulDtype = None) -> Cell:
    """An LSTM cell whose products and cell state are normalised, each example and step by itself::

        z = α ⊙ LN(x·W) + γ ⊙ LN(h·U) + b        i, f, o = σ(zi), σ(zf), σ(zo)        g = tanh(zg)
        c' = f ⊙ c + i ⊙ g                        h' = o ⊙ tanh(δ ⊙ LN(c') + e)

    LN subtracts the mean over the features and divides by their standard deviation: over all four gates of a product
    together, and over the units of the cell state, which itself is carried on as it is. These are the equations of the
    paper's appendix, with the sum of its three biases of z as one. Gains α, γ, δ start at one. Biases start at zero,
    except the forget gate's.

    Args:
      hidden_size: The number of hidden units, H.
      forget_bias: The initial value of the forget gate's bias.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
    """
    plain = lstm(hidden_size, forget_bias)

    def init(key: Key, input_size: int) -> LayerNormParams:
        return LayerNormParams(
            **plain.init(key, input_size)._asdict(),
            input_gain=jnp.ones(4 * hidden_size),
            recurrent_gain=jnp.ones(4 * hidden_size),
            cell_gain=jnp.ones(hidden_size),
            cell_bias=jnp.zeros(hidden_size),
        )

    def opened(params: LayerNormParams, state: LSTMState, x: Features) -> tuple[Gates, Hidden]:
        """The gates, and the cell state after the step."""
        from_x = params.input_gain[None] * normalised(matmul(x, params.input_kernel, matmul_dtype))
        from_h = params.recurrent_gain[None] * normalised(matmul(state.h, params.recurrent_kernel, matmul_dtype))
        i, f, g, o = jnp.split(from_x + from_h + params.bias[None], 4, axis=-1)
        gates = Gates(sigmoid(i), sigmoid(f), jnp.tanh(g), sigmoid(o))
        return gates, gates.f * state.c + gates.i * gates.g

    def step(params: LayerNormParams, state: LSTMState, x: Features) -> tuple[LSTMState, Hidden]:
        gates, c = opened(params, state, x)
        h = gates.o * jnp.tanh(params.cell_gain[None] * normalised(c) + params.cell_bias[None])
        return LSTMState(c, h), h

    def shown(params: LayerNormParams, state: LSTMState, x: Features) -> dict[str, Hidden]:
        gates, c = opened(params, state, x)
        return gates.named(c)

    return Cell(init, plain.initial_state, step, shown)
