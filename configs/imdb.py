"""IMDB."""

from lstm_jax.config import Config


def get_config() -> Config:
    """A bidirectional LSTM over segments of 50 words, on vectors learned from the unlabelled reviews."""
    config = Config()
    config.data.source = "imdb"
    config.data.split_block = 100
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
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.optimizer.ema = 0.999
    config.train.epochs = 3
    return config
