"""A layer applied to short segments of a sequence instead of the whole (Johnson & Zhang 2016)."""

import jax.numpy as jnp

from lstm_jax.layers.base import Layer
from lstm_jax.types import Lengths, Outputs, Params, RowKeys, Sequence, State


def segmented(layer: Layer, size: int) -> Layer:
    """Cuts every row into segments of ``size`` words and applies a layer to all of them at once.

    No state passes from one segment to the next, so there are ``size`` sequential steps instead of T, each
    over T / ``size`` times as many rows: a faster computation, and a network that cannot learn whole
    reviews by heart. Pooling over all words then joins the segments. There is no state to carry either: a
    sequence split at a multiple of ``size`` gives what the whole gives.

    Args:
      layer: applied to each segment.
      size: words of a segment.
    """

    def apply(
        params: Params, x: Sequence, lengths: Lengths, key: RowKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        del state
        steps, rows, features = x.shape
        count = -(-steps // size)
        x = jnp.pad(x, ((0, count * size - steps), (0, 0), (0, 0)))
        x = x.reshape(count, size, rows, features).swapaxes(0, 1).reshape(size, count * rows, features)
        starts = size * jnp.arange(count)[:, None]
        own_lengths = jnp.clip(lengths[None] - starts, 0, size).reshape(-1)
        own_keys = None if key is None else jnp.tile(key, count)
        y, _ = layer.apply(params, x, own_lengths, own_keys)
        y = y.reshape(size, count, rows, -1).swapaxes(0, 1).reshape(count * size, rows, -1)
        return y[:steps], ()

    return Layer(layer.init, apply)
