"""Trains a recurrent text classifier."""

from absl import flags

from lstm_jax import cli, runtime
from lstm_jax.config import validate


def _define() -> None:
    """Defines the flags."""
    cli.define_config("default")
    flags.declare_key_flag("config")
    flags.DEFINE_string(
        "workdir", None, "Folder of the run. The same command resumes an interrupted run.", required=True
    )


def _train() -> None:
    """Trains or resumes a run and prints how it ended."""
    runtime.configure()
    from lstm_jax.training import run  # Imported after JAX's devices are configured.

    config = validate(flags.FLAGS.config)
    summary = run.train_lanes(config, flags.FLAGS.workdir)
    run.raise_if_diverged(summary, flags.FLAGS.workdir)
    best = f"{summary['best_validation_accuracy']:.2%} at step {summary['best_step']}"
    took = f"{summary['train_seconds']:.1f} s, compiling {summary['compile_seconds']:.1f} s more"
    print(f"done: {summary['steps']} steps took {took}; best validation accuracy {best}; see {flags.FLAGS.workdir}")


def train_command() -> None:
    """The console command."""
    cli.run_command(_define, _train)
