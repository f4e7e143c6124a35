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
      gates: ``(params, x[T, B, D], lengths[B]) -> {name: [T, B, H]}``, what a picture shows of every step, by the names
        that ``Cell.gates`` has. ``None`` if the layer has no gates.
    """

    init: Callable[[Key, int], Params]
    apply: Apply
    gates: Callable[[Params, Inputs, Lengths], dict[str, Outputs]] | None = None


def checked(layer: Layer) -> Layer:
    """A layer whose inputs are checked while it is traced, at no cost when the compiled program runs.

    ``apply`` raises what ``check_inputs`` raises, and a ``ValueError`` if the parameters are not those that ``init``
    makes for inputs of this size. ``gates`` raises a ``TypeError`` if its arrays have not one
    shape, [T, B, H].
    """

    def apply(
        params: Params, x: Inputs, lengths: Lengths, key: ExampleKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        check_inputs(x, lengths, params)
        if not hasattr(params, "input_kernel"):
            _check_params(layer.init, params, x.shape[2])
        return layer.apply(params, x, lengths, key, state)

    def gates(params: Params, x: Inputs, lengths: Lengths) -> dict[str, Outputs]:
        assert layer.gates is not None
        seen = layer.gates(params, x, lengths)
        shapes = {name: jnp.shape(array) for name, array in seen.items()}
        first = next(iter(shapes.values()), ())
        if len(first) != 3 or first[:2] != x.shape[:2] or set(shapes.values()) != {first}:
            wanted = f"[T, B, H] with T = {x.shape[0]}, B = {x.shape[1]}"
            raise TypeError(f"the arrays of a layer's gates must have one shape, {wanted}; found {shapes}")
        return seen

    return layer._replace(apply=apply, gates=None if layer.gates is None else gates)


def check_inputs(x: Any, lengths: Any, params: Params = None) -> None:
    """Checks the layout of a layer's inputs while it is traced, at no cost when the compiled program runs.

    Args:
      x: The inputs, which must be ``[T, B, D]``.
      lengths: The examples' lengths, which must be integers ``[B]``.
      params: The weights that read ``x``. If they have an ``input_kernel[D, …]``, D must be that of ``x``.

    Raises:
      ValueError: A shape is wrong. The message names the layout and the shapes found.
      TypeError: ``x`` or ``lengths`` is no array, or the lengths are not integers.
    """
    kernel = getattr(params, "input_kernel", None)
    features = None if kernel is None else kernel.shape[0]
    wanted = "a layer takes x[T, B, D], time first, and lengths[B]"
    for name, value in (("x", x), ("lengths", lengths)):
        if not hasattr(value, "shape"):
            raise TypeError(f"{wanted}, as arrays; {name} is of type {type(value).__name__}")
    laid_out = len(x.shape) == 3 and tuple(lengths.shape) == x.shape[1:2]
    if not laid_out or features not in (None, x.shape[2]):
        weights = "" if features is None else f" with D = {features}, as the weights have it"
        found = f"found x{list(x.shape)} and lengths{list(lengths.shape)}"
        raise ValueError(f"{wanted}{weights}; {found}{_layout_hint(x, lengths)}")
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise TypeError(f"{wanted}, which are integers; found lengths of dtype {lengths.dtype}")


def _layout_hint(x: Any, lengths: Any) -> str:
    """What probably led to a wrong layout; empty if that is not clear."""
    if len(x.shape) == 3 and tuple(lengths.shape) == x.shape[:1] != x.shape[1:2]:
        return "; jnp.swapaxes(x, 0, 1) makes batch-first inputs [B, T, D] time-first"
    if len(x.shape) == 2 and jnp.issubdtype(x.dtype, jnp.integer):
        return "; token ids [T, B] have to be embedded first"
    if len(x.shape) == 2 and tuple(lengths.shape) in ((), (1,)):
        return "; x[:, None] makes one example [T, D] a batch"
    return ""


def _check_params(init: Callable[[Key, int], Params], params: Params, features: int) -> None:
    """Checks that parameters have the shapes of those that ``init`` makes for inputs of a size, D.

    Raises:
      ValueError: They have others.
    """
    expected = jax.eval_shape(lambda key: init(key, features), jax.eval_shape(lambda: jax.random.key(0)))
    wanted, found = ([jnp.shape(leaf) for leaf in jax.tree.leaves(tree)] for tree in (expected, params))
    structures: list[Any] = [jax.tree.structure(tree) for tree in (expected, params)]
    if wanted != found and structures[0] == structures[1]:
        raise ValueError(
            f"a layer takes x[T, B, D]; with D = {features} its weights have the shapes {wanted}, and those given "
            f"have {found}"
        )


def output_size(layer: Layer, params: Params, input_size: int) -> int:
    """The number of output features, H, of a layer with ``input_size`` input features."""
    x = jax.ShapeDtypeStruct((1, 1, input_size), jnp.float32)
    lengths = jax.ShapeDtypeStruct((1,), jnp.int32)
    y, _ = jax.eval_shape(layer.apply, params, x, lengths)
    return int(y.shape[-1])
