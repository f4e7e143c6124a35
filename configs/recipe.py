"""The recipe that ``imdb.py`` and the improved variants of the published systems share; see BUILD_NOTES.md.

* Segments and pooling: Johnson & Zhang 2016.
* Word vectors from co-occurrence: Levy & Goldberg 2014.
* Dropout masks shared over time: Gal & Ghahramani 2016.
* One cycle of the learning rate: Smith & Topin 2019.
* A linear part over naive-Bayes-weighted words, pairs and triples: Wang & Manning 2012.
"""

from lstm_jax.config import Config


def apply(config: Config) -> Config:
    """Sets a regularised bidirectional LSTM on segments of 50 tokens, with co-occurrence vectors and a linear part."""
    config.data.vectors.source = "cooccurrence"
    config.model.embedding_size = 128
    config.model.hidden_size = 128
    config.model.bidirectional = True
    config.model.segment = 50
    config.model.pooling = "mean_max"
    config.model.wide = 2**20
    config.optimizer.learning_rate = 4e-3
    config.optimizer.embedding_lr_scale = 0.15
    config.train.epochs = 4
    return regularise(config)


def regularise(config: Config) -> Config:
    """Sets dropout, a one-cycle learning rate, gradient clipping, and a moving average of the weights."""
    config.model.dropout.tokens = 0.2
    config.model.dropout.embedding = 0.5
    config.model.dropout.pooled = 0.5
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.optimizer.ema = 0.999
    return config
