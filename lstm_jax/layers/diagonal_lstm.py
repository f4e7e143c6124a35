"""An LSTM with diagonal recurrent matrices, solved for all steps at once (ParaRNN: Danieli et al. 2025, 2510.21450).

The states s_t = (c_t, h_t) of all steps solve one system of equations, s_t = step(s_{t-1}, x_t). Newton's method solves
it in a few iterations. With J_t for the derivative of step t by the state before it, an iteration adds to the states
the solution Δ of a linear recurrence:

    Δ_t = J_t · Δ_{t-1} + (step(s_{t-1}, x_t) - s_t),        Δ_0 = 0

An associative scan solves that in about 2 log₂ T parallel rounds, instead of T sequential steps.

After iteration k the first k states are exact, wherever the iterations began, so T iterations give what the loop gives.
Usually many fewer do, because the error is squared once it is small.

A unit sees no other unit's state, so J_t has one 2×2 block for each unit, as in the paper's ParaLSTM. A state of c
alone, with gates that see no h, would have single numbers for blocks, and a cheaper scan. But that is no LSTM with
diagonal matrices: what a unit lets out through its output gate would not reach its own gates.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lstm_jax.cells.base import input_kernel, matmul, sigmoid
from lstm_jax.cells.lstm import Gates, LSTMState
from lstm_jax.errors import ConfigError
from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.registry import nearest
from lstm_jax.types import ExampleKeys, Hidden, Inputs, Key, Lengths, MatmulDtype, Outputs

SETTLED = 1e-5  # Iterations end when none changes a state s by more than this times 1 + |s|.


class DiagonalParams(NamedTuple):
    """Weights with the gates side by side in the order i, f, g, o. The candidate, g, has no peephole."""

    input_kernel: Float[Array, "D 4*H"]
    diagonal: Float[Array, "4*H"]  # ui, uf, ug, uo: the diagonals of the recurrent matrices
    bias: Float[Array, "4*H"]
    peephole: Float[Array, "3*H"]  # pi, pf, po


class _Blocks(NamedTuple):
    """The 2×2 blocks of the derivatives of steps by the state before them, ``[T, B, H]`` each."""

    c_by_c: Outputs
    c_by_h: Outputs
    h_by_c: Outputs
    h_by_h: Outputs

    @property
    def transposed(self) -> "_Blocks":
        return _Blocks(self.c_by_c, self.h_by_c, self.c_by_h, self.h_by_h)


class _Recurrence(NamedTuple):
    """Everything that the states depend on."""

    diagonal: Float[Array, "4*H"]
    peephole: Float[Array, "3*H"]
    z: Float[Array, "T B 4*H"]  # What the inputs and the biases add to the preactivations.
    first: LSTMState  # The state before the first step that is taken.


def diagonal_lstm(
    hidden_size: int,
    iterations: int = 0,
    forget_bias: float = 1.0,
    reverse: bool = False,
    matmul_dtype: MatmulDtype = None,
    implementation: str = "auto",
) -> Layer:
    """A peephole LSTM whose recurrent matrices are diagonal, so that units see one another only in the next layer::

        i = σ(x·Wi + ui ⊙ h + pi ⊙ c + bi)        f = σ(x·Wf + uf ⊙ h + pf ⊙ c + bf)
        g = tanh(x·Wg + ug ⊙ h + bg)              c' = f ⊙ c + i ⊙ g
        o = σ(x·Wo + uo ⊙ h + po ⊙ c' + bo)       h' = o ⊙ tanh(c')

    The paper's ParaLSTM also has i = 1 - f; here the input gate is its own, as in ``cells.peephole_lstm``. Peepholes
    start at zero, diagonals uniformly in (-1, 1).

    Args:
      hidden_size: The number of hidden units, H.
      iterations: The number of Newton iterations, at most T. 0: as many as are needed, until no state s changes by more
        than 1e-5 (1 + |s|), or until T, which are exact. The paper takes three; a fixed number is not checked.
      forget_bias: The initial value of the forget gate's bias.
      reverse: Whether to read from each example's last token to its first.
      matmul_dtype: The type that operands of the input product are rounded to; see ``cells.base.matmul``.
      implementation: ``loop`` takes one step after the other. ``newton`` takes all at once; it can be differentiated
        once, and in reverse mode only. ``auto`` is the loop on CPUs and Newton elsewhere, resolved for the platform
        that a program is lowered for; a program for any T has the loop. A CPU gains nothing from the rounds of the
        iterations, which together do many times the loop's work. Accelerators were not measured.

    Raises:
      ConfigError: ``iterations`` is negative, or there is no such implementation.
    """
    if iterations < 0:
        raise ConfigError(f"{iterations} iterations cannot be made; set iterations to 0 for as many as are needed")
    if implementation not in (known := ("auto", "loop", "newton")):
        raise ConfigError(
            f"the diagonal LSTM has no implementation {implementation!r}; {nearest(implementation, known)}"
        )

    def init(key: Key, input_size: int) -> DiagonalParams:
        input_key, diagonal_key = jax.random.split(key)
        return DiagonalParams(
            input_kernel(input_key, input_size, hidden_size, 4),
            jax.random.uniform(diagonal_key, (4 * hidden_size,), minval=-1.0, maxval=1.0),
            jnp.zeros(4 * hidden_size).at[hidden_size : 2 * hidden_size].set(forget_bias),
            jnp.zeros(3 * hidden_size),
        )

    def run(
        params: DiagonalParams, x: Inputs, lengths: Lengths, state: LSTMState | None
    ) -> tuple[_Recurrence, Bool[Array, "T B 1"], LSTMState]:
        """What the states depend on, the steps that belong to an example, and the state after each step."""
        steps, batch, features = x.shape
        alive = (jnp.arange(steps)[:, None] < lengths[None])[:, :, None]
        # Padding may hold anything. NaN in it would reach the gradient through the product, as 0 · NaN.
        flat = jnp.where(alive, x, 0.0).reshape(steps * batch, features)
        z = (matmul(flat, params.input_kernel, matmul_dtype) + params.bias[None]).reshape(steps, batch, 4 * hidden_size)
        zeros = jnp.zeros((batch, hidden_size))
        own = _Recurrence(params.diagonal, params.peephole, z, LSTMState(zeros, zeros) if state is None else state)
        return own, alive, _states(implementation, reverse, iterations, own, alive)

    def apply(
        params: DiagonalParams,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: LSTMState | None = None,
    ) -> tuple[Outputs, LSTMState]:
        del key  # Nothing in the layer is random.
        check_inputs(x, lengths, params)
        own, alive, states = run(params, x, lengths, state)
        # The state stays as it is in padding, so the final state stands at the end of the array.
        last = jax.tree.map(lambda first, after: jnp.concatenate([first[None], after])[-1], own.first, states)
        if reverse:
            last = jax.tree.map(lambda first, after: jnp.concatenate([after, first[None]])[0], own.first, states)
        return jnp.where(alive, states.h, 0.0), last

    def gates(params: DiagonalParams, x: Inputs, lengths: Lengths) -> dict[str, Outputs]:
        own, alive, states = run(params, x, lengths, None)
        seen, c = _gates(own, _before(reverse, states, own.first))
        return {name: jnp.where(alive, array, 0.0) for name, array in jax.vmap(Gates.named)(seen, c).items()}

    return Layer(init, apply, gates)


def _gates(own: _Recurrence, before: LSTMState) -> tuple[Gates, Float[Array, "*T B H"]]:
    """The gates of steps and the cell state after them, for all steps or for one."""
    spread = partial(jnp.expand_dims, axis=tuple(range(own.z.ndim - 1)))
    by_h = jnp.split(spread(own.diagonal), 4, axis=-1)
    i, f, g, o = (z + u * before.h for z, u in zip(jnp.split(own.z, 4, axis=-1), by_h, strict=True))
    to_i, to_f, to_o = jnp.split(spread(own.peephole), 3, axis=-1)
    i, f, g = sigmoid(i + to_i * before.c), sigmoid(f + to_f * before.c), jnp.tanh(g)
    c = f * before.c + i * g
    return Gates(i, f, g, sigmoid(o + to_o * c)), c


def _step(own: _Recurrence, alive: Bool[Array, "*T B 1"], before: LSTMState) -> LSTMState:
    """The states after steps; in padding those before them."""
    gates, c = _gates(own, before)
    return LSTMState(jnp.where(alive, c, before.c), jnp.where(alive, gates.o * jnp.tanh(c), before.h))


def _states(
    implementation: str, reverse: bool, iterations: int, own: _Recurrence, alive: Bool[Array, "T B 1"]
) -> LSTMState:
    """The states after each step."""
    loop, solved = partial(_loop, reverse), partial(_newton, reverse, iterations)
    # The number of rounds depends on T, which a program that is exported for any T does not know.
    if implementation == "loop" or not isinstance(own.z.shape[0], int) or own.z.shape[0] == 0:
        return loop(own, alive)
    if implementation == "newton":
        return solved(own, alive)
    return jax.lax.platform_dependent(own, alive, cpu=loop, default=solved)


def _loop(reverse: bool, own: _Recurrence, alive: Bool[Array, "T B 1"]) -> LSTMState:
    def step(before: LSTMState, inputs: tuple[Float[Array, "B G"], Bool[Array, "B 1"]]) -> tuple[LSTMState, LSTMState]:
        after = _step(own._replace(z=inputs[0]), inputs[1], before)
        return after, after

    return jax.lax.scan(step, own.first, (own.z, alive), reverse=reverse)[1]


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _newton(reverse: bool, iterations: int, own: _Recurrence, alive: Bool[Array, "T B 1"]) -> LSTMState:
    return newton_states(reverse, iterations, own, alive)[0]


def newton_states(
    reverse: bool, iterations: int, own: _Recurrence, alive: Bool[Array, "T B 1"]
) -> tuple[LSTMState, Int[Array, ""]]:
    """The states after each step by Newton's method, and the number of iterations that were taken."""
    steps = own.z.shape[0]
    # The true states are within these bounds: |h| < 1, and a step adds at most 1 to |c|. The first iterations may leave
    # them by any amount, even to infinity, and are brought back.
    bounds = LSTMState(jnp.abs(own.first.c)[None] + steps, jnp.maximum(jnp.abs(own.first.h), 1.0)[None])

    def improve(state: tuple[LSTMState, Float[Array, ""], Int[Array, ""]]) -> tuple:
        old, _, count = state
        after, blocks = _linearised(reverse, own, alive, old)
        change = _recurrence(reverse, blocks, jax.tree.map(jnp.subtract, after, old))
        new = jax.tree.map(lambda s, d, most: jnp.clip(jnp.nan_to_num(s + d), -most, most), old, change, bounds)
        moved = [jnp.max(jnp.abs(a - b) / (1.0 + jnp.abs(b))) for a, b in zip(new, old, strict=True)]
        return new, jnp.maximum(*moved), count + 1

    def unsettled(state: tuple[LSTMState, Float[Array, ""], Int[Array, ""]]) -> Bool[Array, ""]:
        return (state[2] < steps) & (state[1] > SETTLED)

    zeros = jnp.zeros((*own.z.shape[:2], own.z.shape[2] // 4))
    start = (
        _step(own, alive, jax.tree.map(lambda first: zeros + first[None], own.first)),
        jnp.float32(jnp.inf),
        jnp.int32(0),
    )
    if iterations:
        return jax.lax.fori_loop(0, min(iterations, steps), lambda _, state: improve(state), start)[::2]
    return jax.lax.while_loop(unsettled, improve, start)[::2]


def _forward(
    reverse: bool, iterations: int, own: _Recurrence, alive: Bool[Array, "T B 1"]
) -> tuple[LSTMState, tuple[_Recurrence, Bool[Array, "T B 1"], LSTMState]]:
    states = _newton(reverse, iterations, own, alive)
    return states, (own, alive, states)


def _backward(reverse: bool, iterations: int, residuals: tuple, d_states: LSTMState) -> tuple[_Recurrence, None]:
    """The gradient by the implicit function theorem.

    With δ_t for the gradient of the loss by s_t as an output, the gradient by all that follows from s_t is
    λ_t = δ_t + J_{t+1}ᵀ · λ_{t+1}: one linear recurrence from the other end.
    """
    own, alive, states = residuals
    _, blocks = _linearised(reverse, own, alive, states)
    none = jax.tree.map(lambda block: jnp.zeros_like(block[0]), blocks)
    total = _recurrence(not reverse, _before(not reverse, blocks.transposed, none), d_states)
    _, pull = jax.vjp(lambda own, before: _step(own, alive, before), own, _before(reverse, states, own.first))
    d_own, d_before = pull(total)
    return d_own._replace(first=jax.tree.map(lambda d: d[-1 if reverse else 0], d_before)), None


_newton.defvjp(_forward, _backward)


def _linearised(
    reverse: bool, own: _Recurrence, alive: Bool[Array, "T B 1"], states: LSTMState
) -> tuple[LSTMState, _Blocks]:
    """One step from the state before each step, and its derivatives by that state."""
    after, derivative = jax.linearize(partial(_step, own, alive), _before(reverse, states, own.first))
    one, zero = jnp.ones_like(after.c), jnp.zeros_like(after.c)
    by_c, by_h = derivative(LSTMState(one, zero)), derivative(LSTMState(zero, one))
    return after, _Blocks(by_c.c, by_h.c, by_c.h, by_h.h)


def _before(reverse: bool, after, first):
    """What stands before each step: what stands ``after`` the step before it, or ``first``."""

    def shifted(after: Outputs, first: Hidden) -> Outputs:
        return jnp.concatenate([after[1:], first[None]] if reverse else [first[None], after[:-1]])

    return jax.tree.map(shifted, after, first)


def _recurrence(reverse: bool, blocks: _Blocks, terms: LSTMState) -> LSTMState:
    """The solution of Δ_t = J_t · Δ_{t-1} + r_t that begins at zero, or of its mirror image."""

    def compose(earlier: tuple[_Blocks, LSTMState], later: tuple[_Blocks, LSTMState]) -> tuple[_Blocks, LSTMState]:
        (a, r), (b, q) = earlier, later
        blocks = _Blocks(
            b.c_by_c * a.c_by_c + b.c_by_h * a.h_by_c,
            b.c_by_c * a.c_by_h + b.c_by_h * a.h_by_h,
            b.h_by_c * a.c_by_c + b.h_by_h * a.h_by_c,
            b.h_by_c * a.c_by_h + b.h_by_h * a.h_by_h,
        )
        terms = LSTMState(
            b.c_by_c * r.c + b.c_by_h * r.h + q.c,
            b.h_by_c * r.c + b.h_by_h * r.h + q.h,
        )
        return blocks, terms

    return jax.lax.associative_scan(compose, (blocks, terms), reverse=reverse)[1]
