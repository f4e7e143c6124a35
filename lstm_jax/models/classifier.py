"""The text classifier as a Flax module: embedding, recurrent layers, pooling, dense head, linear part."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.config import ModelConfig
from lstm_jax.data.batching import Batch
from lstm_jax.data.ngrams import NgramTables
from lstm_jax.layers import Layer, bidirectional, make_layer, segmented, stack
from lstm_jax.layers.dropout import feature_dropout, fold_in, token_dropout
from lstm_jax.layers.pooling import Pooling
from lstm_jax.models.wide import WideLinear
from lstm_jax.registry import POOLINGS
from lstm_jax.types import (
    ExampleKeys,
    HostArray,
    Inputs,
    Key,
    Lengths,
    Logits,
    MatmulDtype,
    Outputs,
    Params,
    Scalar,
    State,
    Tokens,
)


class DropoutRates(NamedTuple):
    """Traced dropout rates, with the fields of ``DropoutConfig``."""

    tokens: Scalar
    embedding: Scalar
    layers: Scalar
    pooled: Scalar


def matmul_dtype(config: ModelConfig) -> MatmulDtype:
    """The type that the operands of the recurrent layers' products are rounded to."""
    return "bfloat16" if config.matmul_dtype == "bfloat16" else None


def directions(config: ModelConfig) -> dict[str, Layer]:
    """The recurrent layer that a config asks for, by the direction in which it reads: forward, perhaps backward."""
    return {
        direction: make_layer(
            config.layer,
            (direction == "backward" and config.hidden_size_backward) or config.hidden_size,
            reverse=direction == "backward",
            implementation=config.implementation,
            matmul_dtype=matmul_dtype(config),
            **config.layer_options,
        )
        for direction in (("forward", "backward") if config.bidirectional else ("forward",))
    }


def recurrent_layers(config: ModelConfig, dropout: Scalar | float = 0.0) -> Layer:
    """The stack of recurrent layers that a config asks for."""
    own = directions(config)
    layer = bidirectional(**own) if config.bidirectional else own["forward"]
    layers = stack([layer] * config.layers, dropout, config.residual, config.dropout_per_step)
    return segmented(layers, config.segment) if config.segment else layers


class Recurrent(nn.Module):
    """A stack of Layers as a Flax module: parameters from ``layer.init``, forward pass by ``layer.apply``."""

    config: ModelConfig

    @nn.compact
    def __call__(
        self,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None,
        dropout: Scalar | float,
        state: State | None = None,
    ) -> tuple[Outputs, State]:
        layer = recurrent_layers(self.config, dropout)
        params = self.param("cells", lambda init_key: layer.init(init_key, x.shape[-1]))
        return layer.apply(params, x, lengths, key, state)


class Pooled(nn.Module):
    """The config's pooling as a Flax module; one without weights has no entry among the parameters."""

    config: ModelConfig

    @nn.compact
    def __call__(self, y: Outputs, lengths: Lengths, shares: bool = False) -> Float[Array, "B P"] | Float[Array, "T B"]:
        """One vector for each example, or with ``shares`` how much each token counts, ``[T, B]``."""
        pooling: Pooling = POOLINGS[self.config.pooling]
        features = y.shape[-1]
        weights = jax.eval_shape(lambda key: pooling.init(key, features), jax.eval_shape(lambda: jax.random.key(0)))
        params: Params = ()
        if jax.tree.leaves(weights):
            params = self.param("weights", lambda key: pooling.init(key, features))
        if shares and pooling.shares is not None:
            return pooling.shares(params, y, lengths)
        sizes = self.config.hidden_size, self.config.hidden_size_backward or self.config.hidden_size
        backward = features * sizes[1] // sum(sizes) if self.config.bidirectional else 0
        pooled = pooling.apply(params, y, lengths, backward)
        if pooled.ndim != 2 or pooled.shape[0] != y.shape[1]:
            found = f"[B, P] with B = {y.shape[1]}; found {list(pooled.shape)}"
            raise TypeError(f"the pooling {self.config.pooling!r} must return {found}")
        return pooled


class TextClassifier(nn.Module):
    """From token ids to logits, in three parts: ``embed``, ``encode``, ``classify``.

    Attributes:
      config: The model's config.
      vocabulary_size: Size of the vocabulary, V.
      classes: Number of classes, C.
      unknown: Id of the unknown token, which replaces dropped tokens.
      vectors: Initial embedding ``[V, D]``; ``None`` draws normal values with the config's standard deviation. An
        embedding that is not trained is in the collection ``frozen`` instead of ``params``.
      every_step: Whether to return logits ``[T, B, C]``, each from the outputs of one step alone, whatever the pooling.
        A linear part then has the logits of the tokens so far.
      ngrams: Weights of the linear part, fitted before; ``None``: zeros.
    """

    config: ModelConfig
    vocabulary_size: int
    classes: int
    unknown: int = 1
    vectors: HostArray | None = None
    every_step: bool = False
    ngrams: NgramTables | None = None

    def setup(self) -> None:
        config = self.config
        self.table = self._embedding()
        self.layers = Recurrent(config)
        if config.pooling != "every":
            self.pooling = Pooled(config)
        self.head = [nn.Dense(width) for width in config.head]
        outputs = 1 if config.output == "sigmoid" else self.classes
        self.output = nn.Dense(outputs)
        if config.wide:
            every_step = self.every_step or config.pooling == "every"
            size, ngrams = self.vocabulary_size, self.ngrams
            self.wide = WideLinear(config.wide, size, outputs, self.unknown, ngrams, every_step)

    def __call__(
        self,
        tokens: Tokens,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        rates: DropoutRates | None = None,
        state: State | None = None,
    ) -> Logits:
        """Logits ``[B, C]``, or ``[T, B, C]`` with pooling ``every`` or ``every_step``; one sigmoid z gives (0, z).

        Args:
          tokens: Token ids, ``[T, B]``.
          lengths: Lengths of the examples, ``[B]``.
          key: One key for each example, for dropout; without it the model is deterministic.
          rates: Dropout rates, which dropout needs besides ``key``.
          state: The state that the layers start from; by default zeros.
        """
        y, _ = self.encode(self.embed(tokens, key, rates), lengths, key, rates, state)
        return self.classify(y, tokens, lengths, key, rates)

    def embed(self, tokens: Tokens, key: ExampleKeys | None = None, rates: DropoutRates | None = None) -> Inputs:
        """The embedded tokens ``[T, B, D]``, after dropout of tokens and features."""
        drops, rate = self._dropout("tokens", 0, key, rates)
        if drops is not None:
            tokens = token_dropout(drops, tokens, rate, self.unknown)
        x = jnp.take(self.table, tokens, axis=0)
        drops, rate = self._dropout("embedding", 1, key, rates)
        return x if drops is None else feature_dropout(drops, x, rate)

    def encode(
        self,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        rates: DropoutRates | None = None,
        state: State | None = None,
    ) -> tuple[Outputs, State]:
        """The layers' outputs ``[T, B, H]`` for embedded tokens, and their final state.

        ``state`` is the final state of an earlier part of the same sequences; without it the layers start from zeros.
        """
        # A layer may use its keys without dropout between layers.
        keys = None if key is None or rates is None else fold_in(key, 2)
        rate = rates.layers if rates is not None and self.config.dropout.layers else 0.0
        return self.layers(x, lengths, keys, rate, state)

    def classify(
        self,
        y: Outputs,
        tokens: Tokens,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        rates: DropoutRates | None = None,
    ) -> Logits:
        """Logits from the layers' outputs; the linear part reads ``tokens`` itself.

        With a linear part they are the mean of the network's logits and its own. In training, which gives ``rates``,
        they are the network's alone: the fitted weights explain every training example, and would leave the network
        nothing to learn.
        """
        pooled = y if self.config.pooling == "every" else self._pooled(y, lengths)
        drops, rate = self._dropout("pooled", 3, key, rates)
        if drops is not None:
            pooled = feature_dropout(drops, pooled, rate)
        for dense in self.head:
            pooled = nn.relu(dense(pooled))
        z = self.output(pooled)
        if self.config.wide and rates is None:
            z = (z + self.wide(tokens, lengths)) / 2
        return jnp.concatenate([jnp.zeros_like(z), z], axis=-1) if self.config.output == "sigmoid" else z

    def token_shares(self, tokens: Tokens, lengths: Lengths) -> Float[Array, "T B"] | None:
        """How much each token counts in the pooling, without dropout; ``None`` if the pooling has no such shares."""
        if self.config.pooling == "every" or POOLINGS[self.config.pooling].shares is None:
            return None
        y, _ = self.encode(self.embed(tokens), lengths)
        return self.pooling(y, lengths, shares=True)

    def linear_part(self, tokens: Tokens, lengths: Lengths) -> Float[Array, "T B C"]:
        """What each token adds to the logits through the linear part; 0 if there is none."""
        if not self.config.wide:
            return jnp.zeros((*tokens.shape, self.classes))
        z = self.wide.by_token(tokens, lengths) / 2
        return jnp.concatenate([jnp.zeros_like(z), z], axis=-1) if self.config.output == "sigmoid" else z

    def _dropout(
        self, place: str, use: int, key: ExampleKeys | None, rates: DropoutRates | None
    ) -> tuple[ExampleKeys | None, Scalar | float]:
        """Keys and rate of the dropout at one place; the keys are ``None`` if there is no dropout."""
        if key is None or rates is None or not getattr(self.config.dropout, place):
            return None, 0.0
        return fold_in(key, use), getattr(rates, place)

    def _pooled(self, y: Outputs, lengths: Lengths) -> Float[Array, "*steps B P"]:
        """One vector for each example, or for every step by itself."""
        if not self.every_step:
            return self.pooling(y, lengths)
        steps, examples, features = y.shape
        alone = self.pooling(y.reshape(1, steps * examples, features), jnp.ones(steps * examples, jnp.int32))
        return alone.reshape(steps, examples, -1)

    def _embedding(self) -> Float[Array, "V D"]:
        """The embedding table ``[V, D]``, or with ``config.embedding_rows`` rows."""
        shape = (self.config.embedding_rows or self.vocabulary_size, self.config.embedding_size)

        def first(key: Key) -> Float[Array, "V D"]:
            if self.vectors is not None:
                return jnp.asarray(self.vectors)
            return self.config.embedding_std * jax.random.normal(key, shape)

        if self.config.train_embedding:
            return self.param("embedding", first)
        return self.variable("frozen", "embedding", lambda: first(self.make_rng("params"))).value


class Network(NamedTuple):
    """A TextClassifier as pure functions of its variables and of batches, for objectives.

    ``params`` is a tree with the collections ``params`` and ``frozen``. ``keys`` holds one key for each example;
    without keys there is no dropout. The layers start from ``start``; by default from zeros.
    """

    module: TextClassifier
    rates: DropoutRates | None = None
    start: State | None = None

    def logits(self, params: Params, batch: Batch, keys: ExampleKeys | None = None) -> Logits:
        """The logits of a batch."""
        return self._apply(None, params, batch.tokens, batch.lengths, keys, self.rates, self.start)

    def embed(self, params: Params, batch: Batch, keys: ExampleKeys | None = None) -> Inputs:
        """The embedded tokens ``[T, B, D]`` of a batch."""
        return self._apply("embed", params, batch.tokens, keys, self.rates)

    def encode(
        self, params: Params, x: Inputs, batch: Batch, keys: ExampleKeys | None = None, state: State | None = None
    ) -> tuple[Outputs, State]:
        """The layers' outputs and final state for embedded tokens, from a state; by default from ``start``."""
        return self._apply("encode", params, x, batch.lengths, keys, self.rates, self.start if state is None else state)

    def classify(self, params: Params, y: Outputs, batch: Batch, keys: ExampleKeys | None = None) -> Logits:
        """The logits from the layers' outputs."""
        return self._apply("classify", params, y, batch.tokens, batch.lengths, keys, self.rates)

    def linear_part(self, params: Params, batch: Batch) -> Float[Array, "T B C"]:
        """What each token adds to the logits through the linear part."""
        return self._apply("linear_part", params, batch.tokens, batch.lengths)

    def table(self, params: Params) -> Float[Array, "V D"]:
        """The embedding table."""
        return {**params["frozen"], **params["params"]}["embedding"]

    def _apply(self, method: str | None, params: Mapping[str, Any], *arguments: Any) -> Any:
        variables = {"params": params["params"], "frozen": params["frozen"]}
        return self.module.apply(variables, *arguments, method=method)
