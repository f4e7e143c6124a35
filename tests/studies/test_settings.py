"""How fields and values are written: labels, texts, flags that train.py reads back, names of files."""

import shlex
import sys

import numpy as np
import pytest
from absl import flags

from lstm_jax import cli
from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.studies.settings import file_name, flags_of, labels_of, plain_value, written


def test_labels_tell_fields_apart():
    paths = ("model.layers", "model.dropout.layers", "optimizer.name", "optimizer.hparams.b1", "model.hidden_size")
    labels = ["layers", "dropout.layers", "optimizer.name", "b1", "hidden size"]
    assert list(labels_of(paths).values()) == labels
    own = ("optimizer.hparams.batch_size", "train.batch_size")
    assert labels_of(own) == dict(zip(own, own, strict=True)), "whole paths where the ends are equal"
    assert labels_of(("objectives.adversarial.weight",)) == {"objectives.adversarial.weight": "adversarial.weight"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e38, "1e+38"), (0.01, "0.01"), (1.0, "1"), (1 / 3, repr(1 / 3)), (True, "True"), ("", '""'), ((8,), "(8,)")],
)
def test_values_are_written_exactly(value, text):
    assert written(value) == text


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("optimizer.learning_rate", 1, 1.0),
        ("optimizer.hparams.b1", 0, 0.0),
        ("objectives.adversarial.weight", 1, 1.0),
        ("optimizer.learning_rate", np.float32(0.5), 0.5),
        ("model.hidden_size", np.int64(3), 3),
        ("model.head", [8, 4], (8, 4)),
        ("model.bidirectional", True, True),
        ("optimizer.learning_rate", True, True),  # The config refuses it.
    ],
)
def test_values_have_the_type_of_their_field(path, value, wanted):
    found = plain_value(path, value)
    assert (found, type(found)) == (wanted, type(wanted))


SETTING = (
    ("model.head", (8, 4)),
    ("model.bidirectional", True),
    ("model.layer", "gru"),
    ("optimizer.learning_rate", 1e-05),
    ("optimizer.hparams.b1", 0.95),
    ("objectives.adversarial.weight", 0.5),
    ("data.path", "my reviews, '24/$x.csv"),
)


def test_flags_set_the_fields(monkeypatch):
    known = set(flags.FLAGS)
    arguments = shlex.split(flags_of(SETTING))
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    try:
        cli.define_config("configs/default.py")
        flags.FLAGS([cli._with_tuple(argument) for argument in sys.argv])
        config = flags.FLAGS.config
        assert isinstance(config, Config)
        found = {path: value for path, _, value in configs.leaves(config)}
        assert {path: found[path] for path, _ in SETTING} == dict(SETTING)
    finally:
        for name in set(flags.FLAGS) - known:
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()


def test_names_of_files_are_short_and_differ():
    assert file_name("loss-0.05") == "loss-0.05"
    texts = ["a/b", "a_b", "a\nb", "..", "x" * 400, "x" * 401, "é" * 200, "é" * 201, "😀", "(8,)", "(8, 4)"]
    names = [file_name(text) for text in texts]
    assert len(set(names)) == len(names)
    assert all(len(name.encode()) < 200 and not set(name) & set("/\n") for name in names)
    assert file_name("..") not in (".", "..")
