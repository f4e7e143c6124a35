"""Measures speed: python bench.py --suite=NAME --workdir=DIR."""

from lstm_jax import cli
from lstm_jax.benchmarks import suites


def define() -> None:
    """Defines the flags, those of the chosen suite among them."""
    suites.define(__name__)


def main() -> None:
    """Measures the suite and prints its tables."""
    suites.main()


def command() -> None:
    """The console command."""
    cli.run(define, main)
