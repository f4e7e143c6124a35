"""minGRU and minLSTM (Feng et al. 2024, arXiv:2410.01201): gates that see the input alone.

Without the state in the gates, a layer is one matrix product over all steps and a ``linear_recurrence``.

These are the paper's plain equations, not its log-space ones. The latter serve a scan that divides by cumulative
products of the gates, which underflow; they need candidates above 0, and so allow no negative state. Neither the loop
nor the associative scan divides: they multiply gates in (0, 1), and a product that underflows belongs to an input that
is forgotten.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from lstm_jax.cells.base import input_kernel, matmul, sigmoid
from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.layers.linear_recurrence import masked_recurrence
from lstm_jax.types import ExampleKeys, Hidden, Inputs, Key, Lengths, MatmulDtype, Outputs


class MinimalParams(NamedTuple):
    """Weights with G gates side by side, the candidate last: z, h̃ of minGRU, and f, i, h̃ of minLSTM."""

    input_kernel: Float[Array, "D G*H"]
    bias: Float[Array, "G*H"]


class _Mix(NamedTuple):
    """How every step mixes the state with its candidate: h' = keep ⊙ h + enter ⊙ candidate, where keep + enter = 1."""

    keep: Outputs
    enter: Outputs
    candidate: Outputs


def min_gru(
    hidden_size: int, reverse: bool = False, matmul_dtype: MatmulDtype = None, implementation: str = "auto"
) -> Layer:
    """minGRU (Feng et al. 2024), a gated recurrent unit whose gate sees the input alone.

    The state is the hidden state ``h[B, H]``::

        z = σ(x·Wz + bz)               h̃ = x·Wh + bh
        h' = (1 - z) ⊙ h + z ⊙ h̃

    Args:
      hidden_size: The number of hidden units, H.
      reverse: Whether to read from each example's last token to its first.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
      implementation: That of the ``linear_recurrence``.
    """

    def mix(z: Outputs, candidate: Outputs) -> _Mix:
        return _Mix(sigmoid(-z), sigmoid(z), candidate)

    return _layer(hidden_size, 2, mix, "update gate", reverse, matmul_dtype, implementation)


def min_lstm(
    hidden_size: int, reverse: bool = False, matmul_dtype: MatmulDtype = None, implementation: str = "auto"
) -> Layer:
    """minLSTM (Feng et al. 2024), whose gates see the input alone and sum to one.

    The state is the hidden state ``h[B, H]``::

        f = σ(x·Wf + bf)               i = σ(x·Wi + bi)               h̃ = x·Wh + bh
        f' = f / (f + i)               i' = i / (f + i)
        h' = f' ⊙ h + i' ⊙ h̃

    Args:
      hidden_size: The number of hidden units, H.
      reverse: Whether to read from each example's last token to its first.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
      implementation: That of the ``linear_recurrence``.
    """

    def mix(f: Outputs, i: Outputs, candidate: Outputs) -> _Mix:
        # f' = σ(log f - log i). The quotient itself would be 0 / 0 where both gates round to zero.
        z = jax.nn.softplus(-f) - jax.nn.softplus(-i)
        return _Mix(sigmoid(-z), sigmoid(z), candidate)

    return _layer(hidden_size, 3, mix, "input gate", reverse, matmul_dtype, implementation)


def _layer(
    hidden_size: int,
    gate_count: int,
    mix: Callable[..., _Mix],
    enter: str,
    reverse: bool,
    matmul_dtype: MatmulDtype,
    implementation: str,
) -> Layer:
    """A layer from the function that turns its gates' preactivations into a mix; ``enter`` names one of its parts."""

    def init(key: Key, input_size: int) -> MinimalParams:
        return MinimalParams(
            input_kernel(key, input_size, hidden_size, gate_count), jnp.zeros(gate_count * hidden_size)
        )

    def run(
        params: MinimalParams, x: Inputs, lengths: Lengths, state: Hidden | None
    ) -> tuple[_Mix, Outputs, Bool[Array, "T B 1"], Hidden]:
        """The mix and the state of each step, the steps that belong to an example, and the final state."""
        steps, batch, features = x.shape
        first = jnp.zeros((batch, hidden_size)) if state is None else state
        alive = (jnp.arange(steps)[:, None] < lengths[None])[:, :, None]
        # Padding may hold anything. NaN in it would reach the gradient through the product, as 0 · NaN.
        flat = jnp.where(alive, x, 0.0).reshape(steps * batch, features)
        product = matmul(flat, params.input_kernel, matmul_dtype) + params.bias[None]
        own = mix(*jnp.split(product.reshape(steps, batch, -1), gate_count, axis=-1))
        h, last = masked_recurrence(own.keep, own.enter * own.candidate, alive, first, implementation, reverse)
        return own, h, alive, last

    def apply(
        params: MinimalParams,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: Hidden | None = None,
    ) -> tuple[Outputs, Hidden]:
        del key  # Nothing in the layer is random.
        check_inputs(x, lengths, params)
        _, h, alive, last = run(params, x, lengths, state)
        return jnp.where(alive, h, 0.0), last

    def gates(params: MinimalParams, x: Inputs, lengths: Lengths) -> dict[str, Outputs]:
        own, h, _, _ = run(params, x, lengths, None)
        return {"forget gate": own.keep, enter: own.enter, "candidate": own.candidate, "hidden state": h}

    return Layer(init, apply, gates)
