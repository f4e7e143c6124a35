"""Benchmarks: python bench.py --suite=NAME --workdir=DIR."""

from lstm_jax import cli
from lstm_jax.benchmarks.suites import define, main

if __name__ == "__main__":
    cli.run(define, main)
