"""The default: a small forward LSTM on generated reviews, which are hard to classify by counting words.

    python train.py --workdir=runs/default
    python eval.py --workdir=runs/default --naive

The reviews need no download. Here: 99.31 % on 3,189 test reviews, naive Bayes 63.66 %; 10 s on 2 CPU cores.
"""

from lstm_jax.config import Config


def get_config() -> Config:
    """One forward LSTM of 64 units with max pooling, trained for 8 epochs."""
    config = Config()
    config.optimizer.learning_rate = 5e-3
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.train.epochs = 8
    config.train.buckets = 3
    return config
