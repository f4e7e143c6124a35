"""Fourteen optimizers on IMDB, 294 whole runs and then 168 fresh ones.

    python compare.py --config=configs/studies/imdb.py[:DIR] --workdir=runs/imdb_optimizers

DIR holds IMDB's parquet files; without it they come from the Hub.
"""

from lstm_jax.config import Config
from lstm_jax.studies.comparison import Comparison, Search, Task


def get_config(path: str = "") -> Comparison:
    """One epoch of a bidirectional LSTM over segments, on frozen vectors learned from all training text."""
    config = Config()
    config.data.source = "imdb"
    config.data.path = path
    config.data.split_block = 100  # reviews of one film stand together; see BUILD_NOTES.md
    config.data.tokens.max_length = 200
    config.data.tokens.cut = "both"
    config.data.vectors.source = "cooccurrence"
    config.model.train_embedding = False
    config.model.embedding_size = config.model.hidden_size = 64
    config.model.segment = 50
    config.model.pooling = "mean_max"
    config.model.dropout.pooled = 0.3
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.train.steps = 350
    config.train.validate_every = 50
    config.train.buckets = 2
    return Comparison(
        tasks={"IMDB": Task(config, target=0.85)},
        optimizers=(
            *("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw", "nadamw", "radam", "adabelief", "lamb", "lion"),
            *("muon", "schedule_free_adamw", "prodigy"),
        ),
        search=Search(points=7),
        fresh_seeds=12,  # with fewer, Holm's correction over 91 pairs leaves no verdict
    )
