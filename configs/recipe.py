"""What the improved variants of the published systems share; how it was found: BUILD_NOTES.md.

Parts: segments and pooling after Johnson & Zhang 2016, vectors from co-occurrence after Levy & Goldberg 2014,
dropout shared over time after Gal & Ghahramani 2016, one cycle of the rate after Smith & Topin 2019, a linear part
over words and pairs after Cheng et al. 2016.
"""

from lstm_jax.config import Config


def apply(config: Config) -> Config:
    """A bidirectional LSTM over segments of 50 words, on co-occurrence vectors, beside a linear part; regularised."""
    config.data.vectors.source = "cooccurrence"
    config.model.embedding_size = 128
    config.model.hidden_size = 128
    config.model.bidirectional = True
    config.model.segment = 50
    config.model.pooling = "mean_max"
    config.model.wide = 2**18
    config.model.dropout.wide = 0.5
    config.optimizer.learning_rate = 4e-3
    config.optimizer.embedding_lr_scale = 0.15
    config.train.epochs = 4
    return regularise(config)


def regularise(config: Config) -> Config:
    """Dropout, one cycle of the rate, clipping, and an average of the weights."""
    config.model.dropout.words = 0.2
    config.model.dropout.embedding = 0.5
    config.model.dropout.pooled = 0.5
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.optimizer.clip_norm = 1.0
    config.optimizer.ema = 0.999
    return config
