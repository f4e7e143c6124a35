"""Runs a study.

A study file has a function get_config() that returns one of these; the fields of a study are set there:

  Comparison(tasks, optimizers, spaces, search, seeds, held_out_seeds, lanes): optimizers with equal search budgets
  Grid(base, fields, seeds, lanes): all combinations of the values of any fields, as {"model.hidden_size": (32, 64)}
  Systems(systems): configs as they were published, and improved
  Memory(base, tasks, layers, weights, learning_rates, seeds): layers of equal size on generated tasks that need memory
  Switches(systems, seeds): what each setting of a published config changes by itself
"""

from pathlib import Path

from absl import flags

from lstm_jax import cli, runtime
from lstm_jax.config import Config, load_config_file, load_plugins
from lstm_jax.errors import ConfigError


def _define() -> None:
    """Defines the flags."""
    cli.define_study()
    flags.declare_key_flag("config")
    flags.DEFINE_string(
        "workdir", None, "Folder of the study. The same command resumes an interrupted study.", required=True
    )
    flags.DEFINE_list("plugins", [], "Modules or Python files that register your own code; see docs/extending.md.")
    flags.DEFINE_boolean(
        "extend", False, "Try more learning rates if the best one was the lowest or the highest that was tried."
    )


def _compare() -> None:
    """Trains the runs that are not trained yet and prints the table."""
    runtime.configure()
    load_plugins(flags.FLAGS.plugins)
    study = load_config_file(flags.FLAGS.config)
    if not hasattr(study, "run"):
        hint = f"; train a config by {runtime.command_name('train')}" if isinstance(study, Config) else ""
        raise ConfigError(f"get_config() of the config file returned a {type(study).__name__}, not a study{hint}")
    from lstm_jax.studies.comparison import Comparison  # Imported after JAX's devices are configured.

    if flags.FLAGS.extend and not isinstance(study, Comparison):
        raise ConfigError("--extend is for comparisons of optimizers; the values of this study are set in its file")
    print(study.run(Path(flags.FLAGS.workdir), *([True] if flags.FLAGS.extend else [])))


def compare_command() -> None:
    """The console command."""
    cli.run_command(_define, _compare)
