import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from lstm_jax.cells import gru, lstm
from lstm_jax.layers import scan, segmented
from lstm_jax.reports import gates, plots
from tests.helpers import random, random_weights
from tests.reports.helpers import check_readable

CELLS = {"lstm": lstm, "gru": gru}


def weights(cell, input_size: int, seed: int):
    return jax.tree.map(jnp.asarray, random_weights(cell, input_size, seed))


def outputs_of(inside) -> np.ndarray:
    """The outputs that follow from what is recorded."""
    return inside.o * np.tanh(inside.c) if isinstance(inside, gates.GateTrace) else inside.h


@pytest.mark.parametrize("segment", [0, 3])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("name", CELLS)
def test_what_is_recorded_is_what_the_layer_computes(name, reverse, segment):
    cell = CELLS[name](5)
    params, x = weights(cell, 3, 0), jnp.asarray(random(1, 7, 3))
    layer = scan(cell, reverse)
    y, _ = (segmented(layer, segment) if segment else layer).apply(params, x[:, None], jnp.array([7]))
    inside = gates.record_gates(params, x, segment, reverse=reverse)
    np.testing.assert_allclose(outputs_of(inside), y[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("name", CELLS)
def test_what_is_recorded_is_what_a_loop_of_the_cell_gives(name, reverse):
    cell = CELLS[name](4)
    params, x = weights(cell, 3, 2), jnp.asarray(random(3, 6, 3))
    state, states = cell.initial_state(1), []
    for x_t in x[::-1] if reverse else x:
        state, _ = cell.step(params, state, x_t[None])
        states.append(jax.tree.leaves(state)[0][0])  # The cell state of an LSTM, the hidden state of a GRU.
    inside = gates.record_gates(params, x, reverse=reverse)
    np.testing.assert_allclose(inside[-1], states[::-1] if reverse else states, rtol=1e-5, atol=1e-6)


def test_the_recurrence_of_each_cell_holds_in_what_is_recorded():
    x = jnp.asarray(random(1, 6, 3))
    seen = gates.record_gates(weights(lstm(5), 3, 0), x)
    np.testing.assert_allclose(seen.c[1:], seen.f[1:] * seen.c[:-1] + seen.i[1:] * seen.g[1:], rtol=1e-4, atol=1e-6)
    seen = gates.record_gates(weights(gru(5), 3, 0), x)
    np.testing.assert_allclose(
        seen.h[1:], (1 - seen.z[1:]) * seen.n[1:] + seen.z[1:] * seen.h[:-1], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("name", CELLS)
def test_what_is_recorded_is_rounded_as_the_layer_rounds(name):
    cell = CELLS[name](5, matmul_dtype="bfloat16")
    params, x = weights(cell, 3, 0), jnp.asarray(random(1, 6, 3))
    inside, whole = (gates.record_gates(params, x, matmul_dtype=dtype) for dtype in ("bfloat16", None))
    y, _ = scan(cell).apply(params, x[:, None], jnp.array([6]))
    np.testing.assert_allclose(outputs_of(inside), y[:, 0], rtol=1e-5)
    assert np.abs(inside[-1] - whole[-1]).max() > 1e-5


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
    traces = {name: gates.GateTrace(*np.random.default_rng(0).random((5, tokens, units))) for name in directions}
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
        for field, values in enumerate(traces[direction]):
            joined = np.concatenate([axes.images[5 * n + field].get_array().T for axes in panels])
            np.testing.assert_allclose(np.sort(joined, axis=1), np.sort(values, axis=1))
    for axes in curves:
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [gates.ALONE, gates.SO_FAR]
    named = {text.get_text() for axes in panels for text in axes.texts}
    assert named == (set(directions) if len(directions) > 1 else set())
    alone, so_far = (np.concatenate([axes.lines[n].get_ydata() for axes in curves]) for n in (0, 1))
    np.testing.assert_allclose((alone, so_far), (np.linspace(1, 0, tokens), np.linspace(0, 1, tokens)))


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
    trace = gates.GateTrace(*np.zeros((5, 2, 3)))
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
