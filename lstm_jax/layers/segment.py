"""A layer applied to short segments of a sequence instead of the whole (Johnson & Zhang 2016)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.types import ExampleKeys, Inputs, Lengths, Outputs, Params, Size, State


def segmented(layer: Layer, size: int) -> Layer:
    """Cuts every example into segments of ``size`` tokens and applies a layer to all of them at once.

    No state passes from one segment to the next, so there are ``size`` sequential steps instead of T, each over
    T / ``size`` times as many examples. That is faster, and the network cannot memorise whole examples.
    Pooling over all tokens then joins the segments. The final state is empty: a sequence split at a multiple of
    ``size`` gives what the whole sequence gives.

    Args:
      layer: The layer to apply to each segment.
      size: The number of tokens in a segment.
    """

    def apply(
        params: Params, x: Inputs, lengths: Lengths, key: ExampleKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        del state
        segments, own_lengths = _cut(x, lengths, size)
        own_keys = None if key is None else jnp.tile(key, _count(x, size))
        y, _ = layer.apply(params, segments, own_lengths, own_keys)
        return _joined(y, x, size), ()

    def gates(params: Params, x: Inputs, lengths: Lengths) -> dict[str, Outputs]:
        assert layer.gates is not None
        seen = layer.gates(params, *_cut(x, lengths, size))
        return {name: _joined(own, x, size) for name, own in seen.items()}

    return Layer(layer.init, apply, None if layer.gates is None else gates)


def _count(x: Inputs, size: int) -> Size:
    """The number of segments of an example."""
    return -(-x.shape[0] // size)


def _cut(x: Inputs, lengths: Lengths, size: int) -> tuple[Float[Array, "S M D"], Int[Array, "M"]]:
    """All segments as examples of their own, the first segments of all examples before the second ones."""
    check_inputs(x, lengths)
    steps, batch, features = x.shape
    count = _count(x, size)
    x = jnp.pad(x, ((0, count * size - steps), (0, 0), (0, 0)))
    x = x.reshape(count, size, batch, features).swapaxes(0, 1).reshape(size, count * batch, features)
    starts = size * jnp.arange(count)[:, None]
    return x, jnp.clip(lengths[None] - starts, 0, size).reshape(-1)


def _joined(y: Float[Array, "S M H"], x: Inputs, size: int) -> Outputs:
    """Outputs of the segments of ``x`` behind each other, ``[T, B, H]``."""
    steps, batch, _ = x.shape
    count = _count(x, size)
    return y.reshape(size, count, batch, -1).swapaxes(0, 1).reshape(count * size, batch, -1)[:steps]
