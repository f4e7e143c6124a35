"""IMDB: the best quick recipe for two CPU cores that was found (how: BUILD_NOTES.md).

    python train.py --config=configs/imdb.py --workdir=runs/imdb [--config.data.path=DIR]
    python eval.py --workdir=runs/imdb --naive

Data: 25,000 labelled reviews, and 50,000 without labels from which only word vectors are learned.
Parts: after Johnson & Zhang 2016 (segments, pooling), Levy & Goldberg 2014 (vectors), Gal & Ghahramani 2016 (dropout).
"""

from lstm_jax.config import Config


def get_config() -> Config:
    """A bidirectional LSTM over segments of 50 words, on vectors learned from co-occurrence."""
    config = Config()
    config.data.source = "imdb"
    config.data.split_block = 100  # reviews of one film stand together; see BUILD_NOTES.md
    config.data.tokens.max_length = 600
    config.data.tokens.cut = "both"
    config.data.vectors.source = "cooccurrence"
    config.model.embedding_size = 128
    config.model.hidden_size = 128
    config.model.bidirectional = True
    config.model.segment = 50
    config.model.pooling = "mean_max"
    config.model.dropout.words = 0.2
    config.model.dropout.embedding = 0.5
    config.model.dropout.pooled = 0.5
    config.optimizer.learning_rate = 4e-3
    config.optimizer.embedding_rate = 0.15
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.optimizer.ema = 0.999
    config.train.epochs = 4
    return config
