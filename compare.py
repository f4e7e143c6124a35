"""Runs a study: python compare.py --config=configs/studies/NAME.py --workdir=DIR."""

from pathlib import Path

from absl import flags

from lstm_jax import cli
from lstm_jax import runtime as devices
from lstm_jax.errors import ConfigError

FLAGS = flags.FLAGS


def define() -> None:
    """The flags of this command."""
    cli.define_study()
    flags.mark_flag_as_required("config")
    flags.DEFINE_string("workdir", None, "The folder of the study; the same command goes on there.", required=True)
    flags.DEFINE_boolean("extend", False, "Also try learning rates beyond those tried where the best lay at an end.")


def main() -> None:
    """Trains what is not trained yet and prints the table."""
    devices.configure()
    study = cli.loaded(FLAGS.config)
    if not hasattr(study, "run"):
        raise ConfigError(f"get_config() of the config file returned a {type(study).__name__}, not a study")
    from lstm_jax.studies.comparison import Comparison  # after the devices are set

    if FLAGS.extend and not isinstance(study, Comparison):
        raise ConfigError("--extend is for comparisons of optimizers; this study has the values that its file names")
    print(study.run(Path(FLAGS.workdir), *([True] if FLAGS.extend else [])))


if __name__ == "__main__":
    cli.run(define, main)
