"""Layers by name: which implementation is made, and the error if there is none."""

import jax
import numpy as np
import pytest

from lstm_jax import cells, layers
from lstm_jax.cells import gru, lstm
from lstm_jax.config import Config, ModelConfig, validate
from lstm_jax.errors import ConfigError
from lstm_jax.layers import auto_lstm, lstm_vjp, make_layer, pooling, scan
from lstm_jax.registry import CELLS, LAYERS, POOLINGS
from tests.helpers import assert_equal, random, random_weights

T, B, D, H = 6, 3, 5, 4
LENGTHS = np.array([T, 2, 4])


@pytest.fixture
def own():
    """Registers a cell and a layer that cannot round, for one test."""
    cells.register("own cell", lambda hidden_size: gru(hidden_size))
    layers.register("own layer", lambda hidden_size, *, reverse=False: scan(gru(hidden_size), reverse))
    yield
    CELLS.unregister("own cell")
    LAYERS.unregister("own layer")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("matmul_dtype", [None, "bfloat16"])
@pytest.mark.parametrize(
    ("name", "implementation", "expected"),
    [
        ("lstm", "auto", auto_lstm),
        ("lstm", "custom_vjp", lstm_vjp),
        ("lstm", "scan", lambda size, reverse, matmul_dtype: scan(lstm(size, matmul_dtype=matmul_dtype), reverse)),
        ("gru", "auto", lambda size, reverse, matmul_dtype: scan(gru(size, matmul_dtype), reverse)),
        ("gru", "scan", lambda size, reverse, matmul_dtype: scan(gru(size, matmul_dtype), reverse)),
    ],
)
def test_a_name_gives_the_layer(name, implementation, expected, matmul_dtype, reverse):
    found = make_layer(name, H, reverse=reverse, implementation=implementation, matmul_dtype=matmul_dtype)
    wanted = expected(H, reverse=reverse, matmul_dtype=matmul_dtype)
    params, x = random_weights(wanted, D, 1), random(0, T, B, D)
    program, other = (jax.jit(layer.apply).lower(params, x, LENGTHS).as_text() for layer in (found, wanted))
    assert program == other
    assert_equal(found.init(jax.random.key(0), D), wanted.init(jax.random.key(0), D))


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", ["own cell", "own layer"])
@pytest.mark.parametrize("reverse", [False, True])
def test_layers_of_ones_own_need_not_round(name, reverse):
    found, wanted = make_layer(name, H, reverse=reverse), scan(gru(H), reverse)
    params, x = random_weights(wanted, D, 1), random(0, T, B, D)
    assert_equal(*(jax.jit(layer.apply)(params, x, LENGTHS) for layer in (found, wanted)))
    with pytest.raises(ConfigError, match=f"the layer '{name}' takes no matmul_dtype; set .*matmul_dtype='float32'"):
        make_layer(name, H, matmul_dtype="bfloat16")


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "known"),
    [("gru", "'auto', 'scan'"), ("own cell", "'auto', 'scan'"), ("own layer", "'auto'")],
)
def test_an_implementation_that_a_layer_does_not_have_is_refused(name, known):
    message = f"the layer '{name}' has no implementation 'custom_vjp'; there are {known}$"
    with pytest.raises(ConfigError, match=message):
        make_layer(name, H, implementation="custom_vjp")


@pytest.mark.usefixtures("own")
def test_a_config_may_name_every_implementation_that_a_layer_registers():
    make = LAYERS["own layer"]["auto"]
    layers.register("own layer", make, pallas=make)
    validate(Config(model=ModelConfig(layer="own layer", implementation="pallas")))
    message = "implementation is 'scan', which the layer 'own layer' does not have; it must be one of 'auto', 'pallas'"
    with pytest.raises(ConfigError, match=message):
        validate(Config(model=ModelConfig(layer="own layer", implementation="scan")))


@pytest.mark.usefixtures("own")
def test_a_layer_of_ones_own_does_not_replace_a_cell():
    for name in ("gru", "own cell"):
        with pytest.raises(ConfigError, match=f"there is a cell '{name}', which a layer of that name would replace"):
            layers.register(name, lstm_vjp)
    with pytest.raises(ConfigError, match="there is a layer 'own layer', which a cell of that name would replace"):
        cells.register("own layer", gru)
    assert "gru" not in LAYERS
    assert "own layer" not in CELLS


def test_no_pooling_is_called_every():
    with pytest.raises(ConfigError, match="the pooling 'every' stands for no pooling; register yours under another"):
        pooling.register("every", pooling.mean)


def test_an_unknown_layer_gets_the_nearest_names():
    with pytest.raises(ConfigError, match="there is no layer 'lsmt'; did you mean 'lstm'"):
        make_layer("lsmt", H)


def test_the_file_of_what_is_ones_own_is_known_under_the_import_hook(own):
    assert CELLS.file_of("own cell") == LAYERS.file_of("own layer") == __file__
    assert not any(registry.file_of(name) for registry in (CELLS, LAYERS, POOLINGS) for name in ("lstm", "gru", "last"))
