"""A comparison small enough to be run many times, as a study file."""

from lstm_jax.config import Config
from lstm_jax.studies.comparison import Comparison, Search, Task


def tiny_task(target: float = 0.5) -> Task:
    """A task of 24 steps on 170 embedded reviews."""
    config = Config()
    config.data.reviews = 300
    config.data.validation_fraction = 0.2
    config.model.hidden_size = config.model.embedding_size = 8
    config.model.dropout.embedding = 0.2
    config.train.batch_size = 16
    config.train.steps = 24
    config.train.validate_every = 8
    config.train.buckets = 1
    config.train.log_every = 4
    return Task(config, target)


def get_config() -> Comparison:
    """Two optimizers, two learning rates, two seeds, then four held-out ones: every stack has four lanes."""
    return Comparison(
        {"tiny": tiny_task()}, ("sgd", "adam"), search=Search(points=2), seeds=2, held_out_seeds=4, lanes=4
    )
