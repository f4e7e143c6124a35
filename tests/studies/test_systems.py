"""The table of systems: seeds, baselines, and that finished runs are not trained again."""

import json

import pytest

from lstm_jax.config import Config
from lstm_jax.evaluation.baselines import LEAKING, TFIDF, WEIGHTED
from lstm_jax.studies import stacks, systems
from lstm_jax.studies.systems import System, Systems
from lstm_jax.training import run
from lstm_jax.training.workdir import Lane, Workdir, read_config


def tiny(ensemble: int = 1) -> Config:
    config = Config()
    config.ensemble = ensemble
    config.reference_accuracy = 0.5
    config.data.reviews = 300
    config.model.hidden_size = config.model.embedding_size = 4
    config.train.epochs, config.train.batch_size, config.train.buckets = 1, 32, 1
    return config


def study() -> Systems:
    return Systems(
        (System("Z", "tiny", "generated", {"faithful": tiny(), "improved": tiny(2)}, baselines=True, leaking=True),)
    )


@pytest.mark.long
def test_a_row_a_variant_from_runs_that_are_made_once(tmp_path, monkeypatch):
    table = study().run(tmp_path)
    lines = table.splitlines()
    assert lines[2].startswith("| Z `tiny` | generated | faithful | 50.00% | ")
    accuracies = [
        json.loads((tmp_path / "tiny" / "faithful" / f"seed{seed}" / "eval-test.json").read_text())["accuracy"]
        for seed in range(systems.SYSTEM_SEEDS)
    ]
    assert f"| {100 * sum(accuracies) / 3:.2f} ± " in lines[2]
    assert [line.split("|")[3].strip() for line in lines[3:9]] == [
        "faithful: majority",
        "faithful: class frequencies (Glos 2021)",
        "faithful: naive Bayes",
        f"faithful: {TFIDF}",
        f"faithful: {WEIGHTED}",
        f"faithful: {LEAKING}",
    ]
    folders = (tmp_path / "tiny" / "improved").glob("seed*/lanes.json")
    lanes = {file.parent.name: [lane["seed"] for lane in json.loads(file.read_text())] for file in folders}
    assert lanes == {"seed0": [0, 1], "seed2": [2, 3], "seed4": [4, 5]}, "no two repetitions share a seed"
    assert lines[2].split("|")[6:8] == [" 167 ", " 46 "], "reviews trained on and tested on"
    assert (tmp_path / "table.md").read_text() == table
    for folder in (tmp_path / "tiny").glob("*/seed*"):  # train.py opens them by their own config
        config = read_config(folder)
        with Workdir(folder, config, [Lane(config.seed + n, {}) for n in range(config.ensemble)]) as place:
            assert place.summary()["status"] == "done"

    monkeypatch.setattr(run, "train_lanes", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(stacks, "evaluate_examples", lambda *_: pytest.fail("tested again"))
    monkeypatch.setattr(systems, "linear_baselines", lambda *_: pytest.fail("fit again"))
    assert study().run(tmp_path) == table


@pytest.mark.slow
def test_a_long_system_has_one_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(systems, "SHORT", 0.0)
    table = Systems((System("Z", "tiny", "generated", {"faithful": tiny()}),)).run(tmp_path)
    assert "±" not in table
    assert [folder.name for folder in (tmp_path / "tiny" / "faithful").iterdir()] == ["seed0"]
