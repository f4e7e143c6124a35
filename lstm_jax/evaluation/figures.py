"""A trained run looked at again: test figures, single reviews, predictions."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tokenizers import Tokenizer

from lstm_jax.config import Config, DataConfig, VectorsConfig, leaves
from lstm_jax.data import corpus
from lstm_jax.data.batching import FlatCorpus, bucket_lengths, evaluation_plan
from lstm_jax.data.tokenizer import encode, pretokenize, read_tokenizer, unknown_id
from lstm_jax.data.word_counts import BASELINES, baseline_accuracy, class_frequencies
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import write_text
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.reports import calibration, plots
from lstm_jax.reports.tables import Figures
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.experiment import TrainState, experiment
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.lanes import Program, make_mesh
from lstm_jax.training.workdir import read_config, read_lanes, write_json
from lstm_jax.types import Params

TINY = 1e-30  # the least probability whose logarithm is taken


class Trained(NamedTuple):
    """The best weights of a run, ready to be applied."""

    config: Config
    model: TextClassifier
    variables: Params  # of the module: params and frozen, with a leading axis L
    tokenizer: Tokenizer
    classes: tuple[str, ...]
    lanes: int  # L
    step: int  # at which the weights were best; the last such step of several lanes
    workdir: Path


def load(workdir: Path, config: Config) -> Trained:
    """The best weights of the run in a workdir.

    Raises:
      UserError: there is no such run, or nothing of it can be read.
    """
    trained_with = {path: value for path, _, value in leaves(read_config(workdir))}
    for path, _, value in leaves(config):
        if not path.startswith(("data.", "train.")) and value != trained_with[path]:
            raise ConfigError(
                f"config.{path} is {value!r}, but the run in {workdir} was trained with {trained_with[path]!r}; "
                "for an evaluation only fields of config.data and config.train may change"
            )
    file = workdir / "data.json"
    if not file.exists():
        raise UserError(f"{workdir} holds no trained run; train first, with the same --workdir")
    classes = tuple(json.loads(file.read_text(encoding="utf-8"))["classes"])
    tokenizer = read_tokenizer(workdir / "tokenizer.json")
    model = TextClassifier(config.model, tokenizer.get_vocab_size(), len(classes), unknown_id(tokenizer))
    lanes = len(read_lanes(workdir, config))
    checkpoints = Checkpoints(workdir, read_only=True)
    best, notes = checkpoints.restore_best(shapes_of(model, lanes))
    checkpoints.finish()
    step = max(lane["best_step"] for lane in notes["lanes"])
    return Trained(config, model, best, tokenizer, classes, lanes, step, workdir)


def shapes_of(model: TextClassifier, lanes: int) -> Params:
    """Shapes of the module's variables for a stack of lanes, to restore them into."""
    variables = jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32))
    )
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    shapes = {"params": variables["params"], "frozen": variables.get("frozen", {})}
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((lanes, *leaf.shape), leaf.dtype, sharding=here), shapes)


def test(trained: Trained, corpora: corpus.Corpora, split: str) -> Figures:
    """Accuracy, loss and confusion on a part of the reviews; writes ``eval-SPLIT.json`` and pictures."""
    reviews = fitting(trained, corpora, split)
    by_lane, n = lane_probabilities(trained, reviews), len(reviews.labels)
    predicted = by_lane.mean(axis=0)
    confusion = np.zeros((len(trained.classes),) * 2, int)
    np.add.at(confusion, (reviews.labels, predicted.argmax(axis=1)), 1)
    bins = calibration.bins(predicted, reviews.labels)
    figures = Figures(
        accuracy=float(np.trace(confusion) / n),
        loss=float(-np.log(predicted[np.arange(n), reviews.labels].clip(TINY)).mean()),
        n=n,
        confusion=confusion.tolist(),
        calibration_error=calibration.expected_error(bins),
        lanes=np.mean(by_lane.argmax(axis=2) == reviews.labels, axis=1).tolist(),
        checkpoint_step=trained.step,
    )
    write_json(trained.workdir / f"eval-{split}.json", figures._asdict())
    plots.confusion(confusion, trained.classes, trained.workdir / "plots" / f"confusion-{split}.png")
    calibration.picture(bins, trained.workdir / "plots" / f"calibration-{split}.png")
    return figures


def fitting(trained: Trained, corpora: corpus.Corpora, split: str) -> FlatCorpus:
    """A part of the reviews, whose classes the model must know."""
    reviews: FlatCorpus = getattr(corpora, split)
    if reviews.labels.max(initial=0) >= len(trained.classes):
        raise UserError(
            f"the {split} reviews have {reviews.labels.max() + 1} classes, the model has {len(trained.classes)}; "
            "evaluate with the --config.data.classes of the training"
        )
    return reviews


def probabilities(trained: Trained, reviews: FlatCorpus) -> np.ndarray:
    """Class probabilities ``[N, C]`` of any reviews, in their order; the mean over the lanes."""
    return lane_probabilities(trained, reviews).mean(axis=0)


def lane_probabilities(trained: Trained, reviews: FlatCorpus) -> np.ndarray:
    """Class probabilities ``[L, N, C]`` by each lane of any reviews, in their order."""
    config, mesh = trained.config.train, mesh_of(trained)
    program, state = program_of(trained, mesh)
    feed = make_feed(reviews, mesh)
    buckets = bucket_lengths(corpus.lengths(reviews), config.buckets)
    result = np.zeros((trained.lanes, len(reviews.labels), len(trained.classes)))
    for call in evaluation_plan(corpus.lengths(reviews), buckets, config.batch_size, config.steps_per_call):
        arguments = feed_arguments(feed, call.reviews, call.length, config.steps_per_call)
        rows = np.asarray(program.predict(state, *arguments, call.length), np.float64)
        real = call.reviews >= 0
        result[:, call.reviews[real]] = rows[:, : len(call.reviews)][:, real]
    return result


def classify(trained: Trained, texts: list[str]) -> np.ndarray:
    """Class probabilities ``[N, C]`` of reviews given as text."""
    return probabilities(trained, corpus_of(trained, texts))


def write_predictions(trained: Trained, reviews: FlatCorpus, path: Path) -> None:
    """One JSON object a review: its number, label, predicted class and the probability of each class."""
    predicted = probabilities(trained, reviews)
    lines = (
        json.dumps(
            {"review": n, "label": int(label), "predicted": int(p.argmax()), "probabilities": p.round(6).tolist()}
        )
        for n, (label, p) in enumerate(zip(reviews.labels, predicted, strict=True))
    )
    write_text(path, "\n".join(lines) + "\n")


def baselines(corpora: corpus.Corpora, split: str) -> dict[str, float]:
    """Accuracies of the counting baselines on a part of the reviews, fit on the training reviews."""
    words, classes, reviews = corpora.tokenizer.get_vocab_size(), corpora.classes, getattr(corpora, split)
    return {name: baseline_accuracy(fit(corpora.train, words, classes), reviews) for name, fit in BASELINES.items()}


def leaking_baseline(config: DataConfig, split: str) -> dict[str, float]:
    """The accuracy of the naive method of Glos (2021) as published, on a part of the reviews.

    All words of all reviews are counted, those it is evaluated on included, so that their labels leak into it.
    """
    every_word = dataclasses.replace(
        config.tokens,
        vocabulary_size=2**31 - 1,
        min_count=1,
        max_length=2**31 - 1,
        remove_unknown=False,
        pad_left=False,
    )
    counted = VectorsConfig("class_frequency", fit_on="all")
    corpora = corpus.prepare(dataclasses.replace(config, tokens=every_word, vectors=counted))
    words, reviews = corpora.tokenizer.get_vocab_size(), getattr(corpora, split)
    scores = class_frequencies(corpus.join([*corpora[:3]]), words, corpora.classes)
    return {"class frequencies, counted on these too": baseline_accuracy(scores, reviews)}


def corpus_of(trained: Trained, texts: list[str]) -> FlatCorpus:
    """Reviews given as text, as the network reads them."""
    config = trained.config.data.tokens
    ids = encode(trained.tokenizer, pretokenize(texts, config))
    return corpus.shaped(corpus.from_ids(ids), config, unknown_id(trained.tokenizer))


def mesh_of(trained: Trained) -> jax.sharding.Mesh:
    """The mesh that a run's lanes are evaluated on."""
    return make_mesh(trained.lanes, trained.config.train.batch_size, trained.config.train.devices)


def program_of(trained: Trained, mesh: jax.sharding.Mesh) -> tuple[Program, TrainState]:
    """The compiled functions, and a state of all lanes that holds the best weights and nothing to train with."""
    lanes = trained.lanes
    state = TrainState(
        step=jnp.zeros(lanes, jnp.int32),
        seed=jnp.zeros(lanes, jnp.uint32),
        hparams={},
        params=trained.variables["params"],
        frozen=trained.variables["frozen"],
        average=(),
        opt_state=(),
        finite=jnp.ones(lanes, bool),
    )
    over_lanes = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lane"))
    run = experiment(trained.config, trained.model, total_steps=1, data_axis="data")
    return Program(run, mesh, trained.config.train.lane_map), jax.device_put(state, over_lanes)
