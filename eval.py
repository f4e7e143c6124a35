"""Evaluates a trained run: python eval.py --workdir=DIR [--split=test] [--naive] [--text="a review"]."""

from lstm_jax.commands.evaluate import evaluate_command

if __name__ == "__main__":
    evaluate_command()
