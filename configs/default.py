"""The embedded reviews: a small one-way LSTM on generated reviews, where counting words fails.

python train.py --workdir=runs/default && python eval.py --workdir=runs/default --naive
"""

from lstm_jax.config import Config


def get_config() -> Config:
    """One forward LSTM of 64 cells with max pooling."""
    config = Config()
    config.optimizer.learning_rate = 5e-3
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.train.epochs = 8
    config.train.buckets = 3
    return config
