"""System A: stars of Amazon video games (Glos, "LSTM Network Performance Demonstration", 2021)."""

from lstm_jax.config import Config


def get_config(variant: str = "faithful") -> Config:
    config = Config()
    config.data.source = "amazon_reviews"
    config.data.titles = False
    config.data.min_characters = 64
    config.data.one_class_size = -1
    config.data.data_ratio = 0.8
    config.data.tokens.words = "alphanumeric"
    config.data.tokens.vocabulary_size = 1_000_000
    config.data.tokens.min_count = 1
    config.data.tokens.max_length = 100_000
    config.data.vectors.source = "class_frequency"
    config.model.embedding_size = 5
    config.model.train_embedding = False
    config.model.hidden_size = 64
    config.model.pooling = "last"
    config.optimizer.name = "sgd"
    config.optimizer.learning_rate = 1e-2
    config.train.epochs = 3
    config.train.batch_size = 1
    config.train.steps_per_call = 16
    config.train.log_every = 100
    config.train.keep_epochs = "lstm_{learning_rate}_{hidden_size}_epoch_{epoch}"
    if variant == "published":
        config.data.vectors.fit_on = "all"
    return config
