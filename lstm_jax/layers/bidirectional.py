"""Two layers that read a sequence from both ends (Schuster & Paliwal 1997)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.layers.dropout import fold_in
from lstm_jax.types import ExampleKeys, Inputs, Key, Lengths, Outputs, Params, State


class Directions(NamedTuple):
    """The parameters or the states of the two directions."""

    forward: Params
    backward: Params


def bidirectional(forward: Layer, backward: Layer) -> Layer:
    """Joins the outputs of two layers over the same inputs, the forward layer's features first.

    Args:
      forward: The layer that reads from the first token to the last.
      backward: The layer that reads from the last token to the first, as ``scan(cell, reverse=True)`` does.
    """

    def init(key: Key, input_size: int) -> Directions:
        forward_key, backward_key = jax.random.split(key)
        return Directions(forward.init(forward_key, input_size), backward.init(backward_key, input_size))

    def apply(
        params: Directions,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: State | None = None,
    ) -> tuple[Outputs, State]:
        check_inputs(x, lengths)
        states = state if state is not None else Directions(None, None)
        keys = [None if key is None else fold_in(key, n) for n in (0, 1)]
        y_forward, end_forward = forward.apply(params.forward, x, lengths, keys[0], states.forward)
        y_backward, end_backward = backward.apply(params.backward, x, lengths, keys[1], states.backward)
        return jnp.concatenate([y_forward, y_backward], axis=-1), Directions(end_forward, end_backward)

    return Layer(init, apply)
