"""What a study trains: a trial is a task's config with changes, a seed and a stage, known by its content."""

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
from lstm_jax.studies.search import LEARNING_RATE
from lstm_jax.training.workdir import Lane

Changes = tuple[tuple[str, Any], ...]  # dotted paths of a config's fields, and their values


class StudyStage(NamedTuple):
    """What a trial is for, and so what happens after its training."""

    name: str
    tests: bool = False  # the best weights are evaluated on the test split
    by_epoch: bool = False  # the weights kept of every epoch are evaluated on the training and the test split
    keeps_weights: bool = False


SEARCH = StudyStage("search")
HELD_OUT = StudyStage("held_out", tests=True)
GRID = StudyStage("grid", by_epoch=True, keeps_weights=True)
SYSTEM = StudyStage("system", tests=True, keeps_weights=True)


class Trial(NamedTuple):
    """One training run of a study: a lane."""

    task: str  # the label of a config
    name: str  # The folder's name, shared by trials that may be lanes of one program; no part of its content.
    changes: Changes  # Changes to the task's config.
    seed: int
    stage: StudyStage


def config_of(task: Config, changes: Changes, seed: int) -> Config:
    """The config under which ``train.py`` makes a run of a task, validated.

    Raises:
      ConfigError: there is no such field, or it cannot have that value.
    """
    config = configs.from_json(configs.to_json(task))
    config.seed = seed
    for path, value in changes:
        configs.check_path(f"config.{path}")
        configs.change(config, path, value)
    return validate(config)


def lane_of(config: Config, trial: Trial) -> Lane:
    """A trial as a lane beside others of the same program, which has this config."""
    traced = configs.hparams(config)
    return Lane(trial.seed, {path: float(value) for path, value in trial.changes if path in traced})


def alike(planned: list[Trial], task: Config) -> list[list[Trial]]:
    """Trials divided into those that may share a program: with equal static fields, leaving the same parts out."""
    groups: dict[Any, list[Trial]] = {}
    for trial in planned:
        config = config_of(task, trial.changes, trial.seed)
        traced = configs.hparams(config)
        static = tuple(change for change in trial.changes if change[0] not in traced)
        left_out = tuple(configs.is_off(config, path, value) for path, value in traced.items())
        groups.setdefault((trial.name, static, left_out), []).append(trial)
    return list(groups.values())


def key(config: Config, trial: Trial, fingerprint: str) -> str:
    """A digest of all that tells runs apart: definition, hyper-parameters, seed, stage, data, the optimizer's code.

    Where the data lie and how the run is computed make no difference. The stage does: a run of the search was
    never tested.

    Args:
      config: ``config_of`` the trial.
      trial: the trial.
      fingerprint: of the data; see ``fingerprint``.
    """
    hparams = sorted(configs.hparams(config).items())
    code = optimizers.identity(config.optimizer.name)
    return digest(trial_definition(config), hparams, trial.seed, trial.stage.name, fingerprint, code)


def fingerprint(config: Config, corpora: Corpora) -> str:
    """A digest of all that runs read: the splits, the vocabulary, files of word vectors, weights to begin with."""
    content = hashlib.sha256(corpora.tokenizer.to_str().encode())
    read = [config.data.vectors.path] if config.data.vectors.source == "file" else []
    read += [str(Path(config.model.init_from) / "summary.json")] if config.model.init_from else []
    for file in filter(os.path.exists, read):
        with open(file, "rb") as opened:
            content.update(hashlib.file_digest(opened, "sha256").digest())
    for split in (corpora.train, corpora.validation, corpora.test, corpora.whole):
        for array in split or ():
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]


def path_of(name: str) -> str:
    """The dotted path of a hyper-parameter of a search space: the optimizer's by its name, others by their path."""
    if "." in name:
        return name
    return f"optimizer.{name}" if name == LEARNING_RATE else f"optimizer.hparams.{name}"


def searchable(config: Config) -> list[str]:
    """The names that a search space of the config's optimizer may hold."""
    own = (LEARNING_RATE, *configs.optimizer_hparams(config))
    return [*own, *(path for path in configs.hparams(config) if path.startswith(("model.", "objectives.")))]


def trial_definition(config: Config) -> list[tuple[str, Any]]:
    """What defines a run, its seed aside. Lanes of an ensemble are tested together, so its size counts."""
    return list(configs.definition(config, without=("seed",)).items())


def cost(config: Config) -> list[tuple[str, Any]]:
    """What decides how long a lane's step takes, nearly: the definition without optimizer, dropout and duration."""
    length = ("train.steps", "train.epochs", "train.validate_every", "train.keep_epochs")
    without = ("seed", "ensemble", "optimizer", "model.dropout", *length)
    return list(configs.definition(config, without).items())
