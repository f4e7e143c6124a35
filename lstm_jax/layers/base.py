"""The Layer contract."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from lstm_jax.types import ExampleKeys, Inputs, Key, Lengths, Outputs, Params, State


class Apply(Protocol):
    def __call__(
        self,
        params: Params,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: State | None = None,
    ) -> tuple[Outputs, State]: ...


class Layer(NamedTuple):
    """A layer as pure functions over whole sequences.

    Attributes:
      init: ``(key, input_size) -> params``.
      apply: ``(params, x[T, B, D], lengths[B], key=None, state=None) -> (y[T, B, H], final_state)``.
        Padding past an example's length never affects a result, and ``y`` is zero there. ``key`` holds one key for
        each example; without it the layer is deterministic. ``state`` is the ``final_state`` of an earlier part of
        the same sequence; without it the layer starts from zeros.
    """

    init: Callable[[Key, int], Params]
    apply: Apply


def check_inputs(x: Any, lengths: Any, params: Params = None) -> None:
    """Checks the layout of a layer's inputs while it is traced, at no cost when the compiled program runs.

    Args:
      x: The inputs, which must be ``[T, B, D]``.
      lengths: The examples' lengths, which must be ``[B]``.
      params: The weights that read ``x``. If they have an ``input_kernel[D, …]``, D must be that of ``x``.

    Raises:
      ValueError: A shape is wrong. The message names the layout and the shapes found.
    """
    kernel = getattr(params, "input_kernel", None)
    features = None if kernel is None else kernel.shape[0]
    laid_out = len(x.shape) == 3 and tuple(lengths.shape) == x.shape[1:2]
    if laid_out and features in (None, x.shape[2]):
        return
    wanted = "" if features is None else f" with D = {features}, as the weights have it"
    message = f"a layer takes x[T, B, D], time first, and lengths[B]{wanted}"
    message += f"; found x{list(x.shape)} and lengths{list(lengths.shape)}"
    if len(x.shape) == 3 and tuple(lengths.shape) == x.shape[:1] and not laid_out:
        message += "; jnp.swapaxes(x, 0, 1) makes batch-first inputs time-first"
    raise ValueError(message)


def output_size(layer: Layer, params: Params, input_size: int) -> int:
    """The number of output features, H, of a layer with ``input_size`` input features."""
    x = jax.ShapeDtypeStruct((1, 1, input_size), jnp.float32)
    lengths = jax.ShapeDtypeStruct((1,), jnp.int32)
    y, _ = jax.eval_shape(layer.apply, params, x, lengths)
    return int(y.shape[-1])
