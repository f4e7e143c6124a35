"""A Layer as a module of Flax NNX. Nothing else of this project uses NNX."""

from typing import Any

import jax
from flax import nnx

from lstm_jax.layers.base import Layer, checked
from lstm_jax.layers.make import make_layer
from lstm_jax.types import ExampleKeys, Inputs, Lengths, Outputs, State


class LayerModule(nnx.Module):
    """Parameters from ``layer.init``, each an ``nnx.Param``, and a forward pass by ``layer.apply``.

    Attributes:
      params: The parameters, in the layer's own structure.
    """

    def __init__(
        self,
        layer: str | Layer,
        in_features: int,
        hidden_features: int | None = None,
        *,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        """Makes the layer and its parameters.

        Args:
          layer: The registered name of a layer or cell, or a Layer, such as a ``stack`` of bidirectional ones.
          in_features: The number of input features, D.
          hidden_features: With a name: the number of hidden units, H.
          rngs: The stream ``params`` gives the key of the parameters.
          **options: With a name: options of ``make_layer``, such as ``reverse=True``.

        Raises:
          TypeError: ``hidden_features`` is missing beside a name, or given beside a Layer, as are options.
          ConfigError: The name is unknown, or an option has a value that the layer does not have.
        """
        if isinstance(layer, str) and hidden_features is not None:
            self._layer = make_layer(layer, hidden_features, **options)
        elif isinstance(layer, Layer) and hidden_features is None and not options:
            self._layer = checked(layer)
        else:
            raise TypeError(
                "LayerModule takes a name with hidden_features and options, such as LayerModule('lstm', 32, 64, "
                "rngs=rngs), or a Layer without them"
            )
        self.params = nnx.data(jax.tree.map(nnx.Param, self._layer.init(rngs.params(), in_features)))

    def __call__(
        self, x: Inputs, lengths: Lengths, key: ExampleKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        """Outputs ``[T, B, H]`` and final state.

        Args:
          x: The inputs, ``[T, B, D]``: time first.
          lengths: The examples' lengths, ``[B]``. Padding never affects a result.
          key: One key for each example, for dropout: ``jax.random.split(rngs.dropout(), B)``. Without it there is none.
          state: The final state of an earlier part of the same sequences; without it the layer starts from zeros.

        Raises:
          ValueError: A shape is wrong. The message names the layout and the shapes found.
          TypeError: The lengths are not integers.
        """
        values = jax.tree.map(lambda param: param[...], self.params, is_leaf=lambda leaf: isinstance(leaf, nnx.Param))
        return self._layer.apply(values, x, lengths, key, state)
