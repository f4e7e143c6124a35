"""The study of memory: equal sizes, what its files say, and that finished runs are not trained again."""

import csv
import json

import numpy as np
import pytest

from lstm_jax.config import Config
from lstm_jax.configs.studies import memory as study_file
from lstm_jax.errors import ConfigError
from lstm_jax.studies import memory, stacks
from lstm_jax.studies.memory import Memory, TaskLengths
from lstm_jax.studies.reports.memory import MemoryResult, MemoryRun, TaskResult, solved_line, write_memory
from lstm_jax.studies.store import Store

LAYERS = {"rnn_tanh": {"model.layer": "rnn_tanh"}, "gru": {"model.layer": "gru"}}


def tiny(**changes) -> Memory:
    base = Config()
    base.model.embedding_size = 4
    base.train.batch_size, base.train.steps, base.train.validate_every, base.train.buckets = 8, 6, 3, 1
    base.train.tracker = "none"
    given = {"tasks": {"copying": TaskLengths(3, (1, 3, 6))}, "layers": LAYERS, "weights": 400}
    return Memory(base, **{**given, "learning_rates": (1e-3, 1e-2), "seeds": 1, "tested": 8, **changes})


@pytest.mark.parametrize("layer", ["rnn_tanh", "gru", "lstm (2 layers)"])
def test_networks_of_the_study_have_equal_numbers_of_weights(layer):
    study, corpora = study_file.get_config(), memory.task_corpora(memory.TASKS["parity"], 4, (8, 8, 8), (2,), 0)
    changes = tuple(study.layers[layer].items())
    size = memory.hidden_size_for(study.weights, study.base, changes, corpora)
    count = lambda size: memory.number_of_weights(
        memory.trials.config_of(study.base, (*changes, (memory.SIZE_FIELD, size)), 0), corpora
    )
    counts = {each: abs(count(each) - study.weights) for each in (size - 1, size, size + 1)}
    assert min(counts, key=counts.__getitem__) == size
    assert counts[size] / study.weights < 0.025


@pytest.mark.long
def test_a_study_and_its_continuation(tmp_path, monkeypatch):
    table = tiny().run(tmp_path)
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text().splitlines()))
    assert len(rows) == 2 * 2 * 3, "layers, learning rates, lengths"
    assert {row["layer"] for row in rows if row["chosen"] == "1"} == set(LAYERS)
    assert (tmp_path / "table.md").read_text() == table
    assert "copying, solved (at least 99%) up to this number of blanks between: rnn_tanh: none; gru: none." in table
    assert {"memory.png", "report.html"} <= {file.name for file in tmp_path.iterdir()}
    assert "copying" in (tmp_path / "report.html").read_text()
    for folder in (tmp_path / "lanes" / "copying").glob("*/*"):
        lengths = json.loads((folder / "lengths.json").read_text())
        assert [(row["tokens"], row["lane"]) for row in lengths] == [
            (n + 11, lane) for n in (1, 3, 6) for lane in (0, 1)
        ]
        assert not (folder / "checkpoints").exists()

    # As if the process had ended before the second layer was finished.
    store, trained = Store(tmp_path), []
    lost = [row for row in store._rows.values() if "gru" in row.folder]
    store._rows = {key: row for key, row in store._rows.items() if row not in lost}
    store.add([])
    own = stacks.train_stack
    monkeypatch.setattr(stacks, "train_stack", lambda stack, *more: trained.append(stack.folder) or own(stack, *more))
    assert tiny().run(tmp_path) == table
    assert len(trained) == 1
    assert "gru" in trained[0]
    assert tiny().run(tmp_path) == table
    assert len(trained) == 1


def run(layer, rate, seed, validation, *shares) -> MemoryRun:
    return MemoryRun(layer, 8, 400, rate, seed, "done", validation, dict(zip((5, 10, 20), shares, strict=True)), 1.0)


def test_the_learning_rate_is_chosen_by_validation_and_a_gap_ends_what_is_solved(tmp_path):
    runs = [
        run("gru", 0.1, 0, 0.7, 1.0, 1.0, 1.0),
        run("gru", 0.1, 1, 0.7, 1.0, 1.0, 1.0),
        run("gru", 0.2, 0, 0.9, 1.0, 0.5, 1.0),
        run("gru", 0.2, 1, 0.8, 0.98, 0.5, 1.0),
        run("lstm", 0.1, 0, 0.9, 1.0, 0.991, 0.9),
        run("lstm", 0.1, 1, None, 1.0, 0.99, 0.9),
    ]
    result = TaskResult("parity", "bits", 10, (5, 10, 20), [0.5, 0.5, 0.5], runs)
    assert solved_line(result).endswith("bits: lstm: 10; gru: 5.")
    text = write_memory(MemoryResult(400, 6, 2, [result]), tmp_path)
    assert "| gru | 8 | 400 | 0.2 | 99.0 | 50.0 | 100.0 | 5 |" in text
    assert "| best constant answer |  |  |  | 50.0 | 50.0 | 50.0 |  |" in text


def test_chance_is_the_best_constant_answer():
    corpora = memory.task_corpora(memory.TASKS["parity"], 4, (8, 8, 50), (3, 5), 0)
    found = memory._chance(corpora.test)
    odd = [np.mean(corpora.test.labels[:50]), np.mean(corpora.test.labels[50:])]
    np.testing.assert_allclose(found, [max(share, 1 - share) for share in odd])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": {"parityy": TaskLengths(3, (1,))}}, "no memory task 'parityy'; did you mean 'parity'"),
        ({"tasks": {"adding": TaskLengths(3, (1, 2))}}, "give some, of at least 2"),
        ({"tasks": {"parity": TaskLengths(3, (4, 2))}}, "give them in ascending order"),
        ({"layers": {}}, "at least one task, layer"),
        ({"layers": {"mine": {"model.layer": "mine"}}}, "config.model.layer is 'mine'"),
        ({"layers": {"gru": {"model.layer": "gru", "model.hidden_size": 8}}}, "which the study does"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(ConfigError, match=message):
        tiny(**changes).check()


def test_a_variant_that_is_not_there():
    with pytest.raises(ConfigError, match="there are 'quick' and 'grid'"):
        study_file.get_config("quik")
