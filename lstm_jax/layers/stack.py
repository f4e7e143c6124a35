"""Layers on top of each other."""

from collections.abc import Sequence

import jax

from lstm_jax.layers.base import Layer, check_inputs, output_size
from lstm_jax.layers.dropout import feature_dropout, fold_in
from lstm_jax.types import ExampleKeys, Inputs, Key, Lengths, Outputs, Params, Scalar, State


def stack(
    layers: Sequence[Layer], dropout: Scalar | float = 0.0, residual: bool = False, dropout_per_step: bool = False
) -> Layer:
    """Feeds each layer's outputs to the next. Parameters and states are tuples with one entry for each layer.

    Args:
      layers: The layers from the embedding upwards.
      dropout: The dropout rate between layers, which may be traced. It acts when ``apply`` is given a key.
      residual: Whether to add a layer's input to its output, from the second layer on (He et al. 2016).
      dropout_per_step: Whether to draw a mask for every step, as cuDNN and PyTorch do, instead of one for the whole
        sequence.
    """

    def init(key: Key, input_size: int) -> Params:
        params = []
        for layer, layer_key in zip(layers, jax.random.split(key, len(layers)), strict=True):
            params.append(layer.init(layer_key, input_size))
            input_size = output_size(layer, params[-1], input_size)
        return tuple(params)

    def apply(
        params: Params, x: Inputs, lengths: Lengths, key: ExampleKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        check_inputs(x, lengths)
        drops = not isinstance(dropout, int | float) or dropout > 0  # A traced rate may be anything.
        states = state if state is not None else (None,) * len(layers)
        ends = []
        for n, layer in enumerate(layers):
            layer_key = None if key is None else fold_in(key, 2 * n)
            if n > 0 and key is not None and drops:
                x = feature_dropout(fold_in(key, 2 * n + 1), x, dropout, per_step=dropout_per_step)
            y, end = layer.apply(params[n], x, lengths, layer_key, states[n])
            x = x + y if residual and n > 0 else y
            ends.append(end)
        return x, tuple(ends)

    return Layer(init, apply)
