"""The Flax module: embedding, recurrent layers, pooling, dense head, and a linear part beside them."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.config import ModelConfig
from lstm_jax.layers import Layer, bidirectional, make_layer, segmented, stack
from lstm_jax.layers.dropout import feature_dropout, fold_in, word_dropout
from lstm_jax.models.wide import WideLinear
from lstm_jax.registry import POOLINGS
from lstm_jax.types import ExampleKeys, HostArray, Inputs, Key, Lengths, Logits, MatmulDtype, Outputs, Scalar, Tokens


class DropoutRates(NamedTuple):
    """Traced rates of the places named in ``DropoutConfig``."""

    words: Scalar
    embedding: Scalar
    layers: Scalar
    pooled: Scalar
    wide: Scalar


def matmul_dtype(config: ModelConfig) -> MatmulDtype:
    """What a config rounds the operands of its recurrent layers' products to."""
    return "bfloat16" if config.matmul_dtype == "bfloat16" else None


def recurrent_layers(config: ModelConfig, dropout: Scalar | float = 0.0) -> Layer:
    """The stack of recurrent layers that a config asks for."""

    def one(reverse: bool) -> Layer:
        return make_layer(
            config.layer,
            config.hidden_size,
            reverse=reverse,
            implementation=config.implementation,
            matmul_dtype=matmul_dtype(config),
        )

    layer = bidirectional(one(False), one(True)) if config.bidirectional else one(False)
    layers = stack([layer] * config.layers, dropout, config.residual, config.dropout_per_step)
    return segmented(layers, config.segment) if config.segment else layers


class Recurrent(nn.Module):
    """A stack of Layers as a Flax module: parameters from ``layer.init``, forward pass by ``layer.apply``."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: Inputs, lengths: Lengths, key: ExampleKeys | None, dropout: Scalar | float) -> Outputs:
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
      unknown: the id that dropped words become.
      vectors: ``[V, D]`` first values of the embedding; ``None``: normal with deviation 0.1. Where the
        config does not train the embedding, it lies in the collection ``frozen`` instead of ``params``.
      every_step: gives logits ``[T, B, C]`` of every step's outputs by themselves, whatever the pooling; a linear
        part adds those of the words so far.
    """

    config: ModelConfig
    vocabulary_size: int
    classes: int
    unknown: int = 1
    vectors: HostArray | None = None
    every_step: bool = False

    @nn.compact
    def __call__(
        self, tokens: Tokens, lengths: Lengths, key: ExampleKeys | None = None, rates: DropoutRates | None = None
    ) -> Logits:
        """Logits ``[B, C]``, or ``[T, B, C]`` with pooling ``every`` or ``every_step``; one sigmoid unit gives (0, z).

        Args:
          tokens: ``[T, B]``.
          lengths: ``[B]``.
          key: one key a row for dropout; without it the model is deterministic.
          rates: needed with ``key``.
        """
        config, dropout = self.config, self.config.dropout
        rates = rates if rates is not None else DropoutRates(*[jnp.zeros(())] * len(DropoutRates._fields))

        read = tokens
        if key is not None and dropout.words:
            read = word_dropout(fold_in(key, 0), tokens, rates.words, self.unknown)
        x = jnp.take(self.embedding(), read, axis=0)
        if key is not None and dropout.embedding:
            x = feature_dropout(fold_in(key, 1), x, rates.embedding)

        layers_key = None if key is None or not dropout.layers else fold_in(key, 2)
        y = Recurrent(config, name="layers")(x, lengths, layers_key, rates.layers)

        if config.pooling != "every":
            y = self.pooled(y, lengths)
        if key is not None and dropout.pooled:
            y = feature_dropout(fold_in(key, 3), y, rates.pooled)

        for n, width in enumerate(config.head):
            y = nn.relu(nn.Dense(width, name=f"head_{n}")(y))
        outputs = 1 if config.output == "sigmoid" else self.classes
        z = nn.Dense(outputs, name="output")(y)
        if config.wide:
            every_step = self.every_step or config.pooling == "every"
            wide = WideLinear(config.wide, self.vocabulary_size, outputs, self.unknown, every_step, name="wide")
            wide_key = None if key is None or not dropout.wide else fold_in(key, 4)
            z = z + wide(tokens, lengths, wide_key, rates.wide)
        return jnp.concatenate([jnp.zeros_like(z), z], axis=-1) if config.output == "sigmoid" else z

    def pooled(self, y: Outputs, lengths: Lengths) -> Float[Array, "*steps B P"]:
        """One vector a row, or of every step by itself."""
        backward = self.config.hidden_size if self.config.bidirectional else 0
        pool = POOLINGS[self.config.pooling]
        if not self.every_step:
            return pool(y, lengths, backward)
        steps, rows, features = y.shape
        alone = pool(y.reshape(1, steps * rows, features), jnp.ones(steps * rows, jnp.int32), backward)
        return alone.reshape(steps, rows, -1)

    def embedding(self) -> Float[Array, "V D"]:
        """The table ``[V, D]``, or with as many rows as the config asks for."""
        shape = (self.config.embedding_rows or self.vocabulary_size, self.config.embedding_size)

        def first(key: Key) -> Float[Array, "V D"]:
            return 0.1 * jax.random.normal(key, shape) if self.vectors is None else jnp.asarray(self.vectors)

        if self.config.train_embedding:
            return self.param("embedding", first)
        return self.variable("frozen", "embedding", lambda: first(self.make_rng("params"))).value
