"""Generated pages agree with the code."""

from pathlib import Path

from lstm_jax.config import document as configuration
from lstm_jax.optimizers import document as optimizers

DOCS = Path(__file__).parents[1] / "docs"


def test_configuration_names_every_field():
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == configuration.page()


def test_optimizers_are_all_listed():
    assert optimizers.optimizers_table() in (DOCS / "optimizers.md").read_text(encoding="utf-8")
