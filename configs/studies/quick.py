"""Six optimizers on generated reviews: 126 runs of the search, then 60 on held-out seeds.

    python compare.py --config=configs/studies/quick.py --workdir=runs/quick
    python compare.py --config=configs/studies/quick.py:adam,lion --workdir=runs/two    # others by name

Six optimizers take 5 minutes on 2 CPU cores.
"""

from lstm_jax.config import Config
from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.studies.comparison import Comparison, Search, Task


def get_config(optimizers: str = "sgd,adagrad,rmsprop,adam,lion,muon") -> Comparison:
    """Seven learning rates and three seeds for each optimizer, on a network small enough for two CPU cores.

    Args:
      optimizers: Names of registered optimizers, with commas between them.
    """
    names = tuple(optimizers.split(","))
    config = Config()
    config.model.embedding_size = config.model.hidden_size = 32
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.train.steps = 400
    config.train.validate_every = 50
    config.train.buckets = 2
    return Comparison(
        tasks={"embedded reviews": Task(config, target=0.9)},
        optimizers=names,
        # The best peak of a short one-cycle schedule is above the learning rates recommended for long training.
        spaces={name: OPTIMIZERS[name].learning_rates(0.1, 100) for name in names},
        search=Search(points=7),
    )
