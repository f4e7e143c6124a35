"""Amazon reviews (Hou et al. 2024): one to five stars, a file a category of products."""

from lstm_jax.config import DataConfig
from lstm_jax.data.sources.base import Rows, Schema, Source, register
from lstm_jax.data.sources.files import rows_of_files
from lstm_jax.data.sources.hub import hub_file


def fetch_amazon_reviews(config: DataConfig, _: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of ``config.category``, all of them ``train``."""
    file = hub_file("McAuley-Lab/Amazon-Reviews-2023", f"raw/review_categories/{config.category}.jsonl")
    return {"train": rows_of_files([file])}


# The columns are named as in the release of 2023, or as in those before it: summary and reviewText.
TEXT = ("title", "summary", "text", "reviewText")
register("amazon_reviews", Source(fetch_amazon_reviews, Schema(TEXT, titles=TEXT[:2], classes="stars")))
