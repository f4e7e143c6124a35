"""Amazon polarity (Zhang et al. 2015): 3.6 million training and 400,000 test reviews, none of 3 stars."""

from lstm_jax.config import DataConfig
from lstm_jax.data.sources.base import Rows, Schema, Source, register
from lstm_jax.data.sources.hub import hub_dataset


def fetch_amazon_polarity(_: DataConfig, splits: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of the copy on the Hub."""
    return hub_dataset("fancyzhx/amazon_polarity", splits)


# The Hub's copy has the columns title and content; fastText's format has both in one text.
SCHEMA = Schema(text=("title", "content", "text"), titles=("title",), class_names=("negative", "positive"))
register("amazon_polarity", Source(fetch_amazon_polarity, SCHEMA))
