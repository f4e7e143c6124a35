"""The metrics of a trained run on a split of the data."""

import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.evaluation.predictions import lane_probabilities
from lstm_jax.reports import calibration, plots
from lstm_jax.reports.tables import EvaluationFigures
from lstm_jax.training.restore import Trained
from lstm_jax.training.workdir import write_json

LEAST_PROBABILITY = 1e-30  # The smallest probability whose logarithm is taken.


def evaluate_examples(trained: Trained, examples: FlatCorpus, name: str) -> EvaluationFigures:
    """Accuracy, loss, confusion and calibration on examples; writes ``eval-NAME.json`` and plots.

    Args:
      trained: The run.
      examples: The examples.
      name: Name of the files: the name of a split, or another one.
    """
    labels, n = examples.labels, len(examples.labels)
    by_lane = lane_probabilities(trained, examples)
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
    write_json(trained.workdir / f"eval-{name}.json", figures._asdict())
    plots.confusion(confusion, trained.classes.names, trained.workdir / "plots" / f"confusion-{name}.png")
    calibration.draw_calibration(bins, trained.workdir / "plots" / f"calibration-{name}.png")
    return figures
