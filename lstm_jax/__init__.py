"""Recurrent text classifiers in JAX, as pure functions.

The public API is ``Config``, ``train`` and ``load``. To register your own code, call ``register`` of
``lstm_jax.cells``, ``layers``, ``layers.pooling``, ``objectives``, ``optimizers``, ``data.sources`` or
``data.vectors``; see docs/extending.md.
"""

import os
import time
import warnings

STARTED = time.perf_counter()  # Approximate start of the process, for reporting the time to the first step.

# jaxlib reads this when it is imported. By default it logs the features of the processor for each cached program.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# In a notebook the libraries of the Hub ask for ipywidgets, for progress bars that this project does not show.
warnings.filterwarnings("ignore", "IProgress not found")

__version__ = "0.2.0"

from pathlib import Path  # noqa: E402 - the clock above comes first
from typing import TYPE_CHECKING, Any  # noqa: E402

from lstm_jax.config import Config, load_config_file, validate, with_fields  # noqa: E402
from lstm_jax.errors import ConfigError  # noqa: E402
from lstm_jax.files import named_folder  # noqa: E402

if TYPE_CHECKING:
    from lstm_jax.evaluation.model import Model

__all__ = ["Config", "load", "train"]


def train(config_or_name: Config | str | Path, workdir: str | Path, **overrides: Any) -> dict[str, Any]:
    """Trains a config in a folder, or resumes the run there, and returns the run's summary.

    Works in a script, in a notebook and in a thread. If JAX has not been used yet, its devices are configured as by the
    command. The log goes to standard error, unless the program has configured ``logging`` itself.

    Args:
      config_or_name: A config, which stays as it is; the name of one that comes with the package, such as ``"imdb"``;
        or the path of a Python file with ``get_config``. A name or path may be followed by a colon and a variant.
      workdir: Folder of the run. It is created if it does not exist.
      **overrides: New values of fields: ``model__hidden_size=32`` or ``**{"model.hidden_size": 32}``.

    Returns:
      The content of ``summary.json``; see docs/workdirs.md.

    Raises:
      UserError: The config or the data are invalid, the folder or the disk cannot be used, or the run diverged.
    """
    from lstm_jax import runtime

    started = time.perf_counter()
    with runtime.messages_shown():
        config = validate(with_fields(_config_of(config_or_name), overrides))
        runtime.configure()
        from lstm_jax.evaluation.report import write_run_report
        from lstm_jax.training import run

        summary = run.train_lanes(config, workdir, started=started)
        run.raise_if_diverged(summary, workdir)
        write_run_report(Path(workdir))
    return summary


def _config_of(asked: Config | str | Path) -> Config:
    from lstm_jax import runtime

    config = load_config_file(str(asked)) if isinstance(asked, str | Path) else asked
    if isinstance(config, Config):
        return config
    if config is asked:
        raise ConfigError(f"train takes a Config, the name of a config or the path of a file, not {config!r}"[:200])

    raise ConfigError(
        f"{asked} returns a {type(config).__name__}, and train takes a Config; the command that runs studies is "
        f"{runtime.command_name('compare')} --config={asked}"
    )


def load(
    workdir: str | Path,
    plugins: str | tuple[str, ...] = (),
    trust_code: bool = False,
    weights: int | str | None = None,
) -> "Model":
    """The trained model of a run: ``load(workdir).predict(texts)``.

    Args:
      workdir: Folder of a run or of an export, or ``hub:OWNER/NAME``, ``hub:OWNER/NAME@REVISION``, a model of the Hub.
      plugins: A module or file with your own code, or several, if they are not where the run has recorded them.
      trust_code: Whether the run may execute code that its folder names, though the folder was downloaded, moved or
        copied; see docs/weights.md.
      weights: The epoch whose weights are loaded, if ``train.keep_epochs`` has kept them: its number, or the name of
        the weights. By default the best weights are loaded.

    Raises:
      ConfigError: No weights of that epoch were kept.
      UserError: The folder holds no run, or none of its checkpoints can be read.
    """
    from lstm_jax import runtime

    with runtime.messages_shown():
        runtime.configure()
        from lstm_jax.evaluation.model import Model

        if str(workdir).startswith("hub:"):
            from lstm_jax.export.hub import pull

            workdir = pull(str(workdir))
        return Model(named_folder(workdir), plugins, trust_code, "" if weights is None else str(weights))
