"""Log-count ratios against counts made one by one, and fits against their optimality conditions and scikit-learn."""

import numpy as np
import pytest
import scipy.sparse

from lstm_jax.data.logistic import fit_logistic, log_count_ratios

N, F = 60, 7


def problem(classes: int) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """Features of which the first ones tell the class, most of the time."""
    rng = np.random.default_rng(classes)
    labels = rng.integers(classes, size=N)
    there = rng.random((N, F)) < np.where(np.arange(F) == labels[:, None], 0.7, 0.3)
    return scipy.sparse.csr_array(there.astype(np.float32)), labels


@pytest.mark.parametrize("classes", [2, 4])
def test_ratios_compare_each_class_with_the_others(classes):
    features, labels = problem(classes)
    found = log_count_ratios(features, labels, classes)
    for c in range(classes):
        sides = []
        for own in (labels == c, labels != c):
            counts = np.array([1 + sum(row[f] for row in features.toarray()[own]) for f in range(F)])
            sides.append(counts / counts.sum())
        np.testing.assert_allclose(found[:, c], np.log(sides[0] / sides[1]), rtol=1e-4)
    if classes == 2:
        np.testing.assert_allclose(found[:, 0], -found[:, 1], rtol=1e-4)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_fit_is_where_the_slope_vanishes(classes):
    features, labels = problem(classes)
    ratios, decay = log_count_ratios(features, labels, classes), 0.05
    weights, bias = fit_logistic(features, labels, ratios, decay)
    dense, target = features.toarray(), np.eye(classes)[labels]
    chances = np.exp(dense @ weights + bias)
    slope = (chances / chances.sum(axis=1, keepdims=True) - target) / N
    np.testing.assert_allclose(ratios * (dense.T @ slope) + decay * weights / ratios, 0, atol=2e-3)
    np.testing.assert_allclose(slope.sum(axis=0), 0, atol=2e-3)
    assert np.mean(np.argmax(chances, axis=1) == labels) > 1.3 / classes


def test_two_classes_are_scikit_learns_logistic_regression_on_scaled_features():
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = problem(2)
    ratios, decay = log_count_ratios(features, labels, 2), 0.02
    weights, bias = fit_logistic(features, labels, ratios, decay)
    # Two softmax weights u and -u have the penalty of one weight 2 u at half the strength.
    theirs = linear_model.LogisticRegression(C=2 / (decay * N), tol=1e-8)
    theirs.fit(features.toarray() * ratios[:, 1], labels)
    np.testing.assert_allclose(weights[:, 1] - weights[:, 0], theirs.coef_[0] * ratios[:, 1], atol=0.02)
    assert bias[1] - bias[0] == pytest.approx(theirs.intercept_[0], abs=0.02)


def test_a_fit_from_other_weights_arrives_at_the_same_place():
    features, labels = problem(4)
    ratios = log_count_ratios(features, labels, 4)
    strong, _ = fit_logistic(features, labels, ratios, 0.5)
    cold, warm = (fit_logistic(features, labels, ratios, 0.05, start)[0] for start in (None, strong))
    np.testing.assert_allclose(warm, cold, atol=0.02)
    assert np.abs(strong - cold).max() > 0.1
