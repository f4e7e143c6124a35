"""Sources of examples. Each source is a module that registers itself; your own may be in any file."""

from lstm_jax.data.readers import Row
from lstm_jax.data.sources import (  # noqa: F401 - the imports register the project's own
    amazon_polarity,
    amazon_reviews,
    files,
    generated,
    hub_dataset,
    imdb,
)
from lstm_jax.data.sources.base import SPLITS, UNLABELLED, Rows, Schema, Source, register

__all__ = ["SPLITS", "UNLABELLED", "Row", "Rows", "Schema", "Source", "register"]
