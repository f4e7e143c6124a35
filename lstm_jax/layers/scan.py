"""A cell over time with ``jax.lax.scan``."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from lstm_jax.cells import Cell
from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.types import ExampleKeys, Features, Inputs, Lengths, Outputs, Params, Size, State


def scan(cell: Cell, reverse: bool = False) -> Layer:
    """Turns a Cell into a Layer.

    Args:
      cell: The step.
      reverse: Whether to read from each example's last token to its first. The scan then runs from T - 1 down and
        keeps an example's state unchanged until it reaches the example's tokens, so nothing is reversed in memory.

    Raises:
      TypeError: Raised by ``apply`` if an array of the state is not ``[B, …]``, or if the step returns a state of
        another shape or dtype, or an output that is not ``[B, H]``.
    """

    def run(params: Params, x: Inputs, lengths: Lengths, state: State | None, shown: bool) -> tuple[Any, State]:
        """The outputs, or what is shown of every step, and the final state."""
        check_inputs(x, lengths, params)
        if state is None:
            state = cell.initial_state(x.shape[1])
        _check_state(cell.initial_state, state, x.shape[1])

        def body(state: State, inputs: tuple[Features, Int[Array, ""]]) -> tuple[State, Any]:
            x_t, t = inputs
            alive = t < lengths
            # Padding may hold anything. Masking the results alone would let NaN into the gradient, as 0 · NaN.
            x_t = _where(alive, x_t, 0.0)
            stepped, y = cell.step(params, state, x_t)
            _check_step(cell.step, state, stepped, y, x.shape[1])
            seen = cell.gates(params, state, x_t) if cell.gates is not None and shown else y
            state = jax.tree.map(partial(_where, alive), stepped, state)
            return state, jax.tree.map(lambda array: _where(alive, array, 0.0), seen)

        state, seen = jax.lax.scan(body, state, (x, jnp.arange(x.shape[0])), reverse=reverse)
        return seen, state

    def apply(
        params: Params, x: Inputs, lengths: Lengths, key: ExampleKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        del key  # Nothing in a plain recurrence is random.
        return run(params, x, lengths, state, shown=False)

    def gates(params: Params, x: Inputs, lengths: Lengths) -> dict[str, Outputs]:
        return dict(run(params, x, lengths, None, shown=True)[0])

    return Layer(cell.init, apply, gates if cell.gates is not None else None)


def _where(alive: Bool[Array, " B"], new: Any, old: Any) -> Any:
    """``new[B, …]`` for examples that are not over, otherwise ``old``."""
    return jnp.where(jnp.expand_dims(alive, tuple(range(1, jnp.ndim(new)))), new, old)


def _check_state(initial_state: Callable[..., Any], state: State, batch: Size) -> None:
    """Checks that every array of a state has one row per example."""
    for leaf in jax.tree.leaves(state):
        if jnp.shape(leaf)[:1] != (batch,):
            wanted = f"every array of a state must be [B, …], where B = {batch}"
            _raise_in(initial_state, TypeError(f"{wanted}; found the shape {jnp.shape(leaf)}"))


def _check_step(step: Callable[..., Any], state: State, stepped: Any, y: Any, batch: Size) -> None:
    """Checks, while a step is traced, that its results have the shapes of the Cell contract."""
    before, after = (jax.tree.map(lambda leaf: jnp.shape(leaf), each) for each in (state, stepped))
    if before != after:
        _raise_in(step, TypeError(f"the step was given a state of shape {before} and returned one of shape {after}"))
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(stepped), strict=True):
        if jnp.result_type(old, new) != old.dtype:
            _raise_in(step, TypeError(f"the step was given a state of {old.dtype} and returned one of {new.dtype}"))
    if jnp.ndim(y) != 2 or jnp.shape(y)[0] != batch:
        wanted = f"[B, H], where B = {batch}"
        _raise_in(step, TypeError(f"the step returned an output of shape {jnp.shape(y)}; it must be {wanted}"))


def _raise_in(function: Callable[..., Any], error: Exception) -> None:
    """Raises an error as if from the first line of a function, so that the traceback ends in the faulty code."""
    code = getattr(function, "__code__", None)
    if code is None:
        raise error
    place = compile("raise error", code.co_filename, "exec")
    exec(place.replace(co_name=code.co_name, co_firstlineno=code.co_firstlineno), {"error": error})
