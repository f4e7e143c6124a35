"""The Layer contract."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp

from lstm_jax.types import Key, Lengths, Outputs, Params, RowKeys, Sequence, State


class Apply(Protocol):
    def __call__(
        self,
        params: Params,
        x: Sequence,
        lengths: Lengths,
        key: RowKeys | None = None,
        state: State | None = None,
    ) -> tuple[Outputs, State]: ...


class Layer(NamedTuple):
    """A whole sequence as pure functions.

    Attributes:
      init: ``(key, input_size) -> params``.
      apply: ``(params, x[T, B, D], lengths[B], key=None, state=None) -> (y[T, B, H], final_state)``.
        What lies past a row's length never touches a result, and ``y`` is zero there. ``key`` is one key
        a row; without it the layer is deterministic. ``state`` is what an earlier part of the same
        sequence returned as its ``final_state``; without it the layer starts from zeros.
    """

    init: Callable[[Key, int], Params]
    apply: Apply


def output_size(layer: Layer, params: Params, input_size: int) -> int:
    """H of the layer's outputs for inputs of ``input_size`` features."""
    x = jax.ShapeDtypeStruct((1, 1, input_size), jnp.float32)
    lengths = jax.ShapeDtypeStruct((1,), jnp.int32)
    y, _ = jax.eval_shape(layer.apply, params, x, lengths)
    return int(y.shape[-1])
