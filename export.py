"""Exports a trained run for other programs: python export.py --workdir=DIR --to=FORMAT[,FORMAT…] [--output=DIR]."""

from lstm_jax.commands.export import export_command

if __name__ == "__main__":
    export_command()
