"""An LSTM over a sequence whose backward pass is derived by hand: backpropagation through time.

``jax.grad`` of a scan adds up the gradients of the weights inside its loop, a small product of matrices each
step. Written out by hand, the loop backwards yields only dz, the gradient of what enters the gates; those
of weights, bias and inputs follow from it as one large product each, after the loop.

With the equations of ``cells.lstm`` and δ for the gradient of the loss (Werbos 1990; Gers et al. 2000):

    δo = δh ⊙ tanh(c)                δc += δh ⊙ o ⊙ (1 - tanh²(c))
    δi = δc ⊙ g,  δg = δc ⊙ i,  δf = δc ⊙ c₋,  δc₋ = δc ⊙ f
    dz = (δi ⊙ i(1 - i), δf ⊙ f(1 - f), δg ⊙ (1 - g²), δo ⊙ o(1 - o))
    δh₋ = dz·Uᵀ,  δx = dz·Wᵀ,  dW = Σ xᵀ·dz,  dU = Σ h₋ᵀ·dz,  db = Σ dz

where ₋ marks the state before the step.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lstm_jax.cells.lstm import LSTMParams, LSTMState, gates, lstm
from lstm_jax.layers.base import Layer
from lstm_jax.types import Hidden, Lengths, Outputs, RowKeys, Sequence


class Saved(NamedTuple):
    """What the backward pass needs of each step, each ``[T, B, H]``."""

    i: Hidden
    f: Hidden
    g: Hidden
    o: Hidden
    before: LSTMState  # the state that the step began with
    c: Hidden  # the cell state that it made


def bptt_lstm(hidden_size: int, forget_bias: float = 1.0, reverse: bool = False) -> Layer:
    """The Layer ``unrolled(lstm(hidden_size, forget_bias), reverse)``, equal in values and gradients, and faster.

    It can be differentiated once and backwards only (``jax.grad``, not ``jax.jvp`` or a Hessian).

    Args:
      hidden_size: H.
      forget_bias: first value of the forget gate's bias.
      reverse: from each row's last word to its first.
    """
    cell = lstm(hidden_size, forget_bias)

    def apply(
        params: LSTMParams,
        x: Sequence,
        lengths: Lengths,
        key: RowKeys | None = None,
        state: LSTMState | None = None,
    ) -> tuple[Outputs, LSTMState]:
        del key  # a plain recurrence has nothing random
        first = cell.initial_state(x.shape[1]) if state is None else state
        alive = jnp.arange(x.shape[0])[:, None] < lengths[None]
        # Padding may hold anything; behind a mask NaN would still reach the gradient, as 0 · NaN.
        x = jnp.where(alive[:, :, None], x, 0.0)
        return _sequence(reverse, params, x, alive, first)

    return Layer(cell.init, apply)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sequence(
    reverse: bool, params: LSTMParams, x: Sequence, alive: jax.Array, first: LSTMState
) -> tuple[Outputs, LSTMState]:
    """Outputs and final state; ``alive[T, B]`` tells which steps belong to a row."""
    return _forward(reverse, params, x, alive, first)[0]


def _forward(
    reverse: bool, params: LSTMParams, x: Sequence, alive: jax.Array, first: LSTMState
) -> tuple[tuple[Outputs, LSTMState], tuple]:
    def step(before: LSTMState, inputs: tuple[jax.Array, jax.Array]) -> tuple[LSTMState, tuple[Saved, Hidden]]:
        x_t, alive_t = inputs[0], inputs[1][:, None]
        i, f, g, o = gates(params, before, x_t)
        c = f * before.c + i * g
        h = o * jnp.tanh(c)
        after = LSTMState(jnp.where(alive_t, c, before.c), jnp.where(alive_t, h, before.h))
        return after, (Saved(i, f, g, o, before, c), jnp.where(alive_t, h, 0.0))

    last, (saved, y) = jax.lax.scan(step, first, (x, alive), reverse=reverse)
    return (y, last), (params, x, alive, saved)


def _backward(reverse: bool, residuals: tuple, cotangents: tuple[Outputs, LSTMState]) -> tuple:
    params, x, alive, saved = residuals
    dy, d_last = cotangents

    def step(d_after: LSTMState, inputs: tuple[jax.Array, jax.Array, Saved]) -> tuple[LSTMState, jax.Array]:
        dy_t, alive_t, (i, f, g, o, before, c) = inputs[0], inputs[1][:, None], inputs[2]
        squashed = jnp.tanh(c)
        dh = d_after.h + dy_t
        dc = d_after.c + dh * o * (1.0 - squashed * squashed)
        dz = jnp.concatenate(
            [
                dc * g * i * (1.0 - i),
                dc * before.c * f * (1.0 - f),
                dc * i * (1.0 - g * g),
                dh * squashed * o * (1.0 - o),
            ],
            axis=-1,
        )
        dz = jnp.where(alive_t, dz, 0.0)
        d_before = LSTMState(
            jnp.where(alive_t, dc * f, d_after.c), jnp.where(alive_t, dz @ params.recurrent_kernel.T, d_after.h)
        )
        return d_before, dz

    d_first, dz = jax.lax.scan(step, d_last, (dy, alive, saved), reverse=not reverse)
    d_params = LSTMParams(
        input_kernel=jnp.einsum("tbd,tbz->dz", x, dz),
        recurrent_kernel=jnp.einsum("tbh,tbz->hz", saved.before.h, dz),
        bias=jnp.sum(dz, axis=(0, 1)),
    )
    return d_params, dz @ params.input_kernel.T, None, d_first


_sequence.defvjp(_forward, _backward)
