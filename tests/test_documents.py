"""Generated pages agree with the code."""

import re
from pathlib import Path

from PIL import Image

from lstm_jax.config import document as configuration
from lstm_jax.layers.document import layers_page
from lstm_jax.optimizers import document as optimizers

DOCS = Path(__file__).parents[1] / "docs"
README = (DOCS.parent / "README.md").read_text(encoding="utf-8")


def test_configuration_names_every_field():
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == configuration.page()


def test_layers_are_those_of_the_code():
    assert (DOCS / "layers.md").read_text(encoding="utf-8") == layers_page()


def test_optimizers_are_all_listed():
    assert optimizers.optimizers_table() in (DOCS / "optimizers.md").read_text(encoding="utf-8")


def test_readmes_picture_is_of_the_run_that_it_prints():
    accuracy, step = re.search(r"best validation accuracy ([\d.]+%) at step (\d+)", README).groups()
    with Image.open(DOCS / "accuracy.png") as picture:
        title = picture.text["Title"]
    assert title.startswith(f"weights kept: step {int(step):,} (validation accuracy {accuracy}, ")
