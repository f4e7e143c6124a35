"""Inputs in a wrong layout are refused: by the layers always, and by the annotations in tests."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from lstm_jax import cells, layers, registry
from lstm_jax.cells import gru, lstm
from lstm_jax.errors import ConfigError
from lstm_jax.layers import Layer, auto_lstm, bidirectional, lstm_vjp, make_layer, output_size, scan, segmented, stack
from lstm_jax.layers.base import checked
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
    "own": checked(Layer(lambda key, size: [jnp.ones((size, H))], lambda p, x, *_: (x @ p[0], ()))),
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
    message = r"with D = 5, as the weights have it; found x\[\d, \d, 7\]"
    with pytest.raises(ValueError, match=r"with D = 7 its weights have" if name == "own" else message):
        applied(name, random(0, T, B, 7))


@every_layer
@pytest.mark.usefixtures("unchecked")
def test_one_example_without_a_batch_axis_is_refused(name):
    with pytest.raises(ValueError, match=r"found x\[6, 5\] and lengths\[\]"):
        applied(name, random(0, T, D), np.array(4))


MESSAGE = r"a layer takes x\[T, B, D\], time first, and lengths\[B\]"


@every_layer
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("x", "lengths", "message"),
    [
        ((T, D), (1,), r".*found x\[6, 5\] and lengths\[1\]; x\[:, None\] makes one example"),
        ((B, D), (B,), r".*found x\[3, 5\] and lengths\[3\]$"),
        ((D,), (), r".*found x\[5\] and lengths\[\]$"),
        ((1, T, B, D), (B,), r".*found x\[1, 6, 3, 5\] and lengths\[3\]$"),
        ((T, B, D), (), r".*found x\[6, 3, 5\] and lengths\[\]$"),
        ((T, B, D), (B, 1), r".*found x\[6, 3, 5\] and lengths\[3, 1\]$"),
        ((B, T, D), (B,), r".*lengths\[3\]; jnp\.swapaxes\(x, 0, 1\) makes batch-first inputs \[B, T, D\]"),
    ],
    ids=["one example", "one step", "one vector", "four axes", "one length", "lengths of two axes", "batch-first"],
)
def test_every_wrong_shape_is_refused_with_what_was_found(name, x, lengths, message):
    with pytest.raises(ValueError, match=MESSAGE + message):
        LAYERS[name].apply(random_weights(LAYERS[name], D, 1), random(0, *x), np.ones(lengths, int))


@every_layer
@pytest.mark.usefixtures("unchecked")
def test_lengths_that_are_no_integers_or_no_array_are_refused(name):
    params, x = random_weights(LAYERS[name], D, 1), random(0, T, B, D)
    for dtype in (np.float32, bool):
        with pytest.raises(TypeError, match=rf"{MESSAGE}, which are integers; found lengths of dtype {dtype.__name__}"):
            LAYERS[name].apply(params, x, np.ones(B, dtype))
    with pytest.raises(TypeError, match=f"{MESSAGE}, as arrays; lengths is of type list"):
        LAYERS[name].apply(params, x, [T, 2, 4])
    with pytest.raises(TypeError, match=f"{MESSAGE}, as arrays; x is of type list"):
        LAYERS[name].apply(params, x.tolist(), LENGTHS)


@every_layer
@pytest.mark.usefixtures("unchecked")
def test_token_ids_have_to_be_embedded(name):
    with pytest.raises(ValueError, match=r"found x\[6, 3\] and lengths\[3\]; token ids \[T, B\] have to be embedded"):
        applied(name, np.ones((T, B), np.int32))


@pytest.fixture
def own():
    """Registers a cell and a layer whose weights have names and shapes of their own, for one test."""
    make = lambda hidden_size, *, reverse=False: LAYERS["own"]
    layers.register("own layer", make)
    step = lambda params, h, x: (jnp.tanh(x @ params["w"] + h),) * 2
    first = lambda key, size: {"w": jnp.ones((size, H))}
    cells.register("own cell", lambda hidden_size: cells.Cell(first, lambda n: jnp.zeros((n, H)), step))
    yield
    registry.CELLS.unregister("own cell")
    registry.LAYERS.unregister("own layer")


@pytest.mark.usefixtures("unchecked", "own")
@pytest.mark.parametrize("name", ["own cell", "own layer"])
@pytest.mark.parametrize("built", ["alone", "stacked", "in both directions"])
def test_layers_of_ones_own_are_checked_too(name, built):
    layer = make_layer(name, H)
    if built != "alone":
        layer = stack([layer, scan(gru(H))]) if built == "stacked" else bidirectional(layer, layer)
    params = layer.init(jax.random.key(0), D)
    with pytest.raises(ValueError, match=MESSAGE):
        layer.apply(params, random(0, B, T, D), LENGTHS)
    with pytest.raises(TypeError, match="which are integers"):
        layer.apply(params, random(0, T, B, D), LENGTHS / 2)
    message = r"with D = 7 its weights have the shapes \[\(7, 4\)\], and those given have \[\(5, 4\)\]"
    with pytest.raises(ValueError, match=message):
        layer.apply(params, random(0, T, B, 7), LENGTHS)


def test_the_check_costs_nothing_when_the_program_runs():
    plain = scan(gru(H))
    arguments = random_weights(plain, D, 1), random(0, T, B, D), LENGTHS
    programs = [jax.jit(layer.apply).lower(*arguments).as_text() for layer in (plain, checked(plain))]
    assert programs[0] == programs[1]


@every_layer
def test_annotations_are_checked_in_tests(name):
    with pytest.raises(jaxtyping.TypeCheckError, match="lengths"):
        applied(name, random(0, B, T, D))


def test_output_size_counts_the_features_that_leave_a_layer():
    sizes = {name: output_size(layer, random_weights(layer, D, 1), D) for name, layer in LAYERS.items()}
    assert sizes == {**dict.fromkeys(LAYERS, H), "bidirectional": 2 * H}


@pytest.mark.parametrize("size", [0, -1])
def test_a_layer_without_units_is_refused(size):
    with pytest.raises(ConfigError, match=f"a layer of {size} units cannot be made; give it at least 1"):
        make_layer("gru", size)
