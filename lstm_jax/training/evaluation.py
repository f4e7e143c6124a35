"""A trained run looked at again: test figures, single reviews, predictions."""

import json
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tokenizers import Tokenizer

from lstm_jax import counting
from lstm_jax.config import Config, leaves
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.models import TextClassifier
from lstm_jax.reports import gates, plots
from lstm_jax.text import corpus, tokens
from lstm_jax.text.batches import FlatCorpus, bucket_lengths, evaluation_plan
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.experiment import TrainState, experiment
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.lanes import Program, make_mesh
from lstm_jax.training.loop import evaluate
from lstm_jax.training.workdir import read_config, write_json, write_text
from lstm_jax.types import Params


class Trained(NamedTuple):
    """The best weights of a run, ready to be applied."""

    config: Config
    model: TextClassifier
    variables: Params  # of the module: params and frozen
    tokenizer: Tokenizer
    classes: tuple[str, ...]
    step: int  # at which the weights were best
    workdir: Path


class Figures(NamedTuple):
    """What an evaluation found."""

    accuracy: float
    loss: float  # nats a review
    n: int  # reviews
    confusion: list[list[int]]  # [C, C], true class by row
    checkpoint_step: int


def load(workdir: Path, config: Config) -> Trained:
    """The best weights of the run in a workdir.

    Raises:
      UserError: there is no such run, or nothing of it can be read.
    """
    trained_with = {path: value for path, _, value in leaves(read_config(workdir))}
    for path, _, value in leaves(config):
        if path.startswith("model.") and value != trained_with[path]:
            raise ConfigError(
                f"config.{path} is {value!r}, but the run in {workdir} was trained with {trained_with[path]!r}; "
                "for an evaluation only fields of config.data and config.train may change"
            )
    file = workdir / "data.json"
    if not file.exists():
        raise UserError(f"{workdir} holds no trained run; train first, with the same --workdir")
    classes = tuple(json.loads(file.read_text(encoding="utf-8"))["classes"])
    tokenizer = tokens.read(workdir / "tokenizer.json")
    model = TextClassifier(config.model, tokenizer.get_vocab_size(), len(classes))
    best, notes = Checkpoints(workdir).restore_best(_shapes(model))
    variables = jax.tree.map(lambda leaf: leaf[0], best)  # the only lane
    return Trained(config, model, variables, tokenizer, classes, notes["lanes"][0]["best_step"], workdir)


def _shapes(model: TextClassifier) -> Params:
    """Shapes of the module's variables for a single lane, to restore them into."""
    variables = jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32))
    )
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    shapes = {"params": variables["params"], "frozen": variables.get("frozen", {})}
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype, sharding=here), shapes)


def test(trained: Trained, corpora: corpus.Corpora, split: str) -> Figures:
    """Accuracy, loss and confusion on a part of the reviews; writes ``eval-SPLIT.json`` and a picture."""
    reviews = getattr(corpora, split)
    if reviews.labels.max(initial=0) >= len(trained.classes):
        raise UserError(
            f"the {split} reviews have {reviews.labels.max() + 1} classes, the model has {len(trained.classes)}; "
            "evaluate with the --config.data.classes of the training"
        )
    lanes, state = _program(trained)
    feed = make_feed(reviews, _mesh(trained))
    buckets = bucket_lengths(corpus.lengths(reviews), trained.config.train.buckets)
    sums = evaluate(lanes, feed, buckets, trained.config.train, state)
    n = int(sums.reviews[0])
    figures = Figures(
        accuracy=float(sums.correct[0] / n),
        loss=float(sums.loss[0] / n),
        n=n,
        confusion=sums.confusion[0].astype(int).tolist(),
        checkpoint_step=trained.step,
    )
    write_json(trained.workdir / f"eval-{split}.json", figures._asdict())
    plots.confusion(
        np.asarray(sums.confusion[0]), trained.classes, trained.workdir / "plots" / f"confusion-{split}.png"
    )
    return figures


def probabilities(trained: Trained, reviews: FlatCorpus) -> np.ndarray:
    """Class probabilities ``[N, C]`` of any reviews, in their order."""
    config = trained.config.train
    lanes, state = _program(trained)
    mesh = _mesh(trained)
    feed = make_feed(reviews, mesh)
    buckets = bucket_lengths(corpus.lengths(reviews), config.buckets)
    result = np.zeros((len(reviews.labels), len(trained.classes)))
    for call in evaluation_plan(corpus.lengths(reviews), buckets, config.batch_size, 1):
        arguments = feed_arguments(feed, call.reviews, call.length, 1)
        real = call.reviews[0] >= 0
        rows = np.asarray(lanes.predict(state, *arguments, call.length))[0, 0]
        result[call.reviews[0][real]] = rows[real]
    return result


def classify(trained: Trained, texts: list[str]) -> np.ndarray:
    """Class probabilities ``[N, C]`` of reviews given as text."""
    return probabilities(trained, _corpus(trained, texts))


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
    """Accuracies of the counting baselines, fit on the training reviews, on the same reviews."""
    words = corpora.tokenizer.get_vocab_size()
    return {
        name: counting.accuracy(fit(corpora.train, words, corpora.classes), getattr(corpora, split))
        for name, fit in counting.METHODS.items()
    }


def explain(trained: Trained, text: str) -> Path:
    """Draws the gates and the cell state of the first layer over the words of a review, into ``plots``.

    Raises:
      UserError: the network is of another kind than LSTM.
    """
    if trained.config.model.cell != "lstm":
        raise UserError(f"--explain draws the gates of an LSTM; this run's cell is {trained.config.model.cell!r}")
    review = _corpus(trained, [text])
    table = trained.variables["params" if trained.config.model.train_embedding else "frozen"]["embedding"]
    first_layer = trained.variables["params"]["layers"]["cells"][0]
    forward = first_layer.forward if trained.config.model.bidirectional else first_layer
    inside = gates.look_inside(forward, table[review.tokens])
    words = [str(trained.tokenizer.id_to_token(int(token))) for token in review.tokens]
    parts = [review.tokens[: n + 1].tolist() for n in range(len(words))]
    verdict = probabilities(trained, corpus.from_ids(parts))[:, -1]
    path = trained.workdir / "plots" / "explain.png"
    gates.picture(inside, words, verdict, trained.classes[-1], path)
    return path


def _corpus(trained: Trained, texts: list[str]) -> FlatCorpus:
    config = trained.config.data.tokens
    return corpus.cut(corpus.from_ids(tokens.encode(trained.tokenizer, texts)), config.max_length, config.cut)


def _mesh(trained: Trained) -> jax.sharding.Mesh:
    return make_mesh(1, trained.config.train.batch_size, trained.config.train.devices)


def _program(trained: Trained) -> tuple[Program, TrainState]:
    """The compiled functions, and a state of one lane that holds the best weights and nothing to train with."""
    state = TrainState(
        step=jnp.zeros(1, jnp.int32),
        seed=jnp.zeros(1, jnp.uint32),
        hparams={},
        params=jax.tree.map(lambda leaf: leaf[None], trained.variables["params"]),
        frozen=jax.tree.map(lambda leaf: leaf[None], trained.variables["frozen"]),
        average=(),
        opt_state=(),
        finite=jnp.ones(1, bool),
    )
    mesh = _mesh(trained)
    lanes = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lane"))
    run = experiment(trained.config, trained.model, total_steps=1, data_axis="data")
    return Program(run, mesh), jax.device_put(state, lanes)
