"""Amazon reviews (Hou et al. 2024): one to five stars, one file per product category."""

from lstm_jax.config import DataConfig
from lstm_jax.data.sources.base import Rows, Schema, Source, register
from lstm_jax.data.sources.files import rows_of_files
from lstm_jax.data.sources.hub import hub_file


def fetch_amazon_reviews(config: DataConfig, _: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of ``config.category``, all in the split ``train``."""
    file = hub_file("McAuley-Lab/Amazon-Reviews-2023", f"raw/review_categories/{config.category}.jsonl")
    return {"train": rows_of_files([file], config)}


# Column names of the release of 2023, and of earlier releases: summary and reviewText.
TEXT = ("title", "summary", "text", "reviewText")
register("amazon_reviews", Source(fetch_amazon_reviews, Schema(TEXT, titles=TEXT[:2], classes="stars")))
