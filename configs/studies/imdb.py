"""Twelve optimizers on IMDB: 252 runs of the search, then 180 on held-out seeds.

    python compare.py --config=configs/studies/imdb.py[:DIR] --workdir=runs/imdb_optimizers

DIR holds IMDB's parquet files; without it they come from the Hub. Here: 89 minutes on 2 CPU cores. docs/optimizers.md
shows the result.
"""

from lstm_jax.config import Config
from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.studies.comparison import Comparison, Search, Task

NAMES = (
    *("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw", "nadamw", "lamb", "lion", "muon"),
    *("schedule_free_adamw", "prodigy"),
)


def get_config(path: str = "") -> Comparison:
    """About one epoch of an LSTM on segments, with frozen vectors learned from training and unlabelled text."""
    config = Config()
    config.data.source = "imdb"
    config.data.path = path
    config.data.split_block = 100  # Reviews of one film are adjacent; see BUILD_NOTES.md.
    config.data.tokens.max_length = 200
    config.data.tokens.truncation = "both"
    config.data.vectors.source = "cooccurrence"
    config.model.train_embedding = False
    config.model.embedding_size = 128
    config.model.hidden_size = 64
    config.model.segment = 50
    config.model.pooling = "mean_max"
    config.model.dropout.pooled = 0.3
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.train.batch_size = 32
    config.train.steps = 700
    config.train.validate_every = 100
    config.train.buckets = 2
    return Comparison(
        tasks={"IMDB": Task(config, target=0.85)},
        optimizers=NAMES,
        # The best peak of a short one-cycle schedule is above the learning rates recommended for long training.
        spaces={name: OPTIMIZERS[name].learning_rates(0.1, 100) for name in NAMES},
        search=Search(points=7),
        held_out_seeds=15,  # With fewer than 12, no pair of 66 can be significant under Holm's correction.
    )
