"""An LSTM over a sequence with a custom VJP: backpropagation through time, written out.

``jax.grad`` of a scan adds up the gradients of the weights inside its loop, one small matrix product in every step.
Here the backward loop computes only dz, the gradient of the gates' preactivations. The gradients of weights, bias and
inputs follow from dz as larger products, one for every block of steps, while the block's dz is still in the cache.

With the equations of ``cells.lstm`` and δ for the gradient of the loss (Werbos 1990; Gers et al. 2000):

    δo = δh ⊙ tanh(c)                δc += δh ⊙ o ⊙ (1 - tanh²(c))
    δi = δc ⊙ g,  δg = δc ⊙ i,  δf = δc ⊙ c₋,  δc₋ = δc ⊙ f
    dz = (δi ⊙ i(1 - i), δf ⊙ f(1 - f), δg ⊙ (1 - g²), δo ⊙ o(1 - o))
    δh₋ = dz·Uᵀ,  δx = dz·Wᵀ,  dW = Σ xᵀ·dz,  dU = Σ h₋ᵀ·dz,  db = Σ dz

The mark ₋ stands for the state before the step.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lstm_jax.cells.base import matmul, sigmoid
from lstm_jax.cells.lstm import LSTMParams, LSTMState, lstm
from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.layers.scan import scan
from lstm_jax.types import ExampleKeys, Features, Hidden, Inputs, Lengths, MatmulDtype, Outputs, TokenMask


class Saved(NamedTuple):
    """What the backward pass needs of each step."""

    i: Outputs
    f: Outputs
    g: Outputs
    o: Outputs
    c: Outputs  # The cell state after the step.


Step = Int[Array, ""] | int
BlockGradient = Float[Array, "S B G"]  # dz of the S steps of a block, with G = 4 H.


class _Plan(NamedTuple):
    """The static arguments of ``lstm_vjp``."""

    reverse: bool
    block: int
    gatewise: bool
    matmul_dtype: MatmulDtype


def lstm_vjp(
    hidden_size: int,
    forget_bias: float = 1.0,
    reverse: bool = False,
    matmul_dtype: MatmulDtype = None,
    block: int = 16,
    gatewise: bool = False,
) -> Layer:
    """The Layer ``scan(lstm(hidden_size, forget_bias), reverse)``, equal in values and gradients, and faster.

    It can be differentiated once, and in reverse mode only: by ``jax.grad``, but not by ``jax.jvp`` or twice.

    Args:
      hidden_size: The number of hidden units, H.
      forget_bias: The initial value of the forget gate's bias.
      reverse: Whether to read from each example's last token to its first.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
      block: The number of steps whose weight gradients are computed as one product; 0 takes all steps at once.
      gatewise: Whether to compute one product for each gate instead of one for all four. This is faster on CPUs at
        some sizes, where XLA would split the large product among threads that other devices keep busy.
    """
    cell = lstm(hidden_size, forget_bias, matmul_dtype)
    plan = _Plan(reverse, block, gatewise, matmul_dtype)

    def apply(
        params: LSTMParams,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: LSTMState | None = None,
    ) -> tuple[Outputs, LSTMState]:
        del key  # Nothing in a plain recurrence is random.
        check_inputs(x, lengths, params)
        first = cell.initial_state(x.shape[1]) if state is None else state
        alive = jnp.arange(x.shape[0])[:, None] < lengths[None]
        return _sequence(plan, params, x, alive, first)

    return Layer(cell.init, apply, scan(cell, reverse).gates)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sequence(
    plan: _Plan, params: LSTMParams, x: Inputs, alive: TokenMask, first: LSTMState
) -> tuple[Outputs, LSTMState]:
    """Outputs and final state; ``alive`` marks the steps that belong to an example."""
    return _scan(plan, params, x, alive, first, saves=False)[0]


def _forward(
    plan: _Plan, params: LSTMParams, x: Inputs, alive: TokenMask, first: LSTMState
) -> tuple[tuple[Outputs, LSTMState], tuple[LSTMParams, Inputs, TokenMask, LSTMState, Outputs, Saved | None]]:
    (y, last), saved = _scan(plan, params, x, alive, first, saves=True)
    return (y, last), (params, x, alive, first, y, saved)


def _scan(
    plan: _Plan, params: LSTMParams, x: Inputs, alive: TokenMask, first: LSTMState, saves: bool
) -> tuple[tuple[Outputs, LSTMState], Saved | None]:
    """The loop over the steps. Padding may hold anything, even NaN: every ``where`` masks it."""
    preactivations = _preactivations(plan, params)

    def step(before: LSTMState, inputs: tuple[Features, Bool[Array, "B"]]) -> tuple[LSTMState, Any]:
        x_t, alive_t = inputs[0], inputs[1][:, None]
        i, f, g, o = preactivations(x_t, before.h)
        i, f, g, o = sigmoid(i), sigmoid(f), jnp.tanh(g), sigmoid(o)
        # XLA fuses a step's arithmetic only where an intermediate has a single reader. Computing tanh from the masked
        # c, and y from the masked h, keeps it so: three fused loops a step instead of seven.
        c = jnp.where(alive_t, f * before.c + i * g, before.c)
        h = jnp.where(alive_t, o * jnp.tanh(c), before.h)
        return LSTMState(c, h), (jnp.where(alive_t, h, 0.0), Saved(i, f, g, o, c) if saves else None)

    last, (y, saved) = jax.lax.scan(step, first, (x, alive), reverse=plan.reverse)
    return (y, last), saved


def _preactivations(plan: _Plan, params: LSTMParams) -> Callable[[Features, Hidden], list[Hidden]]:
    """A function of ``x[B, D]`` and ``h[B, H]`` that gives the preactivations of the gates i, f, g, o."""
    product = partial(matmul, dtype=plan.matmul_dtype)
    # The kernels are rounded and laid out once here instead of in every step.
    kernels = [kernel.astype(plan.matmul_dtype or kernel.dtype) for kernel in params[:2]]
    gates = [LSTMParams(kernels[0], kernels[1], params.bias)]
    if plan.gatewise:
        parts = jax.lax.optimization_barrier([jnp.split(array, 4, axis=-1) for array in gates[0]])
        gates = [LSTMParams(*own) for own in zip(*parts, strict=True)]

    def preactivations(x_t: Features, h: Hidden) -> list[Hidden]:
        z = [product(x_t, w.input_kernel) + product(h, w.recurrent_kernel) + w.bias[None] for w in gates]
        return z if plan.gatewise else jnp.split(z[0], 4, axis=-1)

    return preactivations


def _backward(plan: _Plan, residuals: tuple, cotangents: tuple[Outputs, LSTMState]) -> tuple:
    params, x, alive, first, y, saved = residuals
    dy, d_last = cotangents
    steps, batch, inputs = x.shape
    kernel = jnp.concatenate([params.input_kernel, params.recurrent_kernel])
    product = partial(matmul, dtype=plan.matmul_dtype)
    # The kernels are transposed once here instead of in every step.
    to_x, to_h = jax.lax.optimization_barrier(
        tuple(array.astype(plan.matmul_dtype or array.dtype).T for array in params[:2])
    )
    before = partial(_before, plan.reverse, alive)

    def step(start: Step, n: Step, carry: tuple[LSTMState, BlockGradient]) -> tuple[LSTMState, BlockGradient]:
        """One step backwards in time: step n of the block that begins at ``start``. Its dz goes to ``dz_block[n]``."""
        d_after, dz_block = carry
        t = start + n
        alive_t = alive[t][:, None]
        i, f, g, o, c = (array[t] for array in saved)
        squashed = jnp.tanh(c)
        dh = d_after.h + dy[t]
        dc = d_after.c + dh * o * (1.0 - squashed * squashed)
        into = [
            dc * g * i * (1.0 - i),
            dc * before(saved.c, first.c, t) * f * (1.0 - f),
            dc * i * (1.0 - g * g),
            dh * squashed * o * (1.0 - o),
        ]
        dz = jnp.where(alive_t, jnp.concatenate(into, axis=-1), 0.0)
        d_h = product(dz, to_h)
        d_before = LSTMState(jnp.where(alive_t, dc * f, d_after.c), jnp.where(alive_t, d_h, d_after.h))
        return d_before, jax.lax.dynamic_update_index_in_dim(dz_block, dz, n, 0)

    def block(start: Step, size: int, carry: tuple) -> tuple:
        """A block of steps: first dz of all steps, then what it adds to the gradients of weights, bias and inputs."""
        d_after, d_kernel, d_bias, dx = carry
        dz = jax.lax.empty((size, batch, kernel.shape[1]), kernel.dtype)
        d_before, dz = _loop(size, plan.reverse, partial(step, start), (d_after, dz))
        flat = dz.reshape(size * batch, -1)
        own = jax.lax.dynamic_slice_in_dim(x, start, size)
        # Padding may hold anything. NaN in it would reach the gradient through the product, as 0 · NaN.
        own = jnp.where(jax.lax.dynamic_slice_in_dim(alive, start, size)[:, :, None], own, 0.0)
        h = jax.vmap(partial(before, y, first.h))(start + jnp.arange(size))
        entered = jnp.concatenate([own, h], axis=-1).reshape(size * batch, -1)
        d_kernel = d_kernel + product(entered.T, flat)
        d_own = product(flat, to_x).reshape(size, batch, inputs)
        return d_before, d_kernel, d_bias + flat.sum(0), jax.lax.dynamic_update_slice_in_dim(dx, d_own, start, 0)

    carry = (d_last, jnp.zeros_like(kernel), jnp.zeros_like(params.bias), jax.lax.empty(x.shape, kernel.dtype))
    d_first, d_kernel, d_bias, dx = _in_blocks(steps, plan.block or max(steps, 1), plan.reverse, block, carry)
    return LSTMParams(d_kernel[:inputs], d_kernel[inputs:], d_bias), dx, None, d_first


_sequence.defvjp(_forward, _backward)


def _before(reverse: bool, alive: TokenMask, after: Outputs, first: Hidden, t: Step) -> Hidden:
    """The state before step t: one of ``after``, the states after each step, or ``first``."""
    if not reverse:
        return jnp.where(t > 0, after[jnp.maximum(t - 1, 0)], first)
    follows = jnp.minimum(t + 1, alive.shape[0] - 1)
    return jnp.where((alive[follows] & (t < follows))[:, None], after[follows], first)


def _loop(size: int, upwards: bool, body: Callable, carry: Any) -> Any:
    """Applies ``body(n, carry)`` for every n below ``size``, from 0 upwards or from the last downwards."""
    return jax.lax.fori_loop(0, size, lambda k, own: body(k if upwards else size - 1 - k, own), carry)


def _in_blocks(steps: int, size: int, upwards: bool, block: Callable, carry: Any) -> Any:
    """Applies ``block(start, size, carry)`` to all blocks, from the first upwards or from the last downwards."""
    count, rest = divmod(steps, size)
    if rest and not upwards:
        carry = block(count * size, rest, carry)
    if count:
        carry = _loop(count, upwards, lambda n, own: block(n * size, size, own), carry)
    if rest and upwards:
        carry = block(count * size, rest, carry)
    return carry
