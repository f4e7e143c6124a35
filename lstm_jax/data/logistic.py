"""Logistic regression on features weighted by naive Bayes (Wang & Manning 2012), for any number of classes."""

from typing import Any

import numpy as np

from lstm_jax.types import HostArray

MOST_ITERATIONS = 100
LEAST_DECREASE = 1e-6  # The relative decrease of the loss at which the fit has converged.


def log_count_ratios(features: Any, labels: HostArray, classes: int) -> HostArray:
    """How much likelier a feature is in a class than in the others, ``log((p / |p|) / (q / |q|))``, ``[F, C]``.

    ``p`` holds one more than the number of the class's examples with each feature, ``q`` the same of all other classes.
    The paper has two classes; of more, each is held against the rest.

    Args:
      features: Which features each example has, a sparse array of ones, ``[N, F]``.
      labels: The classes of the examples, ``[N]``.
      classes: Number of classes, C.
    """
    there = np.asarray(features.T @ np.eye(classes, dtype=np.float32)[labels], np.float64)
    own, others = there + 1, there.sum(axis=1, keepdims=True) - there + 1
    return (np.log(own / own.sum(axis=0)) - np.log(others / others.sum(axis=0))).astype(np.float32)


def fit_logistic(
    features: Any, labels: HostArray, ratios: HostArray, decay: float, start: HostArray | None = None
) -> tuple[HostArray, HostArray]:
    """The weights ``[F, C]`` and the biases ``[C]`` that minimise a regularised mean cross-entropy, by L-BFGS.

    The weight of a feature is its ratio times a factor u, and the factors are regularised: the loss is the mean
    cross-entropy in nats plus ``decay / 2 · |u|²``. A feature that tells the classes apart gets its weight cheaply.

    Args:
      features: The features of the examples, a sparse float32 array ``[N, F]``.
      labels: The classes of the examples, ``[N]``.
      ratios: The log-count ratios, ``[F, C]``.
      decay: The strength of the regularisation.
      start: The weights to start from, ``[F, C]``, such as those of another strength; zeros by default.
    """
    from scipy.optimize import minimize  # A slow import, which a run on cached weights does not need.

    examples, size = len(labels), ratios.size
    target = np.eye(ratios.shape[1], dtype=np.float32)[labels]

    def loss(flat: HostArray) -> tuple[float, HostArray]:
        factors = flat[:size].reshape(ratios.shape).astype(np.float32)
        logits = features @ (factors * ratios) + flat[size:].astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        slope = (np.exp(logs) - target) / examples
        gradient = (features.T @ slope) * ratios + decay * factors
        value = -np.sum(logs * target, dtype=np.float64) / examples + decay / 2 * np.sum(flat[:size] ** 2)
        return float(value), np.concatenate([gradient.ravel(), slope.sum(axis=0)]).astype(np.float64)

    first = np.zeros(size + ratios.shape[1])
    if start is not None:
        first[:size] = np.divide(start, ratios, out=np.zeros_like(start), where=ratios != 0).ravel()
    options = {"maxiter": MOST_ITERATIONS, "ftol": LEAST_DECREASE, "maxcor": 5}
    found = minimize(loss, first, jac=True, method="L-BFGS-B", options=options).x.astype(np.float32)
    return found[:size].reshape(ratios.shape) * ratios, found[size:]
