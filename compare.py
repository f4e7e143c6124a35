"""Runs a study: python compare.py --config=configs/studies/NAME.py --workdir=DIR."""

from lstm_jax.commands.compare import compare_command

if __name__ == "__main__":
    compare_command()
