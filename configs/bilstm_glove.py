"""System C"""

from lstm_jax.config import Config, variants


def get_config(variant: str = "faithful") -> Config:
    asked = variants(variant, "faithful", "glove", "improved")
    config = Config()
    config.published = 0.868
    config.data.source = "imdb"
    config.data.split_block = 100
    config.data.tokens.words = "spaces"
    config.data.tokens.vocabulary_size = 200_000
    config.data.tokens.min_count = 5
    config.data.tokens.max_length = 500
    config.data.vectors.source = "word2vec"
    config.data.vectors.missing = "zeros"
    config.model.embedding_size = 100
    config.model.train_embedding = False
    config.model.hidden_size = 100
    config.model.layers = 2
    config.model.bidirectional = True
    config.model.pooling = "first_last"
    config.optimizer.learning_rate = 1e-2
    config.train.epochs = 5
    config.train.batch_size = 64
    return config
