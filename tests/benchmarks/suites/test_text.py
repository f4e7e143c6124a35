"""The benchmark of the text pipeline, on few reviews."""

import os

import numpy as np

from lstm_jax.benchmarks.measurement import Measurement
from lstm_jax.benchmarks.suites import text
from lstm_jax.config import Config, to_json
from lstm_jax.data import readers


def test_generated_reviews_are_as_long_as_those_of_amazon(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "WORDS", 20_000)
    file = tmp_path / "train.ft.txt.bz2"
    text.write_reviews(file, 600)
    rows = list(readers.read_rows(file))
    assert len(rows) == 600
    assert {row.fields["label"] for row in rows} == {"1", "2"}
    lengths = [len(row.fields["text"].split()) for row in rows]
    assert 70 < np.mean(lengths) < 90, "as those of Amazon polarity (Zhang et al. 2015)"
    text.write_reviews(tmp_path / "again.ft.txt.bz2", 600)
    assert (tmp_path / "again.ft.txt.bz2").read_bytes() == file.read_bytes()

    monkeypatch.setenv("LSTM_JAX_CACHE", os.environ["LSTM_JAX_CACHE"])  # The benchmark sets it.
    config = Config()
    config.data.source, config.data.path, config.data.tokens.kind = "amazon_polarity", str(file), "treebank"
    answer = text.Preparation("ours").prepare(to_json(config), str(tmp_path / "cache"))
    assert list(answer["seconds"]) == ["reading", "tokenising"]
    assert min(answer["seconds"].values()) > 0
    assert answer["peak_bytes"] > 2**20
    assert len(list((tmp_path / "cache").glob("vocabularies/????????????????.json"))) == 1


def test_the_table():
    made = Measurement("text", "reviews 600", "ours", "preparing", details={"reading": 2.0, "tokenising": 1.0})
    made = made.timed([[3.0]])._replace(peak_bytes=2**29)
    table, peak = text.preparation_table(made, 600).split("\n\n")
    assert table.splitlines()[2:] == ["| reading | 2.0 | 300 |", "| tokenising | 1.0 | 600 |", "| all | 3.0 | 200 |"]
    assert "0.50 GiB" in peak
    assert text.preparation_table(made._replace(error="no memory"), 600) == "reviews 600: no memory"
