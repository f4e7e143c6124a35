"""The metrics of a trained run on a split of the data."""

import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.evaluation.predictions import lane_probabilities
from lstm_jax.reports import calibration, plots
from lstm_jax.reports.tables import EvaluationFigures
from lstm_jax.training.restore import Trained
from lstm_jax.training.workdir import write_json
from lstm_jax.types import HostArray

LEAST_PROBABILITY = 1e-30  # The smallest probability whose logarithm is taken.


def evaluate_examples(trained: Trained, examples: FlatCorpus, name: str) -> EvaluationFigures:
    """Accuracy, loss, confusion and calibration on examples; writes ``eval-NAME.json`` and plots.

    Args:
      trained: The run.
      examples: The examples.
      name: Name of the files: the name of a split, or another one.
    """
    return write_figures(trained, lane_probabilities(trained, examples), examples.labels, name)


def write_figures(trained: Trained, by_lane: HostArray, labels: HostArray, name: str) -> EvaluationFigures:
    """Writes ``eval-NAME.json`` and plots from the class probabilities of each lane, ``[L, N, C]``.

    The names of files about the weights of an epoch end in ``-epoch_N``.
    """
    figures = evaluation_figures(by_lane, labels, trained.step)
    name = trained.named(name)
    write_json(trained.workdir / f"eval-{name}.json", figures._asdict())
    folder, bins = trained.workdir / "plots", calibration.bins(by_lane.mean(axis=0), labels)
    plots.confusion(np.array(figures.confusion), trained.classes.names, folder / f"confusion-{name}.png")
    calibration.draw_calibration(bins, folder / f"calibration-{name}.png")
    return figures


def evaluation_figures(by_lane: HostArray, labels: HostArray, step: int) -> EvaluationFigures:
    """The figures of predictions.

    Args:
      by_lane: Class probabilities of each lane, ``[L, N, C]``; their mean is the prediction.
      labels: The true classes, ``[N]``.
      step: The step of the weights.
    """
    predicted = by_lane.mean(axis=0)
    confusion = np.zeros((predicted.shape[1],) * 2, int)
    np.add.at(confusion, (labels, predicted.argmax(axis=1)), 1)
    return EvaluationFigures(
        accuracy=float(np.trace(confusion) / len(labels)),
        loss=float(losses_of(predicted, labels).mean()),
        n=len(labels),
        confusion=confusion.tolist(),
        calibration_error=calibration.expected_error(calibration.bins(predicted, labels)),
        lanes=np.mean(by_lane.argmax(axis=2) == labels, axis=1).tolist(),
        checkpoint_step=step,
    )


def losses_of(probabilities: HostArray, labels: HostArray) -> HostArray:
    """The cross-entropy of each example in nats, ``[N]``, from probabilities ``[N, C]``."""
    return -np.log(probabilities[np.arange(len(labels)), labels].clip(LEAST_PROBABILITY))
