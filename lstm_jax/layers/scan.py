"""A cell over time with ``jax.lax.scan``."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from lstm_jax.cells import Cell
from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.types import ExampleKeys, Features, Hidden, Inputs, Lengths, Outputs, Params, State


def scan(cell: Cell, reverse: bool = False) -> Layer:
    """Makes a Layer of a Cell.

    Args:
      cell: The step.
      reverse: Whether to read from each example's last token to its first. The scan then runs from T - 1 down and
        leaves an example's state alone until it meets the example's tokens, so nothing is reversed in memory.
    """

    def apply(
        params: Params, x: Inputs, lengths: Lengths, key: ExampleKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        del key  # Nothing in a plain recurrence is random.
        check_inputs(x, lengths, params)
        if state is None:
            state = cell.initial_state(x.shape[1])

        def body(state: State, inputs: tuple[Features, Int[Array, ""]]) -> tuple[State, Hidden]:
            x_t, t = inputs
            alive = (t < lengths)[:, None]
            # Padding may hold anything. Masking the results alone would let NaN into the gradient, as 0 · NaN.
            stepped, y = cell.step(params, state, jnp.where(alive, x_t, 0.0))
            state = jax.tree.map(lambda new, old: jnp.where(alive, new, old), stepped, state)
            return state, jnp.where(alive, y, 0.0)

        state, y = jax.lax.scan(body, state, (x, jnp.arange(x.shape[0])), reverse=reverse)
        return y, state

    return Layer(cell.init, apply)
