"""System D: films of IMDB as Keras has them ("Understanding architecture of LSTM cell from scratch with code").
"""

from lstm_jax.config import Config, variants
from configs import imdb


def get_config(variant: str = "faithful") -> Config:
    """An embedding of 32, one LSTM of 100 cells, its last state, one sigmoid unit."""
    asked = variants(variant, "faithful", "padded", "improved")
    config = imdb.get_config() if "improved" in asked else faithful()
    config.published = 0.81556
    if "padded" in asked:
        config.data.tokens.pad_front = True
    return config


def faithful() -> Config:
    config = Config()
    config.data.source = "imdb"
    config.data.validation_fraction = 0.2
    config.data.tokens.words = "keras"
    config.data.tokens.vocabulary_size = 10_000
    config.data.tokens.min_count = 1
    config.data.tokens.max_length = 1000
    config.data.tokens.cut = "tail"
    config.model.embedding_size = 32
    config.model.embedding_rows = 88_588
    config.model.hidden_size = 100
    config.model.pooling = "last"
    config.model.output = "sigmoid"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.eps = 1e-7
    config.train.epochs = 5
    config.train.batch_size = 64
    return config
