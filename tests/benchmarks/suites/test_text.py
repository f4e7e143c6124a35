"""The benchmark of the text pipeline, on few reviews."""

import numpy as np

from lstm_jax.benchmarks import text
from lstm_jax.config import DataConfig
from lstm_jax.data import corpus, readers


def test_generated_reviews_are_as_long_as_those_of_amazon(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "WORDS", 20_000)
    file = tmp_path / "train.ft.txt.bz2"
    text.write_reviews(file, 600)
    rows = list(readers.rows(file))
    assert len(rows) == 600
    assert {row.fields["label"] for row in rows} == {0, 1}
    lengths = [len(row.fields["text"].split()) for row in rows]
    assert 70 < np.mean(lengths) < 90, "as those of Amazon polarity (Zhang et al. 2015)"
    text.write_reviews(tmp_path / "again.ft.txt.bz2", 600)
    assert (tmp_path / "again.ft.txt.bz2").read_bytes() == file.read_bytes()

    config = DataConfig(source="amazon_polarity", path=str(file))
    config.tokens.words = "treebank"
    prepare = corpus.select
    stages = text.measure(config)
    assert [name for name, _ in stages] == [
        "reading",
        "choosing the parts",
        "cleaning and finding words",
        "vocabulary",
        "words to ids",
        "corpus",
    ]
    assert all(seconds > 0 for _, seconds in stages)
    assert corpus.select is prepare, "nothing is timed any more"
    last = text.table([("reading", 2.0), ("corpus", 1.0)], 600, 2**29).splitlines()
    assert last[0].split() == ["reading", "2.0", "s", "300", "reviews/s"]
    assert last[2].split() == ["all", "3.0", "s", "200", "reviews/s"]
    assert last[3].split() == ["peak", "memory", "0.50", "GiB"]
