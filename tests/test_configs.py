"""Every config in configs/ makes three steps on a little of its own kind of data."""

import importlib
import json

import numpy as np
import pytest

from configs import bilstm_glove, default, floydhub_amazon, ghazi_imdb, glos_amazon_stars, imdb, keras_imdb
from lstm_jax.config import validate
from lstm_jax.errors import ConfigError
from lstm_jax.text import synthetic
from lstm_jax.training import run
from tests import reviews

VARIANTS = [
    *[(config, None) for config in (default, imdb)],
    *[(glos_amazon_stars, variant) for variant in ("faithful", "published", "improved")],
    *[(ghazi_imdb, variant) for variant in ("faithful", "last", "improved")],
    *[(bilstm_glove, variant) for variant in ("faithful", "glove", "stars", "improved")],
    *[(keras_imdb, variant) for variant in ("faithful", "padded", "improved")],
    *[(floydhub_amazon, variant) for variant in ("faithful", "improved", "small", "small,improved")],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Generated reviews in the formats of all sources, and vectors for some of their words."""
    path = tmp_path_factory.mktemp("data")
    rows = [
        {"text": review.text + " and that is all i have to say about this one", "rating": review.stars}
        for review in synthetic.reviews(1700, seed=3, noise=0.0)
    ]
    labelled = [{**row, "label": int(row["rating"] > 3)} for row in rows]
    reviews.write(path / "imdb" / "train.parquet", labelled[:1000])
    reviews.write(path / "imdb" / "test.parquet", labelled[1000:1100])
    reviews.write(path / "imdb" / "unsupervised.parquet", [{**row, "label": -1} for row in labelled[1100:1200]])
    stars = [{"overall": row["rating"], "reviewText": row["text"], "summary": "a title"} for row in rows]
    reviews.write(path / "stars.json.gz", stars)
    reviews.write(path / "polarity" / "train.ft.txt.bz2", labelled[:1300])
    reviews.write(path / "polarity" / "test.ft.txt.bz2", labelled[1300:])
    words = sorted({word for row in rows for word in row["text"].split(" ")})
    lines = [" ".join([word, *map(str, np.arange(100) % 7)]) for word in words[::2]]
    (path / "vectors.txt").write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("module", "variant"), VARIANTS, ids=lambda value: getattr(value, "__name__", str(value)).removeprefix("configs.")
)
def test_three_steps(module, variant, folder, tmp_path):
    config = module.get_config() if variant is None else module.get_config(variant)
    paths = {"imdb": "imdb", "amazon_reviews": "stars.json.gz", "amazon_polarity": "polarity", "reviews": ""}
    config.data.path = str(folder / paths[config.data.source]) if paths[config.data.source] else ""
    if config.data.vectors.source == "file":
        config.data.vectors.path = str(folder / "vectors.txt")
    if config.data.vectors.more_text:
        config.data.vectors.more_path = str(folder / paths[config.data.vectors.more_text])
    config.data.data_ratio = 0.0
    config.data.train_entries = 3 * config.train.batch_size
    config.data.eval_entries = 40
    config.data.split_block = 1
    config.train.epochs, config.train.validate_every, config.train.buckets = 1, 0, 1

    summary = run.train(validate(config), tmp_path)

    assert summary["status"] == "done"
    assert summary["steps"] == 3
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows)
    if module is keras_imdb and variant != "improved":
        assert summary["parameters"] == 2_834_816 + 53_200 + 101


def test_every_config_is_tried():
    names = {path.stem for path in reviews.ROOT.glob("configs/*.py")} - {"__init__", "recipe"}
    assert names == {config.__name__.removeprefix("configs.") for config, _ in VARIANTS}


@pytest.mark.parametrize("module", sorted({m.__name__ for m, v in VARIANTS if v}))
def test_an_unknown_variant_is_named(module):
    with pytest.raises(ConfigError, match=r"no variant 'faster'; it has faithful, "):
        importlib.import_module(module).get_config("faster")
