"""The picture of what a layer shows of a text."""

import numpy as np
import pytest
from PIL import Image

from lstm_jax.reports import gates, plots
from tests.reports.helpers import check_readable

NAMES = ("forget gate", "input gate", "output gate", "candidate", "cell state")


@pytest.mark.parametrize("tokens", [1, 2, 59, 60, 61, 120, 121, 400, 1000])
def test_rows_hold_every_token_once(tokens):
    rows = gates.token_rows(tokens)
    assert [n for row in rows for n in range(row.start, row.stop)] == list(range(tokens))
    assert len(rows) == -(-tokens // 60)
    lengths = [row.stop - row.start for row in rows]
    assert max(lengths) == lengths[0] <= 60
    assert min(lengths) > lengths[0] // 2 or tokens == 1


def picture(tokens: int, directions=("forward",), words=None, units: int = 4, name="positive"):
    """A figure of random gates, and the words in it."""
    arrays = np.random.default_rng(0).random((5, tokens, units))
    traces = {direction: dict(zip(NAMES, arrays, strict=True)) for direction in directions}
    words = words or [f"word{n}" for n in range(tokens)]
    predictions = gates.Predictions(name, np.linspace(0, 1, tokens), np.linspace(1, 0, tokens))
    return gates.draw_gates(traces, words, predictions, ["prediction: positive"]), traces


@pytest.mark.parametrize("tokens", [1, 61, 130])
@pytest.mark.parametrize("directions", [("forward",), ("forward", "backward")], ids=["one", "both"])
def test_all_tokens_and_directions_are_drawn_in_rows(tokens, directions):
    drawn, traces = picture(tokens, directions)
    rows = gates.token_rows(tokens)
    panels = [axes for axes in drawn.axes if len(axes.images) == 5 * len(directions)]
    curves = [axes for axes in drawn.axes if axes.get_legend()]
    assert len(panels) == len(curves) == len(rows)
    words = [text.get_text() for axes in curves for text in axes.texts if text.get_text().startswith("word")]
    assert words == [f"word{n}" for n in range(tokens)]
    for n, direction in enumerate(directions):
        for panel, values in enumerate(traces[direction].values()):
            joined = np.concatenate([axes.images[5 * n + panel].get_array().T for axes in panels])
            np.testing.assert_allclose(np.sort(joined, axis=1), np.sort(values, axis=1))
    for axes in curves:
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [gates.ALONE, gates.SO_FAR]
    named = {text.get_text() for axes in panels for text in axes.texts}
    assert named == (set(directions) if len(directions) > 1 else set())
    alone, so_far = (np.concatenate([axes.lines[n].get_ydata() for axes in curves]) for n in (0, 1))
    np.testing.assert_allclose((alone, so_far), (np.linspace(1, 0, tokens), np.linspace(0, 1, tokens)))


def panels_of(trace) -> list[tuple[str, tuple[float, float]]]:
    """Name and range of colours of each panel, from the top."""
    predictions = gates.Predictions("a", np.zeros(2), np.zeros(2))
    drawn = gates.draw_gates({"forward": trace}, ["x", "y"], predictions, [""])
    (axes,) = (axes for axes in drawn.axes if len(axes.images) == len(trace))
    check_readable(drawn)
    return [
        (label.get_text(), image.get_clim()) for label, image in zip(axes.get_yticklabels(), axes.images, strict=True)
    ]


def test_panels_are_ordered_and_coloured_by_kind_whatever_their_order():
    seen = {"hidden state": -0.3, "candidate": 0.2, "update gate": 0.5, "cell state": 0.1, "reset gate": 0.9}
    assert panels_of({name: np.full((2, 3), value) for name, value in seen.items()}) == [
        *(("reset gate", (0, 1)), ("update gate", (0, 1)), ("candidate", (-1, 1))),
        *(("cell state", (-0.3, 0.3)), ("hidden state", (-0.3, 0.3))),
    ]


def test_larger_values_widen_the_range_of_their_kind():
    seen = {"exponential gate": 4.0, "candidate": -2.0, "a name of its own that is long": 8.0}
    assert panels_of({name: np.full((2, 3), value) for name, value in seen.items()}) == [
        *(("exponential gate", (0, 4)), ("candidate", (-2, 2)), ("a name of i… long", (-8, 8))),
    ]
    assert panels_of({"decay": np.full((2, 3), 0.5)}) == [("decay", (-0.5, 0.5))]


def test_the_units_of_each_direction_are_sorted_by_the_state_it_ends_with():
    drawn, _ = picture(5, ("forward", "backward"))
    images = next(axes.images for axes in drawn.axes if len(axes.images) == 10)
    for state, end in ((images[4], -1), (images[9], 0)):
        assert np.all(np.diff(state.get_array()[:, end]) <= 0)


def test_unknown_tokens_are_red_and_long_ones_lose_their_middle():
    drawn, _ = picture(3, words=["[UNK]", "a" * 1000, "映画\x1b"])
    (curves,) = (axes for axes in drawn.axes if axes.get_legend())
    unknown, long, strange = curves.texts
    assert (unknown.get_color(), long.get_color()) == (gates.UNKNOWN_COLOUR, "black")
    assert long.get_text() == "a" * 16 + "…" + "a" * 7
    assert strange.get_text() == r"映画\x1b"
    assert drawn.get_figheight() < 12


@pytest.mark.parametrize("name", ["positive", "class <28> & \u05e9\u05dc\u05d5\u05dd", "very positive indeed"])
def test_the_name_of_a_class_fits_the_margin(name):
    check_readable(picture(6, name=name)[0])


def test_letters_that_the_font_of_tokens_lacks_come_from_others():
    drawn, _ = picture(1, words=["\u05e9\u05dc\u05d5\u05dd"])
    (token,) = next(axes.texts for axes in drawn.axes if axes.get_legend())
    assert token.get_fontfamily()[:2] == ["monospace", "DejaVu Sans"]


def test_states_of_zeros_have_a_scale(tmp_path):
    trace = dict.fromkeys(NAMES, np.zeros((2, 3)))
    predictions = gates.Predictions("a", np.zeros(2), np.zeros(2))
    plots.save(gates.draw_gates({"forward": trace}, ["x", "y"], predictions, [""]), tmp_path / "explain.png")
    assert (tmp_path / "explain.png").stat().st_size > 5_000


@pytest.mark.slow
def test_a_very_long_text_is_written_smaller(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "MOST_PIXELS", 2_000)
    drawn, _ = picture(200)
    plots.save(drawn, tmp_path / "explain.png")
    with Image.open(tmp_path / "explain.png") as image:
        assert max(image.size) <= 2_000
