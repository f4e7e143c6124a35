"""Measures speed: python bench.py --suite=NAME --workdir=DIR."""

from lstm_jax.commands.bench import command

if __name__ == "__main__":
    command()
