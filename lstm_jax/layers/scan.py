"""A cell over time with ``jax.lax.scan``."""

import jax
import jax.numpy as jnp

from lstm_jax.cells import Cell
from lstm_jax.layers.base import Layer
from lstm_jax.types import Hidden, Lengths, Outputs, Params, RowKeys, Sequence, State


def scan(cell: Cell, reverse: bool = False) -> Layer:
    """Makes a Layer of a Cell.

    Args:
      cell: the step.
      reverse: from each row's last word to its first. The scan runs from T - 1 down and leaves a row's
        state alone until it meets the row's words, so that no row is ever turned round in memory.
    """

    def apply(
        params: Params, x: Sequence, lengths: Lengths, key: RowKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        del key  # a plain recurrence has nothing random
        if state is None:
            state = cell.initial_state(x.shape[1])

        def body(state: State, inputs: tuple[jax.Array, jax.Array]) -> tuple[State, Hidden]:
            x_t, t = inputs
            alive = (t < lengths)[:, None]
            # Padding may hold anything; behind a mask NaN would still reach the gradient, as 0 · NaN.
            stepped, y = cell.step(params, state, jnp.where(alive, x_t, 0.0))
            state = jax.tree.map(lambda new, old: jnp.where(alive, new, old), stepped, state)
            return state, jnp.where(alive, y, 0.0)

        state, y = jax.lax.scan(body, state, (x, jnp.arange(x.shape[0])), reverse=reverse)
        return y, state

    return Layer(cell.init, apply)
