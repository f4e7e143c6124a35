"""IMDB (Maas et al. 2011): 25,000 training, 25,000 test and 50,000 unlabelled film reviews."""

from lstm_jax.config import DataConfig
from lstm_jax.data.sources.base import Rows, Schema, Source, register
from lstm_jax.data.sources.hub import hub_dataset


def fetch_imdb(_: DataConfig, splits: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of the copy on the Hub."""
    return hub_dataset("stanfordnlp/imdb", splits)


# The unlabelled reviews have the label -1.
register("imdb", Source(fetch_imdb, Schema(class_names=("negative", "positive"), unlabelled="-1")))
