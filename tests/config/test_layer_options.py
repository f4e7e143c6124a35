"""Options of layers in a config: which values they take, which configs are equal, what may vary them."""

import math

import pytest

from lstm_jax import config as configs
from lstm_jax.cells import gru, register
from lstm_jax.config import Config, validate
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.layers import make_layer
from lstm_jax.models.classifier import directions
from lstm_jax.registry import CELLS, layer_options
from lstm_jax.studies.grid import Grid
from lstm_jax.studies.trials import group_by_program
from lstm_jax.training.workdir import Workdir, lanes_of
from tests.training.tiny import tiny_config

made = []


def windowed(hidden_size, window: int = 2, scaled: bool = False, tau: float = 0.5, matmul_dtype=None):
    """A cell that keeps the options it is made with."""
    if window < 1:
        raise ConfigError(f"window is {window}; it must be at least 1")
    made.append((window, scaled, tau))
    return gru(hidden_size)


@pytest.fixture(autouse=True)
def own():
    register("windowed", windowed)
    made.clear()
    yield
    CELLS.unregister("windowed")


def config_of(layer: str = "windowed", **options) -> Config:
    config = Config()
    config.model.layer, config.model.layer_options = layer, options
    return config


def test_options_are_the_numbers_among_the_arguments():
    assert layer_options("windowed") == {"window": 2, "scaled": False, "tau": 0.5}
    assert layer_options("lstm") == layer_options("peephole_lstm") == {"forget_bias": 1.0}
    assert layer_options("gru") == layer_options("rnn_relu") == {}


def test_options_reach_the_layer_in_their_types():
    directions(validate(config_of(window=3.0, scaled=1, tau=2)).model)
    make_layer("windowed", 4, window=5)
    assert made[-2:] == [(3, True, 2.0), (5, False, 0.5)]
    assert [type(value) for value in made[-2]] == [int, bool, float]


@pytest.mark.parametrize(
    ("layer", "name", "value", "message"),
    [
        ("windowed", "windw", 3, "the layer 'windowed' has no option 'windw'; did you mean 'window'"),
        ("gru", "forget_bias", 1, "the layer 'gru' has no option 'forget_bias'; it has none"),
        ("windowed", "window", 2.5, "the option 'window' of the layer 'windowed' is 2.5; it must be an integer"),
        ("windowed", "scaled", 2, "the option 'scaled' of the layer 'windowed' is 2; it must be 0 or 1"),
        ("windowed", "tau", math.nan, "the option 'tau' of the layer 'windowed' is nan; it must be a finite number"),
        ("windowed", "window", math.inf, "'windowed' is inf; it must be an integer"),
        ("windowed", "window", 0, "window is 0; it must be at least 1"),
        ("variational_lstm", "recurrent_dropout", 1, "recurrent_dropout is 1; a dropout rate must be at least 0"),
    ],
)
def test_wrong_options_are_refused_by_config_and_layer(layer, name, value, message):
    with pytest.raises(ConfigError, match=message):
        make_layer(layer, 4, **{name: value})
    with pytest.raises(ConfigError, match=f"config.model.layer_options.*{message.split(';')[-1]}"):
        validate(config_of(layer, **{name: value}))


@pytest.mark.parametrize("value", ["3", {"a": 1}, None, (1,), 10**400])
def test_an_option_is_a_number(value):
    with pytest.raises(ConfigError, match=r"config\.model\.layer_options"):
        validate(config_of(window=value))


def test_an_option_at_its_default_is_as_if_it_were_not_given():
    bare, given, other = config_of(), config_of(window=2.0, scaled=0), config_of(window=3)
    assert configs.canonical(bare) == configs.canonical(given) != configs.canonical(other)
    assert configs.differences(bare, given) == configs.differences(given, bare) == []
    assert configs.differences(bare, other) == [("model.layer_options.window", 2.0, 3)]


def test_options_are_set_by_path_and_kept_in_json():
    config = configs.with_fields(config_of(), {"model.layer_options.window": 4, "model__layer_options__tau": 1})
    assert configs.from_json(configs.to_json(config)) == config
    assert dict(config.model.layer_options) == {"window": 4, "tau": 1}
    configs.check_path("config.model.layer_options.window")
    with pytest.raises(
        ConfigError, match=r"is a mapping; set one of its numbers, such as .*layer_options\.forget_bias"
    ):
        configs.check_path("config.model.layer_options")


def test_a_grid_varies_an_option():
    grid = Grid(config_of("lstm"), {"model.layer_options.forget_bias": (0.0, 1.0)})
    groups = group_by_program(grid.trials(), grid.base)
    assert [trial.changes for group in groups for trial in group] == [
        (("model.layer_options.forget_bias", 0.0),),
        (("model.layer_options.forget_bias", 1.0),),
    ]
    assert len(groups) == 2  # An option shapes the program.


def test_a_run_does_not_go_on_with_another_option(tmp_path):
    before, same, other = (
        tiny_config(model__layer="windowed", model__layer_options=options)
        for options in ({}, {"window": 2}, {"window": 3})
    )
    with Workdir(tmp_path, before, lanes_of(before)) as place:
        place.claim(before, lanes_of(before))
    with Workdir(tmp_path, same, lanes_of(same)):
        pass
    with pytest.raises(UserError, match=r"model\.layer_options\.window is 2\.0 there and 3 here"):
        Workdir(tmp_path, other, lanes_of(other))
