"""Recurrent text classifiers in JAX, as pure functions.

The public API is ``Config``, ``train`` and ``load``. To register your own code, call ``register`` of
``lstm_jax.cells``, ``layers``, ``layers.pooling``, ``objectives``, ``optimizers``, ``data.sources`` or
``data.vectors``; see docs/extending.md.
"""

import os
import time

STARTED = time.perf_counter()  # Approximate start of the process, for reporting the time to the first step.

# jaxlib reads this when it is imported. By default it logs the features of the processor for each cached program.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.2.0"

from pathlib import Path  # noqa: E402 - the clock above comes first
from typing import TYPE_CHECKING, Any  # noqa: E402

from lstm_jax.config import Config, validate  # noqa: E402

if TYPE_CHECKING:
    from lstm_jax.evaluation.model import Model

__all__ = ["Config", "load", "train"]


def train(config: Config, workdir: str | Path) -> dict[str, Any]:
    """Trains a config in a folder, or resumes the run there, and returns the run's summary.

    If JAX has not been used yet, its devices are configured as in ``train.py``.

    Args:
      config: The config. It is validated and frozen.
      workdir: Folder of the run. It is created if it does not exist.

    Returns:
      The content of ``summary.json``; see docs/workdirs.md.

    Raises:
      UserError: The config or the data are invalid, the folder or the disk cannot be used, or the run diverged.
    """
    from lstm_jax import runtime

    runtime.configure()
    from lstm_jax.training import run

    summary = run.train_lanes(validate(config), workdir)
    run.raise_if_diverged(summary, workdir)
    return summary


def load(workdir: str | Path, plugins: tuple[str, ...] = (), trust_code: bool = False) -> "Model":
    """The trained model of a run: ``load(workdir).predict(texts)``.

    Args:
      workdir: Folder of a run or of an export, or ``hub:OWNER/NAME``, ``hub:OWNER/NAME@REVISION``, a model of the Hub.
      plugins: Modules or files with your own code, if they are not where the run has recorded them.
      trust_code: Whether the run may execute code that its folder names, though the folder was downloaded, moved or
        copied; see docs/weights.md.

    Raises:
      UserError: The folder holds no run, or none of its checkpoints can be read.
    """
    from lstm_jax import runtime

    runtime.configure()
    from lstm_jax.evaluation.model import Model

    if str(workdir).startswith("hub:"):
        from lstm_jax.export.hub import pull

        workdir = pull(str(workdir))
    return Model(Path(workdir), plugins, trust_code)
