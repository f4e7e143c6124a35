"""Every config in configs/ makes three steps on a little data of its own kind; further variants are only traced."""

import importlib
import json

import jax
import numpy as np
import pytest

from lstm_jax.config import differences, hparams, validate
from lstm_jax.config.tree import leaves
from lstm_jax.configs import bilstm_glove, default, floydhub_amazon, ghazi_imdb, glos_amazon_stars, imdb, keras_imdb
from lstm_jax.data import corpus
from lstm_jax.data.batching import gather
from lstm_jax.data.sources.generated import generate_reviews
from lstm_jax.errors import ConfigError
from lstm_jax.training import run
from lstm_jax.training.experiment import experiment
from lstm_jax.training.network import classifier
from tests import reviews

VARIANTS = [
    *[(config, None) for config in (default, imdb)],
    *[(glos_amazon_stars, variant) for variant in ("faithful", "published", "improved", "improved,deep")],
    *[(ghazi_imdb, variant) for variant in ("faithful", "published", "last", "improved")],
    *[
        (bilstm_glove, variant)
        for variant in ("faithful", "published", "published,stars", "glove", "stars", "improved", "glove,improved")
    ],
    *[(keras_imdb, variant) for variant in ("faithful", "published", "padded", "improved")],
    *[(floydhub_amazon, variant) for variant in ("faithful", "published", "improved", "small", "small,improved")],
]
TRAINED = [
    *[(config, None) for config in (default, imdb)],
    *[(config, "faithful") for config in (glos_amazon_stars, ghazi_imdb, bilstm_glove, keras_imdb)],
    (floydhub_amazon, "small"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Generated reviews in the formats of all sources, and vectors for some of their words."""
    path = tmp_path_factory.mktemp("data")
    rows = [
        {"text": review.text + " and that is all i have to say about this one", "rating": review.stars}
        for review in generate_reviews(1700, seed=3, noise=0.0)
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


def small(module, variant, folder):
    """The config of a variant on a little data: three steps an epoch."""
    config = module.get_config() if variant is None else module.get_config(variant)
    paths = {"imdb": "imdb", "amazon_reviews": "stars.json.gz", "amazon_polarity": "polarity", "reviews": ""}
    config.data.path = str(folder / paths[config.data.source]) if paths[config.data.source] else ""
    if config.data.vectors.source == "file":
        config.data.vectors.path = str(folder / "vectors.txt")
    if config.data.vectors.more_text:
        config.data.vectors.more_path = str(folder / paths[config.data.vectors.more_text])
    if config.data.vectors.source == "cooccurrence":  # so few words give no longer vectors
        config.model.embedding_size = min(config.model.embedding_size, 100)
    config.data.data_ratio = -1.0
    config.data.train_entries = 3 * config.train.batch_size
    config.data.eval_entries = 40
    config.data.split_block = 1
    config.train.epochs, config.train.validate_every, config.train.buckets = 1, 0, 1
    return validate(config)


def name_of(value) -> str:
    return getattr(value, "__name__", str(value)).removeprefix("lstm_jax.configs.")


@pytest.mark.long
@pytest.mark.parametrize(("module", "variant"), TRAINED, ids=name_of)
def test_three_steps(module, variant, folder, tmp_path):
    summary = run.train_lanes(small(module, variant, folder), tmp_path)
    assert summary["status"] == "done"
    assert summary["steps"] == 3
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows)
    if module is keras_imdb:
        assert summary["parameters"] == 2_834_816 + 53_200 + 101


@pytest.mark.long
@pytest.mark.parametrize(("module", "variant"), [each for each in VARIANTS if each not in TRAINED], ids=name_of)
def test_a_step_is_traced(module, variant, folder):
    config = small(module, variant, folder)
    corpora = corpus.prepare(config.data)
    functions = experiment(config, classifier(config, corpora), total_steps=3)
    state = jax.eval_shape(functions.init, 0, {path: np.float32(value) for path, value in hparams(config).items()})
    batch = jax.tree.map(np.asarray, gather(corpora.train, np.arange(config.train.batch_size), 16))
    after, sums = jax.eval_shape(functions.step, state, {"labelled": batch})
    assert jax.tree.map(np.shape, after.params) == jax.tree.map(np.shape, state.params)
    assert sums["loss"].shape == ()


# What the documents say about their networks, data and training.
PUBLISHED = {
    glos_amazon_stars: {
        "data.source": "amazon_reviews",
        "data.min_characters": 64,
        "data.one_class_size": -1,
        "data.data_ratio": 0.8,
        "data.titles": False,
        "data.tokens.kind": "alphanumeric",
        "data.tokens.min_count": 1,
        "data.vectors.source": "class_frequency",
        "data.vectors.fit_on": "train",
        "model.embedding_size": 5,
        "model.train_embedding": False,
        "model.hidden_size": 64,
        "model.layers": 1,
        "model.pooling": "last",
        "model.output": "softmax",
        "optimizer.name": "sgd",
        "train.batch_size": 1,
    },
    ghazi_imdb: {
        "data.source": "imdb",
        "data.tokens.kind": "alphanumeric",
        "data.tokens.remove_unknown": True,
        "model.embedding_size": 100,
        "model.train_embedding": True,
        "model.hidden_size": 128,
        "model.layers": 1,
        "model.bidirectional": False,
        "model.pooling": "every",
        "model.output": "softmax",
        "optimizer.name": "adam",
        "train.epochs": 8,
    },
    bilstm_glove: {
        "data.tokens.kind": "spaces",
        "data.tokens.min_count": 5,
        "data.tokens.max_length": 500,
        "model.embedding_size": 100,
        "model.train_embedding": False,
        "model.hidden_size": 100,
        "model.layers": 2,
        "model.bidirectional": True,
        "model.pooling": "first_last",
        "optimizer.name": "adam",
        "optimizer.learning_rate": 0.01,
        "train.batch_size": 64,
        "train.epochs": 5,
    },
    keras_imdb: {
        "data.source": "imdb",
        "data.validation_fraction": 0.2,
        "data.tokens.kind": "keras",
        "data.tokens.vocabulary_size": 10_000,
        "data.tokens.max_length": 1000,
        "data.tokens.truncation": "tail",
        "model.embedding_size": 32,
        "model.embedding_rows": 88_588,
        "model.hidden_size": 100,
        "model.pooling": "last",
        "model.output": "sigmoid",
        "optimizer.name": "adam",
        "train.batch_size": 64,
        "train.epochs": 5,
    },
    floydhub_amazon: {
        "data.source": "amazon_polarity",
        "data.train_entries": 800_000,
        "data.eval_entries": 200_000,
        "data.validation_from": "test",
        "data.validation_fraction": 0.5,
        "data.tokens.kind": "treebank",
        "data.tokens.zero_digits": True,
        "data.tokens.mark_urls": True,
        "data.tokens.min_count": 2,
        "data.tokens.max_length": 200,
        "model.embedding_size": 400,
        "model.hidden_size": 512,
        "model.layers": 2,
        "model.bidirectional": False,
        "model.pooling": "last",
        "model.output": "sigmoid",
        "model.dropout.layers": 0.5,
        "model.dropout.pooled": 0.5,
        "optimizer.name": "adam",
        "optimizer.learning_rate": 0.005,
        "optimizer.clip_norm": 5.0,
        "train.batch_size": 400,
        "train.epochs": 2,
        "train.validate_every": 1000,
    },
}


@pytest.mark.parametrize("module", PUBLISHED, ids=lambda module: module.__name__.removeprefix("lstm_jax.configs."))
def test_the_faithful_variant_is_what_its_document_says(module):
    found = {path: value for path, _, value in leaves(module.get_config())}
    assert {path: found[path] for path in PUBLISHED[module]} == PUBLISHED[module]


def test_variants_differ_where_they_say_so():
    leaking = glos_amazon_stars.get_config("published")
    assert leaking.data.vectors.fit_on == "all"
    leaking.data.vectors.fit_on, leaking.reference_accuracy, leaking.train.order = "train", 0.0, "bucketed"
    assert leaking == glos_amazon_stars.get_config("faithful")
    last = ghazi_imdb.get_config("last")
    assert last.model.pooling == "last"
    last.model.pooling = "every"
    assert last == ghazi_imdb.get_config()
    stars = bilstm_glove.get_config("stars")
    assert (stars.data.classes, stars.data.test_fraction) == ("binary", 0.5)
    padded = keras_imdb.get_config("padded")
    padded.data.tokens.pad_left = False
    assert padded == keras_imdb.get_config()


# What the documents do and the faithful variants do not.
SWITCHES = {
    glos_amazon_stars: {"data.vectors.fit_on": "all", "train.order": "random"},
    ghazi_imdb: {
        "data.split_block": 1,
        "data.tokens.stop_words": ghazi_imdb.FUNCTION_WORDS,
        "train.order": "random",
    },
    bilstm_glove: {
        "data.tokens.fit_on": "all",
        "data.tokens.keep_breaks": True,
        "data.tokens.unknown_as_padding": True,
        "data.tokens.pad_right": True,
        "train.order": "random",
    },
    keras_imdb: {
        "data.tokens.pad_left": True,
        "model.embedding_std": 0.029,
        "train.order": "random",
        "train.best_by": "last",
    },
    floydhub_amazon: {
        "data.order": "first",
        "data.tokens.url_rule": "loye",
        "data.tokens.unknown_as_padding": True,
        "data.tokens.pad_left": True,
        "model.embedding_std": 1.0,
        "model.layer_options.forget_bias": 0.0,
        "train.order": "random",
        "train.carry_state": True,
        "train.best_by": "loss",
    },
}


@pytest.mark.parametrize("module", SWITCHES, ids=lambda module: module.__name__.removeprefix("lstm_jax.configs."))
def test_the_published_variant_does_what_else_its_document_does(module):
    found = differences(module.get_config(), module.get_config("published"))
    assert {path: value for path, _, value in found} == SWITCHES[module]


def test_every_config_is_tried():
    names = {path.stem for path in reviews.ROOT.glob("configs/*.py")} - {"__init__", "recipe"}
    assert names == {config.__name__.removeprefix("lstm_jax.configs.") for config, _ in VARIANTS}


@pytest.mark.parametrize("module", sorted({m.__name__ for m, v in VARIANTS if v}))
def test_an_unknown_variant_is_named(module):
    with pytest.raises(ConfigError, match=r"no variant 'faster'; it has faithful, "):
        importlib.import_module(module).get_config("faster")


@pytest.mark.parametrize(
    ("module", "asked", "message"),
    [
        (glos_amazon_stars, "improved,published", "improved and published exclude each other"),
        (keras_imdb, "padded,improved", "improved and padded exclude each other"),
        (ghazi_imdb, "faithful,last", "faithful and last exclude each other"),
        (floydhub_amazon, "small,tiny", "no variant 'tiny'; it has faithful, published, improved, small"),
    ],
)
def test_variants_that_cannot_be_joined(module, asked, message):
    with pytest.raises(ConfigError, match=message):
        module.get_config(asked)


def test_a_variant_beside_leaves_the_first_kind():
    assert floydhub_amazon.get_config("small") == floydhub_amazon.get_config("faithful,small")
    assert floydhub_amazon.get_config("small,improved").model.wide
