"""Runs a study: python compare.py --config=configs/studies/NAME.py --workdir=DIR."""

from pathlib import Path

from absl import flags

from lstm_jax import cli, devices
from lstm_jax.errors import ConfigError

FLAGS = flags.FLAGS


def define() -> None:
    """The flags of this command."""
    cli.define_study()
    flags.mark_flag_as_required("config")
    flags.DEFINE_string("workdir", None, "The folder of the study; the same command goes on there.", required=True)


def main() -> None:
    """Trains what is not trained yet and prints the table."""
    devices.configure()
    study = cli.loaded(FLAGS.config)
    if not hasattr(study, "run"):
        raise ConfigError(f"get_config() of the config file returned a {type(study).__name__}, not a study")
    print(study.run(Path(FLAGS.workdir)))


if __name__ == "__main__":
    cli.run(define, main)
