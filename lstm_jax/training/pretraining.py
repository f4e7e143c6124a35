"""First values of the embedding and the first layer from a language model of unlabelled text (Dai & Le 2015).

The layer reads reviews and foretells each word from those before it; a backward direction, each word from those
behind it. The softmax over the vocabulary is sampled (Jean et al. 2015): the true word competes with words drawn
by a log-uniform law, which fits ids that are ordered by frequency. Its weights are the embedding's own (Press &
Wolf 2017).
"""

import io
import logging
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from tqdm import tqdm

from lstm_jax.config import Config
from lstm_jax.devices import cache_dir
from lstm_jax.dropout import feature_dropout
from lstm_jax.files import code_digest, digest, write_bytes
from lstm_jax.layers import bptt, unroll
from lstm_jax.models import recurrent_layers
from lstm_jax.text.batches import Batch, FlatCorpus, bucket_lengths, epoch_plan, steps_per_epoch
from lstm_jax.text.corpus import content_digest, cut, lengths
from lstm_jax.training.experiment import Experiment, TrainState
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.lanes import Program
from lstm_jax.training.metrics import Metrics
from lstm_jax.types import HostArray, Params, RowKeys, Scalar

log = logging.getLogger(__name__)

RATE = 2e-3
CLIP = 1.0
DROPOUT = 0.2  # of the embedding's features


class Pretrained(NamedTuple):
    """What the classifier begins with."""

    embedding: HostArray  # [V, D]
    layer: Params  # of the first layer


def learn(config: Config, corpus: FlatCorpus, vectors: HostArray, mesh: Mesh) -> Pretrained:
    """Trains the language model, or reads what the same training gave before.

    Args:
      config: of the classifier; its first layer is trained, with ``data.vectors.epochs`` and ``samples``.
      corpus: whole reviews; their labels are not looked at.
      vectors: ``[V, D]`` to begin with.
      mesh: of one lane.
    """
    asked = config.data.vectors
    own = code_digest(sys.modules[__name__], bptt, unroll)
    parts = config.model, asked, config.data.tokens.max_length, config.data.tokens.cut, config.seed, own
    key = digest(*parts, content_digest(corpus), vectors.sum(dtype=np.float64))
    path = cache_dir() / "pretrained" / f"{key}.npz"
    first = recurrent_layers(config.model, only_first=True).init(jax.random.key(config.seed), vectors.shape[1])
    shapes, structure = jax.tree.flatten(first)
    if not path.exists():
        found = _train(config, cut(corpus, config.data.tokens.max_length, config.data.tokens.cut), vectors, mesh)
        written = io.BytesIO()
        np.savez(written, found.embedding, *jax.tree.leaves(found.layer))
        write_bytes(path, written.getvalue())
    with np.load(path, allow_pickle=False) as arrays:
        embedding, *leaves = (arrays[f"arr_{n}"] for n in range(len(shapes) + 1))
    return Pretrained(embedding, jax.tree.unflatten(structure, leaves))


def _train(config: Config, corpus: FlatCorpus, vectors: HostArray, mesh: Mesh) -> Pretrained:
    settings, epochs = config.train, config.data.vectors.epochs
    total = epochs * steps_per_epoch(len(corpus.labels), settings.batch_size)
    program = Program(language_model(config, vectors, total, "data"), mesh)
    state, feed = program.init(np.array([config.seed]), {}), make_feed(corpus, mesh)
    buckets = bucket_lengths(lengths(corpus), settings.buckets)
    flying: Any = None
    loss, words = 0.0, 0.0
    with tqdm(total=total, unit="step", desc="language model", dynamic_ncols=True, disable=None) as bar:
        for epoch in range(epochs):
            loss, words = 0.0, 0.0
            for call in epoch_plan(
                lengths(corpus), buckets, settings.batch_size, settings.steps_per_call, config.seed, epoch
            ):
                arguments = feed_arguments(feed, call.reviews[None], call.length, settings.steps_per_call)
                state, metrics = program.train(state, *arguments, len(call.reviews), call.length)
                if flying is not None:  # the one before, while this one runs
                    loss, words = loss + float(np.sum(flying.loss)), words + float(np.sum(flying.tokens))
                flying = metrics
                bar.update(len(call.reviews))
            log.info("language model: %.3f nats a word in epoch %d of %d", loss / max(words, 1), epoch + 1, epochs)
    params = jax.tree.map(lambda leaf: np.asarray(leaf[0]), state.params)
    return Pretrained(params["embedding"], params["layer"])


def language_model(config: Config, vectors: HostArray, total_steps: int, data_axis: str | None = None) -> Experiment:
    """The language model as an Experiment that is only trained; its metrics' loss is summed over words."""
    directions = 2 if config.model.bidirectional else 1
    layer = recurrent_layers(config.model, only_first=True)
    samples, count = config.data.vectors.samples, len(vectors)
    schedule = optax.cosine_onecycle_schedule(max(total_steps, 2), RATE, pct_start=0.1)
    optimizer = optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(schedule))

    def total(tree: Any) -> Any:
        return jax.lax.psum(tree, data_axis) if data_axis else tree

    def init(seed: Scalar, hparams: dict) -> TrainState:
        layer_key, projection_key = jax.random.split(jax.random.key(seed))
        glorot, size = jax.nn.initializers.glorot_uniform(), vectors.shape[1]
        params = {
            "embedding": jnp.asarray(vectors),
            "layer": layer.init(layer_key, size),
            "projections": glorot(projection_key, (directions, config.model.hidden_size, size)),
            "biases": jnp.zeros((directions, count)),
        }
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            seed=jnp.asarray(seed, jnp.uint32),
            hparams=hparams,
            params=params,
            frozen={},
            average=(),
            opt_state=optimizer.init(params),
            finite=jnp.ones((), bool),
        )

    def summed_loss(params: Params, batch: Batch, keys: RowKeys, drawn: jax.Array) -> Scalar:
        x = feature_dropout(keys, jnp.take(params["embedding"], batch.tokens, axis=0), DROPOUT)
        y, _ = layer.apply(params["layer"], x, batch.lengths)
        loss = jnp.zeros(())
        for n, own in enumerate(jnp.split(y, directions, axis=-1)):
            given, foretold = (slice(None, -1), slice(1, None)) if n == 0 else (slice(1, None), slice(None, -1))
            there = jnp.arange(1, len(x))[:, None] < batch.lengths[None]
            state = own[given] @ params["projections"][n]
            losses = sampled_softmax(state, batch.tokens[foretold], params["embedding"], params["biases"][n], drawn)
            loss += jnp.sum(jnp.where(there, losses, 0.0)) / directions
        return loss

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(state.seed), state.step)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, batch.reviews)
        drawn = log_uniform(jax.random.fold_in(key, 0), samples, count)
        words = total(jnp.sum(jnp.maximum(batch.lengths - 1, 0)))
        loss, gradient = total(jax.value_and_grad(summed_loss)(state.params, batch, keys, drawn))
        gradient = jax.tree.map(lambda leaf: leaf / jnp.maximum(words, 1), gradient)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        nothing = jnp.zeros((), jnp.int32)
        return state._replace(
            step=state.step + 1, params=optax.apply_updates(state.params, updates), opt_state=opt_state
        ), Metrics(loss, nothing, nothing, words)

    def no_use(*_: Any) -> Any:
        raise NotImplementedError("a language model is only trained")

    return Experiment(init, step, no_use, no_use)


def log_uniform(key: jax.Array, count: int, below: int) -> jax.Array:
    """``count`` ids below ``below``, with probability log((n + 2) / (n + 1)) / log(below + 1) of the id n."""
    return jnp.minimum(jnp.expm1(jax.random.uniform(key, (count,)) * jnp.log1p(below)).astype(jnp.int32), below - 1)


def sampled_softmax(
    state: jax.Array, target: jax.Array, embedding: jax.Array, bias: jax.Array, drawn: jax.Array
) -> jax.Array:
    """Cross-entropies ``[T, B]`` of the true words against the drawn ones.

    Args:
      state: ``[T, B, D]``.
      target: ``[T, B]`` ids of the true words.
      embedding: ``[V, D]``.
      bias: ``[V]``.
      drawn: ``[S]`` ids by ``log_uniform``; one that equals the true word does not compete.
    """

    def corrected(ids: jax.Array) -> jax.Array:
        # The logarithm of how often an id is drawn on average, up to a constant.
        return bias[ids] - jnp.log(jnp.log1p(1.0 / (ids + 1.0)))

    true = jnp.sum(state * embedding[target], axis=-1) + corrected(target)
    others = state @ embedding[drawn].T + corrected(drawn)[None, None]
    others = jnp.where(target[:, :, None] == drawn[None, None], -jnp.inf, others)
    return jax.nn.logsumexp(jnp.concatenate([true[:, :, None], others], axis=-1), axis=-1) - true
