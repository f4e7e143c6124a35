"""Which validation is the best: by accuracy, by loss, or the last."""

import json

import pytest

from lstm_jax.training import run
from lstm_jax.training.loop_state import LaneState
from tests.training.tiny import tiny_config

VALIDATIONS = [(0.6, 0.9), (0.8, 0.7), (0.8, 0.6), (0.7, 0.5), (0.7, 0.8)]  # Accuracy and loss of each.


@pytest.mark.parametrize(("best_by", "kept"), [("accuracy", [0, 1]), ("loss", [0, 1, 2, 3]), ("last", [0, 1, 2, 3, 4])])
def test_validations_that_are_better_than_all_before(best_by, kept):
    lane, better = LaneState(0), []
    for n, (accuracy, loss) in enumerate(VALIDATIONS):
        if lane.is_better(accuracy, loss, best_by):
            lane.best_accuracy, lane.best_loss = accuracy, loss
            better.append(n)
    assert better == kept


@pytest.mark.long
@pytest.mark.parametrize("best_by", ["accuracy", "loss", "last"])
def test_the_kept_weights_are_the_best_by_their_own_measure(best_by, tmp_path):
    # So high a learning rate overfits: loss and accuracy have their best values at different steps.
    config = tiny_config(train__best_by=best_by, train__epochs=8, optimizer__learning_rate=0.03)
    summary = run.train_lanes(config, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["split"] == "validation"]
    best = {
        "accuracy": max(rows, key=lambda row: row["accuracy"]),
        "loss": min(rows, key=lambda row: row["loss"]),
        "last": rows[-1],
    }
    assert len({row["step"] for row in best.values()}) == 3
    assert summary["best_step"] == best[best_by]["step"]
    assert summary["best_validation_accuracy"] == pytest.approx(best[best_by]["accuracy"])
    assert summary["best_validation_loss"] == pytest.approx(best[best_by]["loss"])
