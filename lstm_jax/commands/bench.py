"""Measures speed."""

from lstm_jax import cli
from lstm_jax.benchmarks import suites


def _define() -> None:
    """Defines the flags, including those of the chosen suite."""
    suites.define_suites(__name__)


def _bench() -> None:
    """Measures the suite and prints its tables."""
    suites.run_suites()


def bench_command() -> None:
    """The console command."""
    cli.run_command(_define, _bench)
