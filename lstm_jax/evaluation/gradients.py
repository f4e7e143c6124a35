"""How much an example's loss depends on each of its tokens, by the token's distance from the end.

Plain recurrent networks multiply a gradient by about the same matrix at every step, so it vanishes or explodes over
distance (Bengio, Simard & Frasconi 1994). Gates let it pass (Hochreiter & Schmidhuber 1997); clipping bounds what
explodes (Pascanu, Mikolov & Bengio 2013), and cannot bring back what has vanished.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from lstm_jax import config as configs
from lstm_jax.config import Config, validate
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.batching import EMPTY, Batch, FlatCorpus, bucket_lengths, gather
from lstm_jax.errors import UserError
from lstm_jax.models.classifier import Network, TextClassifier
from lstm_jax.objectives.classification import cross_entropy
from lstm_jax.registry import CELLS, LAYERS
from lstm_jax.reports.gradients import GradientCurve, draw_gradients, gradient_table, gradients_csv
from lstm_jax.stages import stage
from lstm_jax.training import run
from lstm_jax.training.experiment import first_weights, network_params
from lstm_jax.training.network import classifier
from lstm_jax.training.restore import Trained
from lstm_jax.training.workdir import read_lanes
from lstm_jax.types import HostArray, Params, Scalar

MOST_EXAMPLES = 256  # The number of examples that a curve is a mean over.
SHOWN_FROM = 10  # The number of examples from which on a distance is drawn.
DRAWN_CLIP = 1.0  # The norm at which gradients are clipped in the picture of a config that does not clip.
# Factors on the recurrent weights with which the gradients of plain networks explode instead of vanishing.
EXPLODING = {"rnn_tanh": 2.0, "rnn_relu": 1.1}


def token_gradients(network: Network, params: Params, batch: Batch) -> Float[Array, "T B"]:
    """The norm of the gradient of each example's own loss with respect to each embedded token; 0 in padding."""

    def total(x: Float[Array, "T B D"]) -> Scalar:
        y, _ = network.encode(params, x, batch)
        losses, _ = cross_entropy(network.classify(params, y, batch), batch.lengths, batch.labels)
        return jnp.sum(losses * batch.weights)  # No example affects another's loss.

    gradient = jax.grad(total)(network.embed(params, batch))
    largest = jnp.max(jnp.abs(gradient), axis=-1, keepdims=True)
    scaled = gradient / jnp.where(largest > 0, largest, 1.0)  # The squares of tiny numbers would be 0.
    return largest[..., 0] * jnp.sqrt(jnp.sum(scaled**2, axis=-1))


def weight_gradient(network: Network, params: Params, batch: Batch) -> Scalar:
    """The norm of the gradient of a batch's mean loss with respect to all trained weights, which clipping looks at."""

    def loss(trained: Params) -> Scalar:
        own = {**params, "params": trained}
        losses, _ = cross_entropy(network.logits(own, batch), batch.lengths, batch.labels)
        return jnp.sum(losses * batch.weights) / jnp.maximum(jnp.sum(batch.weights), 1.0)

    return optax.tree.norm(jax.grad(loss)(params["params"]))


def by_distance(values: Float[np.ndarray, "T N"], lengths: HostArray) -> Float[np.ndarray, "T N"]:
    """Values by distance from each example's last token, which has distance 0; NaN beyond its first token."""
    distance = np.arange(len(values))[:, None]
    found = np.take_along_axis(values, np.maximum(lengths[None] - 1 - distance, 0), axis=0)
    return np.where(distance < lengths[None], found, np.nan)


def gradient_curve(
    label: str, model: TextClassifier, params: Params, examples: FlatCorpus, batch_size: int, clip_norm: float
) -> GradientCurve:
    """The curve of one network.

    Args:
      label: What the network is called.
      model: The network.
      params: Its variables, ``params`` and ``frozen``.
      examples: The examples.
      batch_size: Number of examples of a batch, whose gradient is clipped as a whole.
      clip_norm: The norm above which a batch's gradient is scaled down to it.
    """
    counts, network = flat_corpus.lengths(examples), Network(model)
    (length,) = bucket_lengths(counts, 1)
    numbers = np.full(-(-len(counts) // batch_size) * batch_size, EMPTY)
    numbers[: len(counts)] = np.arange(len(counts))
    batches = gather(examples, numbers.reshape(-1, batch_size), length)
    of_batch = lambda batch: (token_gradients(network, params, batch), weight_gradient(network, params, batch))
    norms, totals = jax.jit(partial(jax.lax.map, of_batch))(jax.tree.map(jnp.asarray, batches))
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.minimum(1.0, clip_norm / np.asarray(totals, np.float64))
    norms = np.asarray(norms, np.float64)
    columns = [np.concatenate(list(each), axis=1)[:, : len(counts)] for each in (norms, norms * factors[:, None, None])]
    plain, clipped = (by_distance(each, counts) for each in columns)
    kept = np.sum(~np.isnan(plain), axis=1) >= min(SHOWN_FROM, len(counts))
    plain, clipped = plain[kept], clipped[kept]
    return GradientCurve(
        label=label,
        mean=np.nanmean(plain, axis=1),
        median=np.nanmedian(plain, axis=1),
        clipped=_mean_if_any(clipped),
        total=float(np.median(totals)),
        factor=float(np.median(factors)),
    )


def _mean_if_any(values: HostArray) -> HostArray:
    """The mean of each row's numbers; NaN without any, as at distances where every batch's gradient has overflowed."""
    counts = np.sum(~np.isnan(values), axis=1)
    return np.where(counts > 0, np.nansum(values, axis=1) / np.maximum(counts, 1), np.nan)


def run_gradients(trained: Trained, split: str) -> tuple[str, Path]:
    """Draws the gradients of a run's initial and trained weights; returns what to print and the picture.

    Raises:
      UserError: The run's data have changed since its training.
    """
    config = trained.config
    corpora = corpus.prepare(config.data, quiet=True)
    if corpora.tokenizer.to_str() != trained.tokenizer.to_str():
        raise UserError(
            f"the data have changed since the run in {trained.workdir} began, so its initial weights cannot be made "
            "again; restore the data"
        )
    lanes = read_lanes(trained.workdir, config)
    first = run.first_checkpoint(run.assemble(config, corpora, lanes).program, config, lanes, corpora).state
    weights = {"initial weights": {"params": first.params, "frozen": first.frozen}}
    weights[f"trained weights, step {trained.step:,}"] = trained.variables
    model = classifier(config, corpora)
    cases = {
        label: (model, _network_variables(jax.tree.map(lambda leaf: leaf[0], variables)))
        for label, variables in weights.items()
    }
    pooling = "" if config.model.pooling == "last" else f", pooling {config.model.pooling}"
    pooling += ", both directions" if config.model.bidirectional else ""
    lane = ", first lane" if len(lanes) > 1 else ""
    title = f"{trained.workdir.resolve().name}: {config.model.layer}{pooling}{lane}, {split} examples"
    curves = _curves(cases, getattr(corpora, split), config)
    return _written({title: curves}, config, trained.workdir / "plots" / f"gradients-{split}.png")


def config_gradients(config: Config, split: str, path: Path) -> tuple[str, Path]:
    """Draws the gradients of a config's network before training, with every kind of layer in turn.

    The last token's output alone is classified, one direction is read, and nothing restarts, so that a distance is the
    number of steps between a token and the output. The second panel shows plain networks whose recurrent weights are
    scaled up until gradients explode, and what clipping does to them.
    """
    corpora = corpus.prepare(config.data, quiet=True)
    model, cases = classifier(config, corpora), {}
    for kind in dict.fromkeys([*LAYERS, *CELLS]):
        own = model.clone(config=_with_layer(config, kind).model)
        with stage(f"making the weights of {kind}"):
            cases[kind] = own, _network_variables(first_weights(own, {}, jnp.uint32(config.seed)))
    exploding = {
        f"{kind} × {factor:g}": (cases[kind][0], _scaled(cases[kind][1], factor)) for kind, factor in EXPLODING.items()
    }
    examples = getattr(corpora, split)
    title = f"initial weights, {config.model.hidden_size} units, pooling last, {split} examples"
    panels = {
        title: _curves(cases, examples, config),
        "recurrent weights scaled up": _curves(exploding, examples, config),
    }
    return _written(panels, config, path)


def _with_layer(config: Config, kind: str) -> Config:
    """A config whose layers are of another kind, read forwards, and whose last output is classified."""
    own = configs.from_json(configs.to_json(config))
    if kind != config.model.layer:
        for path in ("implementation", "matmul_dtype", "layer_options"):
            configs.set_field(own, f"model.{path}", getattr(Config().model, path))
    own.model.layer, own.model.pooling = kind, "last"
    own.model.bidirectional, own.model.segment = False, 0
    return validate(own, trains=False)


def _network_variables(variables: Mapping[str, Any]) -> Params:
    return {"params": network_params(variables["params"]), "frozen": variables.get("frozen", {})}


def _scaled(variables: Params, factor: float) -> Params:
    """Variables of a plain recurrent network with its recurrent weights times ``factor``."""
    layers = variables["params"]["layers"]
    cells = tuple(own._replace(recurrent_kernel=factor * own.recurrent_kernel) for own in layers["cells"])
    return {**variables, "params": {**variables["params"], "layers": {**layers, "cells": cells}}}


def _curves(
    cases: Mapping[str, tuple[TextClassifier, Params]], examples: FlatCorpus, config: Config
) -> list[GradientCurve]:
    count = len(examples.labels)
    rows = np.sort(np.random.default_rng(0).choice(count, min(count, MOST_EXAMPLES), replace=False))
    chosen, size = flat_corpus.take(examples, rows), min(config.train.batch_size, len(rows))
    found = []
    for label, (model, params) in cases.items():
        with stage(f"computing the gradients of {label}"):
            found.append(gradient_curve(label, model, params, chosen, size, _clip_norm(config)))
    return found


def _clip_norm(config: Config) -> float:
    return config.optimizer.clip_norm or DRAWN_CLIP


def _written(panels: dict[str, list[GradientCurve]], config: Config, path: Path) -> tuple[str, Path]:
    whether = "" if config.optimizer.clip_norm else "; the config does not clip"
    clipping = f"clipping at {_clip_norm(config):g}{whether}"
    draw_gradients(panels, clipping, path)
    gradients_csv(panels, path.with_suffix(".csv"))
    return gradient_table([curve for curves in panels.values() for curve in curves], clipping), path
