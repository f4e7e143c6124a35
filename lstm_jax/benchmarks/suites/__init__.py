"""The suites of ``bench.py``.

Each module here, such as ``epoch``, serves one or more suites. ``define_epoch`` defines its flags once a suite is
chosen. ``run_epoch(place, command, **flags)`` takes their values, measures, writes its files into the folder ``place``
and returns the text to print. A module that serves several suites also takes their names, as ``suites``.
"""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from lstm_jax import runtime
from lstm_jax.errors import ConfigError


class Suite(NamedTuple):
    """An entry of ``SUITES``."""

    module: str  # Name of a module of this package.
    help: str
    configured: bool = True  # Whether this process sets up its devices. Its workers inherit the XLA flags set by it.


SUITES = {
    "systems": Suite("layers", "LSTM layers of the published systems", configured=False),
    "ragged": Suite("layers", "the same layers, on examples of different lengths", configured=False),
    "deepbench": Suite("layers", "LSTM layers of DeepBench's sizes", configured=False),
    "lanes": Suite("lanes", "many runs at once, compared with one run after another"),
    "epoch": Suite("epoch", "an epoch of two systems, compared with PyTorch"),
    "tune": Suite("tune", "the fastest LSTM at each size; rewrites the table of model.implementation=auto"),
    "parallel": Suite("parallel", "layers that are parallel over time, compared with the LSTM as sequences grow"),
    "text": Suite("text", "preparing a generated file of reviews: reading and tokenising"),
    "scaling": Suite("scaling", "time and memory as T, B, H, layers, lanes and reviews grow"),
    "start": Suite("start", "time from starting a training run to its first step"),
}


def define_suites(command: str) -> None:
    """Defines ``--suite``, ``--workdir``, and the flags of the suite that the command line names.

    Args:
      command: The module whose ``--help`` shows the flags.

    Raises:
      ConfigError: There is no such suite, or the suites cannot be measured together.
    """
    names = _chosen()
    listed = "".join(f"\n{name}: {suite.help}." for name, suite in SUITES.items())
    together = ",".join(name for name, suite in SUITES.items() if suite.module == "layers")
    help_text = f"What to measure. --help --suite=NAME shows its flags. {together} may be given together."
    flags.DEFINE_list("suite", None, help_text + ("" if names else listed), required=True)
    flags.DEFINE_string("workdir", None, "Folder for results and generated files.", required=True)
    if names:
        _function("define", names)()
    for name in ("suite", "workdir", *_own_flags(names)):
        flags.FLAGS.register_key_flag_for_module(command, flags.FLAGS[name])


def run_suites() -> None:
    """Measures the suite and prints its tables."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several processes share a GPU
    names, place = flags.FLAGS.suite, Path(flags.FLAGS.workdir)
    if SUITES[names[0]].configured:
        runtime.configure()
    values: dict[str, Any] = {name: flags.FLAGS[name].value for name in _own_flags(names)}
    given = " ".join(flags.FLAGS[name].serialize() for name in values)
    command = " ".join(f"{runtime.command_name('bench')} --suite={','.join(names)} {given} --workdir=W".split())
    if sum(suite.module == SUITES[names[0]].module for suite in SUITES.values()) > 1:
        values["suites"] = names
    place.mkdir(parents=True, exist_ok=True)
    print(_function("run", names)(place, command, **values))


def _chosen() -> list[str]:
    """The suites that the command line names; their flags are not defined yet."""
    finder = flags.FlagValues()
    flags.DEFINE_list("suite", [], "", flag_values=finder)
    finder(sys.argv, known_only=True)
    names: list[str] = finder["suite"].value or []
    for name in names:
        if name not in SUITES:
            raise ConfigError(f"there is no suite {name!r}; there are {', '.join(SUITES)}")
    if len({SUITES[name].module for name in names}) > 1:
        raise ConfigError(f"the suites {', '.join(names)} cannot be measured together; give one of them")
    return names


def _module(names: list[str]) -> Any:
    return importlib.import_module(f"{__name__}.{SUITES[names[0]].module}")


def _function(name: str, names: list[str]) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(_module(names), f"{name}_{SUITES[names[0]].module}")
    return found


def _own_flags(names: list[str]) -> list[str]:
    """The flags that the module of the suites has defined."""
    if not names:
        return []
    return [flag.name for flag in flags.FLAGS.get_flags_for_module(_module(names).__name__)]
