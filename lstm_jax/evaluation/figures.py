"""The metrics of a trained run on a split of the data."""

import numpy as np

from lstm_jax.data.corpus import Corpora
from lstm_jax.evaluation.predictions import checked_split, lane_probabilities
from lstm_jax.reports import calibration, plots
from lstm_jax.reports.tables import EvaluationFigures
from lstm_jax.training.restore import Trained
from lstm_jax.training.workdir import write_json

LEAST_PROBABILITY = 1e-30  # The smallest probability whose logarithm is taken.


def evaluate_split(trained: Trained, corpora: Corpora, split: str) -> EvaluationFigures:
    """Accuracy, loss, confusion and calibration on a split; writes ``eval-SPLIT.json`` and plots."""
    labels = checked_split(trained, corpora, split).labels
    by_lane, n = lane_probabilities(trained, checked_split(trained, corpora, split)), len(labels)
    predicted = by_lane.mean(axis=0)
    confusion = np.zeros((len(trained.classes.names),) * 2, int)
    np.add.at(confusion, (labels, predicted.argmax(axis=1)), 1)
    bins = calibration.bins(predicted, labels)
    figures = EvaluationFigures(
        accuracy=float(np.trace(confusion) / n),
        loss=float(-np.log(predicted[np.arange(n), labels].clip(LEAST_PROBABILITY)).mean()),
        n=n,
        confusion=confusion.tolist(),
        calibration_error=calibration.expected_error(bins),
        lanes=np.mean(by_lane.argmax(axis=2) == labels, axis=1).tolist(),
        checkpoint_step=trained.step,
    )
    write_json(trained.workdir / f"eval-{split}.json", figures._asdict())
    plots.confusion(confusion, trained.classes.names, trained.workdir / "plots" / f"confusion-{split}.png")
    calibration.draw_calibration(bins, trained.workdir / "plots" / f"calibration-{split}.png")
    return figures
