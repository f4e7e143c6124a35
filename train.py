"""Trains a recurrent text classifier: python train.py --config=configs/NAME.py --workdir=DIR."""

from absl import flags

from lstm_jax import cli
from lstm_jax import runtime as devices


def define() -> None:
    """The flags of this command."""
    cli.define_config("configs/default.py")
    flags.declare_key_flag("config")
    flags.DEFINE_string("workdir", None, "The folder of the run; the same command goes on there.", required=True)


def main() -> None:
    """Trains, or goes on, and says how it ended."""
    devices.configure()
    from lstm_jax.training import run  # after the devices are set

    config = cli.checked(flags.FLAGS.config)
    summary = run.train(config, flags.FLAGS.workdir)
    run.check_finished(summary, flags.FLAGS.workdir)
    best = f"{summary['best_validation_accuracy']:.2%} at step {summary['best_step']}"
    took = f"{summary['train_seconds']:.1f} s, compiling {summary['compile_seconds']:.1f} s more"
    print(f"done: {summary['steps']} steps took {took}; best validation accuracy {best}; see {flags.FLAGS.workdir}")


if __name__ == "__main__":
    cli.run(define, main)
