"""Labels of ticks say where the ticks are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.ticker import MaxNLocator

from lstm_jax.reports import plots, ticks
from tests.reports.helpers import check_readable


def value_of(label: str) -> float:
    number = label.replace(",", "")
    return float(number.removesuffix("%")) / 100 if label.endswith("%") else float(number)


@given(
    st.floats(-1e3, 1e3),
    st.floats(1e-4, 1e3),
    st.booleans(),
)
def test_labels_of_ticks_say_where_they_are(low, span, percent):
    places = MaxNLocator(9, steps=[1, 2, 2.5, 5, 10]).tick_values(low, low + span)
    labels = ticks.tick_labels(places, percent)
    assert len(set(labels)) == len(places)
    spacing = np.diff(places).min()
    for label, tick in zip(labels, places, strict=True):
        decimals = len(label.removesuffix("%").partition(".")[2])
        half = 0.5 * 10.0**-decimals / (100 if percent else 1)
        assert abs(value_of(label) - tick) <= min(half, 1e-2 * spacing)
        assert not label.startswith("-0%")


@pytest.mark.parametrize(
    ("places", "labels"),
    [
        ([0.9925, 0.995, 0.9975, 1.0], ["99.25%", "99.50%", "99.75%", "100.00%"]),
        ([0.5, 0.6, 0.7], ["50%", "60%", "70%"]),
        ([-1e-17, 0.1 * 3], ["0%", "30%"]),
        ([0.5], ["50%"]),
        ([], []),
    ],
)
def test_percentages_have_as_many_digits_as_the_ticks_need(places, labels):
    assert ticks.tick_labels(places, percent=True) == labels


@given(st.floats(-7, 6), st.floats(1e-3, 12), st.integers(2, 15))
def test_ticks_of_a_logarithmic_axis_are_few_and_lie_on_it(low, decades, most):
    low, high = 10**low, 10 ** (low + decades)
    places = ticks.log_ticks(low, high, most)
    assert len(places) <= most + 1
    assert all(low <= place <= high for place in places)
    assert len({f"{place:,.6g}" for place in places}) == len(places)


def test_logarithmic_axes_have_plain_numbers(tmp_path):
    drawn, axes = plots.figure(4, 3)
    axes.plot([1e-4, 1e-1], [0, 1])
    axes.set_xscale("log")
    ticks.label_plain(axes.xaxis)
    plots.save(drawn, tmp_path / "log.png")
    labels = [label.get_text() for label in axes.get_xticklabels(which="both")]
    assert {"0.001", "0.01"} <= set(labels)
    assert not any("$" in label for label in labels)


@pytest.mark.parametrize("high", [1, 2, 3, 40, 1440, 1_728_400])
def test_steps_are_whole_numbers(high):
    drawn, axes = plots.figure(7, 4)
    axes.plot([0, high], [0, 1])
    ticks.label_counts(axes.xaxis)
    drawn.draw_without_rendering()
    for tick in axes.xaxis.get_major_ticks():
        assert value_of(tick.label1.get_text()) == tick.get_loc() == round(tick.get_loc())
    check_readable(drawn)
