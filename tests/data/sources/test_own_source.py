"""A user's own source: one file outside of the package."""

import importlib.util
import sys

import pytest

from lstm_jax.config import DataConfig, TokensConfig, VectorsConfig
from lstm_jax.data import corpus, sources
from lstm_jax.data.examples import load_examples, schema_of
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.registry import SOURCES
from tests.data.helpers import tokens_in, training_rows
from tests.reviews import write

HEADLINES = """
from lstm_jax.data.sources import Row, Rows, Schema, Source, register

def read(split, count):
    for number in range(count):
        yield Row({"headline": f"{split} news {number}", "tone": number % 2}, "headlines", number)

def fetch(config, splits):
    return {split: Rows(read, {"split": split, "count": 10}) for split in splits if split != "validation"}

register("headlines", Source(fetch, Schema(text=("headline",), label="tone")))
"""


def execute(file, code: str) -> None:
    """Executes a file as a module, like a plugin of a config."""
    file.write_text(code)
    name = f"{file.stem}_{abs(hash(code))}"
    spec = importlib.util.spec_from_file_location(name, file)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


@pytest.fixture
def headlines(tmp_path):
    execute(tmp_path / "headlines.py", HEADLINES)
    yield tmp_path / "headlines.py"
    SOURCES.unregister("headlines")


def test_examples_of_an_own_source(headlines):
    config = DataConfig(source="headlines", tokens=TokensConfig(min_count=1))
    assert training_rows(config) == [(f"train news {n}", str(n % 2)) for n in range(10)]
    assert set(load_examples(config).splits) == {"train", "test"}
    assert set(load_examples(config, unlabelled=True).splits) == {"train", "test", sources.UNLABELLED}
    corpora = corpus.prepare(config)
    assert [len(tokens_in(corpora, split)) for split in sources.SPLITS] == [9, 1, 10]
    assert corpora.classes.names == ("0", "1")
    assert SOURCES.file_of("headlines") == str(headlines)


def test_own_source_lends_its_text_to_word_vectors(headlines, numbered):
    vectors = VectorsConfig("cooccurrence", more_text="headlines")
    own = DataConfig(source="files", path=str(numbered), vectors=vectors)
    assert len(tokens_in(corpus.prepare(own), "whole")) == 72 + 20


def test_own_source_is_read_from_files_by_its_own_columns(headlines, tmp_path):
    path = write(tmp_path / "a.csv", [{"headline": "fine", "tone": 1, "text": "no", "label": 0}])
    assert training_rows(DataConfig(source="headlines", path=str(path))) == [("fine", "1")]


def test_examples_are_read_again_where_the_code_of_their_source_has_changed(headlines):
    config = DataConfig(source="headlines")
    assert training_rows(config)[0] == ("train news 0", "0")
    execute(headlines, HEADLINES.replace(" news ", " story "))
    assert training_rows(config)[0] == ("train story 0", "0")


def test_bad_row_of_an_own_source(headlines):
    execute(headlines, HEADLINES.replace('"tone": number % 2', '"tone": number % 2 or None'))
    with pytest.raises(UserError, match=r"^headlines, row 0: has no label; fix it, or skip such rows"):
        load_examples(DataConfig(source="headlines"))


def test_error_in_the_code_of_an_own_source_is_not_hidden(headlines):
    execute(headlines, HEADLINES.replace("number % 2", "number % 0"))
    with pytest.raises(ZeroDivisionError) as caught:
        load_examples(DataConfig(source="headlines"))
    assert caught.traceback[-1].path == headlines


def test_columns_that_a_config_changes():
    assert schema_of(DataConfig(source="amazon_reviews")) == SOURCES["amazon_reviews"].schema
    options = {"text_column": "title", "label_column": "tone", "rating_column": "score", "classes": "binary"}
    changed = schema_of(DataConfig(source="amazon_reviews", **options))
    assert changed == (("title",), (), "tone", ("score",), "binary", (), "")


def test_unknown_source():
    with pytest.raises(ConfigError, match="there is no source 'imbd'; did you mean 'imdb'"):
        load_examples(DataConfig(source="imbd"))
