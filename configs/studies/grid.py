"""A grid over hidden size × layers × learning rate on generated reviews: 24 settings, two seeds each.

    python compare.py --config=configs/studies/grid.py --workdir=runs/grid

The learning rates and seeds of a network are lanes of one program, so there are six programs. docs/grids.md shows the
result.
"""

from lstm_jax.config import Config
from lstm_jax.studies.grid import Grid


def get_config() -> Grid:
    """Three hidden sizes, one or two layers, and four learning rates, for 250 steps each."""
    config = Config()
    config.data.reviews = 8_000
    config.model.embedding_size = 32
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.train.steps = 250
    config.train.validate_every = 50
    config.train.buckets = 2
    fields = {
        "model.hidden_size": (16, 32, 64),
        "model.layers": (1, 2),
        "optimizer.learning_rate": (0.003, 0.01, 0.03, 0.1),
    }
    return Grid(config, fields, seeds=2)
