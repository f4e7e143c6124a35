"""Trials, the training runs of a study: a task's config with changes, a seed and a stage, identified by content."""

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax import config as configs
from lstm_jax import optimizers
from lstm_jax.config import Config, validate
from lstm_jax.data.corpus import Corpora
from lstm_jax.files import digest
from lstm_jax.identity import identity_of
from lstm_jax.registry import OPTIMIZERS, SOURCES, TRACKERS, VECTORS
from lstm_jax.studies.search import LEARNING_RATE
from lstm_jax.training.workdir import Lane

Changes = tuple[tuple[str, Any], ...]  # Dotted paths of a config's fields, and their values.


class StudyStage(NamedTuple):
    """The purpose of a trial, which decides what happens after its training."""

    name: str
    tests: bool = False  # Whether the best weights are evaluated on the test split.
    by_epoch: bool = False  # Whether the weights kept after every epoch are evaluated on the training and test splits.
    keeps_weights: bool = False  # Whether checkpoints are kept.
    by_length: bool = False  # Whether the best weights are evaluated on test examples of each length.


SEARCH = StudyStage("search")
HELD_OUT = StudyStage("held_out", tests=True)
GRID = StudyStage("grid", tests=True)
GRID_BY_EPOCH = GRID._replace(by_epoch=True, keeps_weights=True)
SWITCH = StudyStage("switch")
SYSTEM = StudyStage("system", tests=True, keeps_weights=True)
MEMORY = StudyStage("memory", by_length=True)


class Trial(NamedTuple):
    """One training run of a study: a lane."""

    task: str  # The label of a task.
    name: str  # The folder's name, shared by trials that may be lanes of one program. It is not part of the key.
    changes: Changes  # Changes to the task's config.
    seed: int
    stage: StudyStage


def config_of(task: Config, changes: Changes, seed: int) -> Config:
    """The validated config with which ``train.py`` would make a run of a task.

    Raises:
      ConfigError: A field does not exist or cannot have its value.
    """
    config = configs.from_json(configs.to_json(task))
    config.seed = seed
    for path, value in sorted(changes, key=lambda change: change[0]):  # The order in which they are given says nothing.
        configs.check_path(f"config.{path}")
        configs.set_field(config, path, value)
    return validate(config)


def lane_of(config: Config, trial: Trial) -> Lane:
    """A trial as a lane of a program with this config."""
    traced = configs.hparams(config)
    return Lane(trial.seed, {path: float(value) for path, value in trial.changes if path in traced})


def group_by_program(planned: list[Trial], task: Config) -> list[list[Trial]]:
    """Groups trials that can share a program: their static fields are equal, and they leave out the same parts."""
    groups: dict[Any, list[Trial]] = {}
    for trial in planned:
        config = config_of(task, trial.changes, trial.seed)
        traced = configs.hparams(config)
        static = tuple(change for change in trial.changes if change[0] not in traced)
        left_out = tuple(configs.is_off(config, path, value) for path, value in traced.items())
        groups.setdefault((trial.name, static, left_out), []).append(trial)
    return list(groups.values())


def key(config: Config, trial: Trial, fingerprint: str) -> str:
    """A digest of all that distinguishes runs: definition, hyper-parameters, seed, stage, data and code.

    The code is that of the optimizer and all of the user's own, except a data source, whose examples are in the
    fingerprint.
    The location of the data and the way in which the run is computed do not count. The stage does, because runs of the
    search are not tested.

    Args:
      config: The config of the trial, from ``config_of``.
      trial: The trial.
      fingerprint: The fingerprint of its data, from ``fingerprint``.
    """
    hparams = sorted(configs.hparams(config).items())
    own = [(kind, name) for kind, name in configs.own_entries(config) if kind not in (OPTIMIZERS, SOURCES, TRACKERS)]
    code = [optimizers.identity(config.optimizer.name), *(identity_of(kind[name]) for kind, name in own)]
    return digest(trial_definition(config), hparams, trial.seed, trial.stage.name, fingerprint, *code)


def fingerprint(config: Config, corpora: Corpora) -> str:
    """A digest of all data that runs read: splits, vocabulary, file of word vectors, weights of ``init_from``."""
    content = hashlib.sha256(corpora.tokenizer.to_str().encode())
    read = [config.data.vectors.path] if VECTORS[config.data.vectors.source].reads_file else []
    if given := config.model.init_from:
        beside = str(Path(given).with_name("tokenizer.json"))
        read += [given, beside] if os.path.isfile(given) else [f"{given}/summary.json"]
    for file in filter(os.path.isfile, read):
        with open(file, "rb") as opened:
            content.update(hashlib.file_digest(opened, "sha256").digest())
    for split in (corpora.train, corpora.validation, corpora.test, corpora.whole):
        for array in filter(lambda each: each is not None, split or ()):
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]


def path_of(name: str) -> str:
    """The dotted path of an entry of a search space. Optimizer hyper-parameters have plain names, others have paths."""
    if "." in name:
        return name
    return f"optimizer.{name}" if name == LEARNING_RATE else f"optimizer.hparams.{name}"


def searchable(config: Config) -> list[str]:
    """The names that a search space of the config's optimizer may hold: those of all traced fields."""
    own = (LEARNING_RATE, *configs.optimizer_hparams(config))
    traced = [path for path, field, _ in configs.leaves(config) if field.metadata["kind"] == "traced"]
    others = dict.fromkeys(path for path in (*traced, *configs.hparams(config)) if path not in map(path_of, own))
    return [*own, *others]


def trial_definition(config: Config) -> list[tuple[str, Any]]:
    """The fields that define a run, without the seed. An ensemble is tested as a whole, so its size counts."""
    return list(configs.canonical(config, without=("seed",)).items())


def cost_key(config: Config) -> list[tuple[str, Any]]:
    """The fields that decide approximately how long a step of a lane takes: no optimizer, dropout or duration."""
    length = ("train.steps", "train.epochs", "train.validate_every", "train.keep_epochs")
    without = ("seed", "ensemble", "optimizer", "model.dropout", *length)
    return list(configs.definition(config, without).items())
