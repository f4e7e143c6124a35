import jax
import numpy as np

from lstm_jax.cells import lstm
from lstm_jax.layers import segmented, unrolled
from lstm_jax.reports import gates, tables


def test_the_table_states_precision_recall_and_f1_of_a_case_worked_by_hand():
    found = tables.Figures(accuracy=0.7, loss=0.5, n=10, confusion=[[3, 1], [2, 4]], checkpoint_step=7)
    lines = tables.figures(found, ("negative", "positive"), "test").splitlines()
    assert lines[0] == "test: 10 reviews, weights of step 7"
    assert lines[1].split()[-1] == "70.00%"
    assert lines[5].split() == ["negative", "60.00%", "75.00%", "66.67%", "4"]
    assert lines[6].split() == ["positive", "80.00%", "66.67%", "72.73%", "6"]
    assert lines[9].split() == ["negative", "3", "1"]


def test_what_is_seen_inside_is_what_the_layer_computes():
    cell = lstm(5)
    params = cell.init(jax.random.key(0), 3)
    x = jax.random.normal(jax.random.key(1), (6, 3))
    inside = gates.look_inside(params, x)
    y, end = unrolled(cell).apply(params, x[:, None], np.array([6]))
    np.testing.assert_allclose(inside.o * np.tanh(inside.c), y[:, 0], rtol=1e-5)
    np.testing.assert_allclose(inside.c[-1], end.c[0], rtol=1e-5)
    np.testing.assert_allclose(
        inside.c[1:], inside.f[1:] * inside.c[:-1] + inside.i[1:] * inside.g[1:], rtol=1e-4, atol=1e-6
    )


def test_what_is_seen_inside_starts_afresh_with_each_segment():
    cell = lstm(5)
    params = cell.init(jax.random.key(0), 3)
    x = jax.random.normal(jax.random.key(1), (7, 3))
    inside = gates.look_inside(params, x, segment=3)
    y, _ = segmented(unrolled(cell), 3).apply(params, x[:, None], np.array([7]))
    np.testing.assert_allclose(inside.o * np.tanh(inside.c), y[:, 0], rtol=1e-5)


def test_the_picture_of_the_gates_is_drawn(tmp_path):
    cell = lstm(5)
    params = cell.init(jax.random.key(0), 3)
    inside = gates.look_inside(params, jax.random.normal(jax.random.key(1), (70, 3)))
    path = tmp_path / "plots" / "explain.png"
    gates.picture(inside, [f"word{n}" for n in range(70)], np.linspace(0, 1, 70), "positive", "first layer", path)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
