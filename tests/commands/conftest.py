"""Commands that run in this process, and a finished and an unfinished run for them."""

import importlib
import logging
import os
import shutil
import signal
import sys
import threading
from unittest import mock

import pytest
from absl import app, flags

from lstm_jax import cli, runtime
from lstm_jax.config import validate
from lstm_jax.training import run
from tests.commands.helpers import ROOT, TINY, Ended

MODULES = {"eval": "lstm_jax.commands.evaluate"}


@pytest.fixture(autouse=True, scope="session")
def help_flags():
    """The flags of --help, which can be defined only once per process."""
    app.define_help_flags()


@pytest.fixture(autouse=True)
def undone(monkeypatch):
    """Undoes after each test what ``cli.run_command`` changes for the whole process."""
    monkeypatch.setattr(runtime, "configure", lambda: None)  # tests/conftest.py has set the devices up
    for module, name in ((sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    root, ours = logging.getLogger(), logging.getLogger("lstm_jax")
    handlers, levels, on_sigterm = root.handlers[:], (root.level, ours.level), signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ):
        yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    signal.signal(signal.SIGTERM, on_sigterm)


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a command in this process, or ``cli.run_command`` with a main function of the test's own."""

    def call(name: str, *arguments: object, main=None) -> Ended:
        known = set(flags.FLAGS)
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        module = importlib.import_module(MODULES.get(name, f"lstm_jax.commands.{name}"))
        capsys.readouterr()
        console = getattr(module, f"{module.__name__.rpartition('.')[2]}_command")
        with pytest.raises(SystemExit) as ended:
            cli.run_command(module._define, main) if main else console()
        result = Ended(ended.value.code, *capsys.readouterr())
        for flag in set(flags.FLAGS) - known:
            delattr(flags.FLAGS, flag)
        flags.FLAGS.unparse_flags()
        return result

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run of the default config with the flags TINY; tests change copies of it."""
    config = importlib.import_module("lstm_jax.configs.default").get_config()
    for flag in TINY:
        path, _, value = flag.removeprefix("--config.").partition("=")
        group, _, name = path.partition(".")
        setattr(getattr(config, group), name, int(value))
    path = tmp_path_factory.mktemp("trained") / "run"
    run.train_lanes(validate(config), path)
    return path


@pytest.fixture
def unfinished(trained, tmp_path):
    """A copy of the run whose process ended after the last checkpoint, before it could write its summary."""
    path = shutil.copytree(trained, tmp_path / "run")
    (path / "summary.json").unlink()
    return path
