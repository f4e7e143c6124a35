"""The Flax module: embedding, recurrent layers, pooling, dense head."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from lstm_jax.cells import CELLS
from lstm_jax.config import ModelConfig
from lstm_jax.dropout import feature_dropout, fold_in, word_dropout
from lstm_jax.layers import Layer, bidirectional, segmented, stack, unrolled
from lstm_jax.pooling import POOLINGS
from lstm_jax.text.tokens import UNKNOWN
from lstm_jax.types import HostArray, Lengths, Logits, Outputs, RowKeys, Scalar, Sequence, Tokens


class DropoutRates(NamedTuple):
    """Traced rates of the places named in ``DropoutConfig``."""

    words: Scalar
    embedding: Scalar
    layers: Scalar
    pooled: Scalar


def recurrent_layers(config: ModelConfig, dropout: Scalar | float = 0.0) -> Layer:
    """The stack of recurrent layers that a config asks for."""
    cell = CELLS[config.cell](config.hidden_size)
    layer = unrolled(cell)
    if config.bidirectional:
        layer = bidirectional(layer, unrolled(cell, reverse=True))
    layers = stack([layer] * config.layers, dropout, config.residual)
    return segmented(layers, config.segment) if config.segment else layers


class Recurrent(nn.Module):
    """A stack of Layers as a Flax module: parameters from ``layer.init``, forward pass by ``layer.apply``."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: Sequence, lengths: Lengths, key: RowKeys | None, dropout: Scalar | float) -> Outputs:
        layer = recurrent_layers(self.config, dropout)
        params = self.param("cells", lambda init_key: layer.init(init_key, x.shape[-1]))
        y, _ = layer.apply(params, x, lengths, key)
        return y


class TextClassifier(nn.Module):
    """Reviews as token ids to logits.

    Attributes:
      config: widths and kinds of the parts.
      vocabulary_size: V.
      classes: C.
      vectors: ``[V, D]`` first values of the embedding; ``None``: normal with deviation 0.1. Where the
        config does not train the embedding, it lies in the collection ``frozen`` instead of ``params``.
    """

    config: ModelConfig
    vocabulary_size: int
    classes: int
    vectors: HostArray | None = None

    @nn.compact
    def __call__(
        self, tokens: Tokens, lengths: Lengths, key: RowKeys | None = None, rates: DropoutRates | None = None
    ) -> Logits:
        """Logits ``[B, C]``, or ``[T, B, C]`` with pooling ``every``; a single sigmoid unit gives (0, z).

        Args:
          tokens: ``[T, B]``.
          lengths: ``[B]``.
          key: one key a row for dropout; without it the model is deterministic.
          rates: needed with ``key``.
        """
        config, dropout = self.config, self.config.dropout
        rates = rates if rates is not None else DropoutRates(*[jnp.zeros(())] * 4)

        if key is not None and dropout.words:
            tokens = word_dropout(fold_in(key, 0), tokens, rates.words, UNKNOWN)
        x = jnp.take(self.embedding(), tokens, axis=0)
        if key is not None and dropout.embedding:
            x = feature_dropout(fold_in(key, 1), x, rates.embedding)

        layers_key = None if key is None or not dropout.layers else fold_in(key, 2)
        y = Recurrent(config, name="layers")(x, lengths, layers_key, rates.layers)

        if config.pooling != "every":
            backward = config.hidden_size if config.bidirectional else 0
            y = POOLINGS[config.pooling](y, lengths, backward)
        if key is not None and dropout.pooled:
            y = feature_dropout(fold_in(key, 3), y, rates.pooled)

        for n, width in enumerate(config.head):
            y = nn.relu(nn.Dense(width, name=f"head_{n}")(y))
        z = nn.Dense(1 if config.output == "sigmoid" else self.classes, name="output")(y)
        return jnp.concatenate([jnp.zeros_like(z), z], axis=-1) if config.output == "sigmoid" else z

    def embedding(self) -> jax.Array:
        """The table ``[V, D]``."""
        shape = (self.vocabulary_size, self.config.embedding_size)

        def first(key: Any) -> jax.Array:
            return 0.1 * jax.random.normal(key, shape) if self.vectors is None else jnp.asarray(self.vectors)

        if self.config.train_embedding:
            return self.param("embedding", first)
        return self.variable("frozen", "embedding", lambda: first(self.make_rng("params"))).value
