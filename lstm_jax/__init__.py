"""Recurrent text classifiers in JAX, as pure functions.

This is the public door: ``Config`` and ``train``, ``load``. Code of your own is registered by ``cells.register``,
``layers.register``, ``objectives.register``, ``optimizers.register``, ``sources.register`` and ``vectors.register`` of
the packages of these names; see docs/extending.md.
"""

import time

STARTED = time.perf_counter()  # Approximate start of the process, for reporting the time to the first step.

__version__ = "0.2.0"

from pathlib import Path  # noqa: E402 - the clock above comes first
from typing import Any  # noqa: E402

from lstm_jax.config import Config, validate  # noqa: E402

__all__ = ["Config", "load", "train"]


def train(config: Config, workdir: str | Path) -> dict[str, Any]:
    """Trains the run of a config in a folder, or goes on with it, and returns its summary.

    JAX's devices are set up as the command ``train.py`` does, if JAX has not been used before.

    Args:
      config: The config; it is validated and frozen.
      workdir: Folder of the run, made if need be.

    Raises:
      UserError: The config, the data, the folder or the disk is at fault, or the run diverged.
    """
    from lstm_jax import runtime

    runtime.configure()
    from lstm_jax.training import run

    summary = run.train_lanes(validate(config), workdir)
    run.check_finished(summary, workdir)
    return summary


def load(workdir: str | Path) -> Any:
    """The trained model of a run: ``load(workdir).predict(texts)``.

    Raises:
      UserError: There is no such run, or nothing of it can be read.
    """
    from lstm_jax import runtime

    runtime.configure()
    from lstm_jax.evaluation.model import Model

    return Model(Path(workdir))
