"""Runs with a linear part: fitted on training examples, no part of training, restored for evaluation."""

import numpy as np
import pytest

from lstm_jax.data import corpus
from lstm_jax.data.ngram_weights import ngram_weights
from lstm_jax.data.tokenizer import unknown_id
from lstm_jax.training import network, run
from lstm_jax.training.logging import RunLog
from lstm_jax.training.restore import load_run
from tests.helpers import assert_equal
from tests.training.tiny import assert_same_run, tiny_config

WIDE = {"model__wide": 4096, "data__reviews": 600, "train__epochs": 1}


def fitted(config):
    corpora = corpus.prepare(config.data)
    return ngram_weights(
        corpora.train, corpora.tokenizer.get_vocab_size(), 2, unknown_id(corpora.tokenizer), config.model.wide
    )


def test_a_linear_part_helps_on_validation_and_leaves_the_network_as_it_is(tmp_path):
    config = tiny_config(**WIDE)
    beside = run.train_lanes(config, tmp_path / "beside")
    alone = run.train_lanes(tiny_config(**WIDE | {"model__wide": 0}), tmp_path / "alone")
    assert beside["best_validation_accuracy"] > alone["best_validation_accuracy"] + 0.05
    trained, plain = (
        load_run(tmp_path / name, own)
        for name, own in (("beside", config), ("alone", tiny_config(**WIDE | {"model__wide": 0})))
    )
    assert_equal(trained.variables["params"], plain.variables["params"])
    found, expected = trained.variables["frozen"]["wide"], fitted(config)._asdict()
    assert set(found) == set(expected)
    for name, table in expected.items():
        np.testing.assert_array_equal(found[name][0], table)


@pytest.mark.slow
def test_one_sigmoid_unit_has_the_difference_of_the_classes(tmp_path):
    config = tiny_config(**WIDE, model__output="sigmoid", ensemble=2)
    run.train_lanes(config, tmp_path)
    found, expected = load_run(tmp_path, config).variables["frozen"]["wide"], fitted(config)._asdict()
    for name, table in expected.items():
        for lane in range(2):
            np.testing.assert_allclose(found[name][lane][..., 0], table[..., 1] - table[..., 0])


@pytest.mark.slow
def test_a_resumed_run_has_the_weights_that_it_began_with(tmp_path, monkeypatch):
    config = tiny_config(**WIDE | {"train__epochs": 2})
    run.train_lanes(config, tmp_path / "whole")
    rows, write = [], RunLog.write

    def stopped(run_log, row):
        rows.append(row)
        if len(rows) == 9:
            raise KeyboardInterrupt
        write(run_log, row)

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            run.train_lanes(config, tmp_path / "resumed")
    fit = network.ngram_weights
    monkeypatch.setattr(network, "ngram_weights", lambda *given: fit(*given)._replace(words=0 * fit(*given).words))
    run.train_lanes(config, tmp_path / "resumed")
    assert_same_run(tmp_path / "whole", tmp_path / "resumed")
    assert np.asarray(load_run(tmp_path / "resumed", config).variables["frozen"]["wide"]["words"]).any()
