"""A run small enough to be trained many times."""

from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from lstm_jax import config as configs
from lstm_jax.config import Config, validate
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.training.experiment import TrainState, experiment
from lstm_jax.training.lanes import Program, make_mesh
from lstm_jax.training.logging import read_metrics

WORDS, CLASSES, BATCH, STEPS = 20, 2, 8, 30


def tiny_config(**changes) -> Config:
    """The config of a run on 200 embedded reviews. Changes are given by dotted path with ``__`` for the dots."""
    config = Config()
    config.data.reviews = 260
    config.data.validation_fraction = 0.2
    config.model.hidden_size = config.model.embedding_size = 8
    config.model.dropout.embedding = 0.2
    config.optimizer.learning_rate = 5e-3
    config.train.epochs = 2
    config.train.batch_size = 16
    config.train.buckets = 2
    config.train.steps_per_call = 3
    config.train.log_every = 4
    for path, value in changes.items():
        *groups, name = path.split("__")
        owner = config
        for group in groups:
            owner = getattr(owner, group)
        setattr(owner, name, value)
    return validate(config)


def toy_corpus(reviews: int = 40, seed: int = 0) -> FlatCorpus:
    """Random reviews of 1–12 words whose label is whether word 2 occurs more often than word 3."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 13, reviews)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    tokens = rng.integers(2, WORDS, offsets[-1]).astype(np.int32)
    labels = [int(np.sum(tokens[a:b] == 2) > np.sum(tokens[a:b] == 3)) for a, b in zip(offsets, offsets[1:])]  # noqa: B905, RUF007
    return FlatCorpus(tokens, offsets, np.array(labels, np.int32))


def tiny_program(config: Config, lanes: int = 1, devices: int = 1) -> Program:
    """The compiled functions for lanes of a config on toy examples."""
    model = TextClassifier(config.model, WORDS, CLASSES)
    return Program(experiment(config, model, STEPS, data_axis="data"), make_mesh(lanes, BATCH, devices))


def begun(program: Program, seeds, hparams) -> TrainState:
    """The state of lanes at step 0, with new weights."""
    return program.begin(np.array(seeds), hparams, program.weights(np.array(seeds)))


def stacked(*lanes: dict[str, float]) -> dict[str, np.ndarray]:
    """Hyper-parameters of several lanes as leaves ``[L]``."""
    return {path: np.array([lane[path] for lane in lanes], np.float32) for path in lanes[0]}


def hparams(config: Config, **changes: float) -> dict[str, float]:
    """The config's hyper-parameters with changes, by dotted path with ``__`` for the dots."""
    return configs.hparams(config) | {path.replace("__", "."): value for path, value in changes.items()}


def timeless(workdir: Path) -> list[dict]:
    """The rows of a run's ``metrics.jsonl`` without durations."""
    rows = read_metrics(workdir / "metrics.jsonl")
    durations = ("seconds", "tokens_per_second", "examples_per_second")
    return [{k: v for k, v in row.items() if k not in durations} for row in rows]


def weights(workdir):
    """Every array of the newest checkpoint."""
    folder = max((workdir / "checkpoints").iterdir(), key=lambda path: int(path.name))
    leaves = []
    with ocp.PyTreeCheckpointer() as reader:
        for item in ("state", "best"):
            tree = reader.metadata(folder / item).item_metadata.tree
            as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
            leaves += jax.tree.leaves(reader.restore(folder / item, restore_args=as_numpy))
    return leaves


def assert_same_run(one, other):
    assert timeless(one) == timeless(other)
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)
