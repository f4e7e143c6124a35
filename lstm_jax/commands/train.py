"""Trains a recurrent text classifier."""

import math
import shlex
from pathlib import Path

from absl import flags

from lstm_jax import cli, runtime
from lstm_jax.characters import printable
from lstm_jax.config import Config, validate
from lstm_jax.stages import stage

# What the kept weights are, by the field ``train.best_by``.
_KEPT = {
    "accuracy": "best validation accuracy",
    "loss": "lowest validation loss, with validation accuracy",
    "last": "last validation accuracy",
}


def _define() -> None:
    """Defines the flags."""
    cli.define_config("default")
    flags.declare_key_flag("config")
    flags.DEFINE_string("workdir", None, "Folder of the run. The same command resumes an interrupted run.")
    flags.DEFINE_bool(
        "tour",
        False,
        "Instead of training, print data, an example, a layer and the network of the config; needs no --workdir.",
    )
    flags.DEFINE_bool(
        "find_rate",
        False,
        "Instead of a whole run, train briefly with twelve learning rates, draw their losses and propose the best.",
    )
    flags.register_validator(
        "workdir",
        lambda value: value is not None or flags.FLAGS["tour"].value,
        "Flag --workdir must have a value, except with --tour",
    )
    flags.mark_bool_flags_as_mutual_exclusive(["tour", "find_rate"])


def _train() -> None:
    """Trains or resumes a run and prints how it ended."""
    runtime.configure()
    from lstm_jax.evaluation.report import write_run_report  # Imported after JAX's devices are configured.
    from lstm_jax.training import run

    config = validate(flags.FLAGS.config)
    if flags.FLAGS.tour:
        from lstm_jax.evaluation.tour import tour

        for section in tour(config):
            print(section)
        return
    if flags.FLAGS.find_rate:
        _find_rate(config)
        return
    summary = run.train_lanes(config, flags.FLAGS.workdir)
    run.raise_if_diverged(summary, flags.FLAGS.workdir)
    best = f"{_KEPT[config.train.best_by]} {summary['best_validation_accuracy']:.2%} at step {summary['best_step']}"
    took = f"{summary['train_seconds']:.1f} s, compiling {summary['compile_seconds']:.1f} s more"
    print(f"done: {summary['steps']} steps took {took}; {best}; see {flags.FLAGS.workdir}")
    with stage("writing the report"):
        page = write_run_report(Path(flags.FLAGS.workdir))
    print(f"report: {printable(str(page))}")
    print(f"next: {runtime.command_name('eval')} --workdir={shlex.quote(flags.FLAGS.workdir)}")


def _find_rate(config: Config) -> None:
    """Searches for a learning rate and prints the loss of each that was tried."""
    from lstm_jax.training.learning_rates import find_learning_rate

    workdir = Path(flags.FLAGS.workdir)
    found = find_learning_rate(config, workdir)
    print(f"{'learning rate':>13}  training loss after {found.steps} steps")
    for rate, loss in zip(found.learning_rates, found.losses, strict=True):
        shown = "diverged" if math.isnan(loss) else f"{loss:.4f}"
        print(f"{rate:>13.2g}  {shown}{'  lowest' if rate == found.best else ''}")
    print(f"picture: {workdir / 'plots' / 'learning-rates.png'}")
    print(f"next: train with --config.optimizer.learning_rate={found.best:.2g}")


def train_command() -> None:
    """The console command."""
    cli.run_command(_define, _train)
