"""Trains a recurrent text classifier: python train.py --config=configs/NAME.py --workdir=DIR."""

from lstm_jax.commands.train import train_command

if __name__ == "__main__":
    train_command()
