"""Six optimizers on the embedded reviews, 126 whole runs and then 60 on held-out seeds, in some minutes.

python compare.py --config=configs/studies/quick.py --workdir=runs/quick
"""

from lstm_jax.config import Config
from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.studies.comparison import Comparison, Search, Task

NAMES = ("sgd", "adagrad", "rmsprop", "adam", "lion", "muon")


def get_config() -> Comparison:
    """Seven rates and three seeds each, on a network small enough for two CPU cores."""
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
        optimizers=NAMES,
        # The peak of one short cycle lies above the rates that are recommended for long training.
        spaces={name: OPTIMIZERS[name].learning_rates(0.1, 100) for name in NAMES},
        search=Search(points=7),
    )
