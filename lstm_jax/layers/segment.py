"""A layer applied to short segments of a sequence instead of the whole (Johnson & Zhang 2016)."""

import jax.numpy as jnp

from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.types import ExampleKeys, Inputs, Lengths, Outputs, Params, State


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
        check_inputs(x, lengths)
        steps, batch, features = x.shape
        count = -(-steps // size)
        x = jnp.pad(x, ((0, count * size - steps), (0, 0), (0, 0)))
        x = x.reshape(count, size, batch, features).swapaxes(0, 1).reshape(size, count * batch, features)
        starts = size * jnp.arange(count)[:, None]
        own_lengths = jnp.clip(lengths[None] - starts, 0, size).reshape(-1)
        own_keys = None if key is None else jnp.tile(key, count)
        y, _ = layer.apply(params, x, own_lengths, own_keys)
        y = y.reshape(size, count, batch, -1).swapaxes(0, 1).reshape(count * size, batch, -1)
        return y[:steps], ()

    return Layer(layer.init, apply)
