"""System B"""

from lstm_jax.config import Config, variants


def get_config(variant: str = "faithful") -> Config:
    asked = variants(variant, "faithful", "last", "improved")
    config = Config()
    config.published = 0.8540
    config.data.source = "imdb"
    config.data.split_block = 100
    config.data.tokens.words = "alphanumeric"
    config.data.tokens.min_count = 5
    config.data.tokens.max_length = 400
    config.model.embedding_size = 100
    config.model.hidden_size = 128
    config.model.pooling = "last" if "last" in asked else "every"
    config.optimizer.learning_rate = 1e-3
    config.train.epochs = 8
    config.train.batch_size = 50
    config.train.keep_epochs = "epoch_{epoch}"
    return config
