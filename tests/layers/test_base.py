"""Inputs in a wrong layout are refused: by the layers always, and by the annotations in tests."""

import jax
import jaxtyping
import numpy as np
import pytest

from lstm_jax.cells import gru, lstm
from lstm_jax.layers import auto_lstm, bidirectional, lstm_vjp, output_size, scan, segmented, stack
from tests.helpers import random, random_weights

T, B, D, H = 6, 3, 5, 4
LENGTHS = np.array([T, 2, 4])
LAYERS = {
    "scan": scan(gru(H)),
    "custom_vjp": lstm_vjp(H),
    "auto": auto_lstm(H),
    "bidirectional": bidirectional(scan(lstm(H)), scan(lstm(H), reverse=True)),
    "stack": stack([scan(lstm(H)), lstm_vjp(H)]),
    "segmented": segmented(lstm_vjp(H), 3),
}

every_layer = pytest.mark.parametrize("name", LAYERS)


def applied(name: str, x: np.ndarray, lengths: np.ndarray = LENGTHS):
    params = random_weights(LAYERS[name], D, 1)
    return jax.eval_shape(LAYERS[name].apply, params, x, lengths)


@pytest.fixture
def unchecked(monkeypatch):
    """Switches the check of annotations off, as it is outside of tests."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@every_layer
@pytest.mark.usefixtures("unchecked")
def test_batch_first_inputs_are_refused_with_the_layout(name):
    message = r"x\[T, B, D\], time first, and lengths\[B\].*; found x\[3, 6, 5\] and lengths\[3\]; jnp\.swapaxes"
    with pytest.raises(ValueError, match=message):
        applied(name, random(0, B, T, D))


@every_layer
@pytest.mark.usefixtures("unchecked")
def test_lengths_of_a_wrong_size_are_refused(name):
    with pytest.raises(ValueError, match=r"found x\[6, 3, 5\] and lengths\[2\]"):
        applied(name, random(0, T, B, D), LENGTHS[:2])


@every_layer
@pytest.mark.usefixtures("unchecked")
def test_a_wrong_number_of_features_is_refused(name):
    with pytest.raises(ValueError, match=r"with D = 5, as the weights have it; found x\[\d, \d, 7\]"):
        applied(name, random(0, T, B, 7))


@every_layer
@pytest.mark.usefixtures("unchecked")
def test_one_example_without_a_batch_axis_is_refused(name):
    with pytest.raises(ValueError, match=r"found x\[6, 5\] and lengths\[\]"):
        applied(name, random(0, T, D), np.array(4))


@every_layer
def test_annotations_are_checked_in_tests(name):
    with pytest.raises(jaxtyping.TypeCheckError, match="lengths"):
        applied(name, random(0, B, T, D))


def test_output_size_counts_the_features_that_leave_a_layer():
    sizes = {name: output_size(layer, random_weights(layer, D, 1), D) for name, layer in LAYERS.items()}
    assert sizes == {**dict.fromkeys(LAYERS, H), "bidirectional": 2 * H}
