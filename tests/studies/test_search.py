import math

import numpy as np
import pytest

from lstm_jax.errors import ConfigError
from lstm_jax.optimizers import Range
from lstm_jax.studies.search import Search, learning_rate_of

RATES = {"learning_rate": Range(1e-3, 1.0)}


def rates(settings):
    return [learning_rate_of(setting) for setting in settings]


def test_a_grid_is_even_in_the_logarithm_and_holds_its_ends():
    assert rates(Search(points=4).settings(RATES)) == [0.001, 0.01, 0.1, 1.0]
    assert rates(Search(points=1).settings({"learning_rate": (0.3,)})) == [0.3]


def test_a_grid_combines_all_values():
    space = {"learning_rate": (0.1, 0.2), "b1": (0.0, 0.9), "weight_decay": Range(0.0, 1.0, log=False)}
    settings = Search(points=3).settings(space)
    assert len(settings) == len(set(settings)) == 2 * 2 * 3
    assert (("learning_rate", 0.2), ("b1", 0.9), ("weight_decay", 0.5)) in settings


@pytest.mark.parametrize("kind", ["halton", "sobol"])
def test_quasi_random_points_fill_the_space_evenly(kind):
    space = {"learning_rate": Range(1e-4, 1.0), "b1": Range(0.0, 0.9, log=False), "momentum": (0.0, 0.5)}
    settings = [dict(setting) for setting in Search(points=64, kind=kind).settings(space)]
    assert len(settings) == 64
    decades = np.histogram([math.log10(each["learning_rate"]) for each in settings], bins=4, range=(-4, 0))[0]
    assert np.all(np.abs(decades - 16) <= 2)
    assert np.all(np.abs(np.histogram([each["b1"] for each in settings], bins=4, range=(0, 0.9))[0] - 16) <= 2)
    assert abs(sum(each["momentum"] == 0.0 for each in settings) - 32) <= 3
    assert settings == [dict(setting) for setting in Search(points=64, kind=kind).settings(space)]
    assert settings != [dict(setting) for setting in Search(points=64, kind=kind, seed=1).settings(space)]


def test_an_extension_goes_on_where_the_grid_ends_and_keeps_what_there_was():
    search = Search(points=4)
    base, more = search.settings(RATES), search.settings(RATES, 1, 2)
    assert more[:4] == base
    assert rates(more[4:]) == [1e-4, 1e-5, 10.0, 100.0, 1e3, 1e4]


@pytest.mark.parametrize("kind", ["halton", "sobol"])
def test_an_extension_of_quasi_random_points_lies_beyond(kind):
    search = Search(points=12, kind=kind)
    more = search.settings(RATES, 1, 1)
    assert more[:12] == search.settings(RATES)
    lower, upper = rates(more[12:16]), rates(more[16:])
    assert len(upper) == 4
    assert all(1e-4 <= rate <= 1e-3 for rate in lower)
    assert all(1.0 <= rate <= 10.0 for rate in upper)


def test_the_edge_is_told():
    search = Search(points=4)
    tried = search.settings(RATES)
    assert [search.at_edge(setting, tried) for setting in tried] == [-1, 0, 0, 1]
    assert search.at_edge(tried[0], tried[:1]) == 0


@pytest.mark.parametrize(
    ("search", "space", "message"),
    [
        (Search(kind="random"), RATES, "kind is 'random'; it must be one of grid, halton, sobol"),
        (Search(points=0), RATES, "has 0 points"),
        (Search(), {}, "holds nothing; it needs a learning_rate"),
        (Search(), {"learning_rate": ()}, r"of learning_rate is \(\); give a Range or a tuple of values"),
        (Search(), {"learning_rate": 0.1}, "of learning_rate is 0.1; give a Range"),
        (Search(), {"learning_rate": (0.0, 0.1)}, "of learning_rate holds 0.0; it must be above 0"),
        (Search(), {"learning_rate": Range(-1.0, 1.0)}, "of learning_rate holds -1.0; it must be above 0"),
        (Search(), {"learning_rate": Range(1.0, 0.1)}, "of learning_rate reaches from 1.0 to 0.1; it is empty"),
        (Search(), {"learning_rate": Range(0.1, math.inf)}, "its values must be finite numbers"),
        (Search(), {**RATES, "b1": ("high",)}, "of b1 is .*; its values must be finite numbers"),
        (Search(), {**RATES, "eps": Range(0.0, 1.0)}, "of eps holds 0.0; it must be above 0"),
        (Search(), Range(1e-4, 1e-1), "a search space is Range.*; give a dict, as"),
        (Search(kind="halton"), {"learning_rate": (0.1, 0.2)}, "has the setting learning_rate 0.[12] twice"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search, space, message):
    with pytest.raises(ConfigError, match=message):
        search.settings(space)


def test_listed_rates_cannot_be_extended():
    with pytest.raises(ConfigError, match="of learning rates can be extended"):
        Search().settings({"learning_rate": (0.1, 0.2)}, 1, 0)


def test_values_of_numpy_are_numbers():
    assert rates(Search().settings({"learning_rate": (np.float32(0.5), np.int64(2))})) == [0.5, 2.0]
