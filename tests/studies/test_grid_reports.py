"""The table, notes, page and pictures of a grid, from made-up results."""

import csv
import io
import math

import pytest
from matplotlib.figure import Figure
from pyarrow import parquet

from lstm_jax.studies.grid_results import grid_result
from lstm_jax.studies.reports import grid as report
from lstm_jax.studies.reports import grid_pictures
from lstm_jax.studies.reports.grid_pictures import axis_of
from lstm_jax.studies.reports.tables import to_markdown
from tests.studies.invented_grid import grid_run, grid_setting, invented_grid

SIZE, LAYERS, RATE = "model.hidden_size", "model.layers", "optimizer.learning_rate"


@pytest.fixture
def saved(monkeypatch):
    """The figures that are saved."""
    figures, savefig = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda own, *a, **k: (figures.append(own), savefig(own, *a, **k))[1])
    return figures


def rows_of(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_validation_alone_ranks():
    settings = [
        grid_setting({SIZE: 8}, [grid_run(seed, 0.8 + 0.02 * seed, test=0.99) for seed in (0, 1)]),
        grid_setting({SIZE: 16}, [grid_run(seed, 0.9 - 0.02 * seed, test=0.5) for seed in (0, 1)]),
        grid_setting({SIZE: 32}, [grid_run(0, 0.99), grid_run(1, 0.99, diverged_at=5)]),
        grid_setting({SIZE: 64}, [grid_run(seed, None, test=0.5, diverged_at=5) for seed in (0, 1)]),
    ]
    result = grid_result({SIZE: "hidden size"}, settings)
    assert rows_of(to_markdown(report.grid_ranking(result)))[2:] == [
        ["1 (best)", "16", "89.00 ± 1.41", "50.00 ± 0.00", "10", "1.0"],
        ["2", "8", "81.00 ± 1.41", "99.00 ± 0.00", "10", "1.0"],
        ["3", "32", "99.00 ± 0.00 (1 of 2 diverged)", "80.00 ± 0.00", "10", "1.0"],
        ["4", "64", "diverged", "–", "10", "1.0"],
    ]
    assert result.notes() == [
        "hidden size 32 diverged with 1 of 2 seeds: 1 at step 5.",
        "hidden size 64 diverged with 2 of 2 seeds: 0 at step 5, 1 at step 5.",
    ]
    said, flags = report.best_command(result)
    assert "The best setting is hidden size 16, with 89.00 ± 1.41 % on validation and 50.00" in said
    assert flags.strip() == "--config.model.hidden_size=16"


def test_of_equal_settings_the_smaller_network_is_best():
    runs = {64: 100, 8: 10, 16: 10}
    settings = [grid_setting({SIZE: size}, [grid_run(parameters=count)]) for size, count in runs.items()]
    assert [each.values for each in grid_result({SIZE: "size"}, settings).ranked] == [(8,), (16,), (64,)]


def test_the_best_at_an_edge_or_hardly_ahead_is_told():
    at_edge = invented_grid({SIZE: (8, 16, 32), LAYERS: (1, 2)}, lambda size, layers: size / 100)
    assert [note for note in at_edge.notes() if "of those tried" in note] == [
        "The best hidden size, 32, is the highest of those tried: a better one may lie beyond."
    ], "two values have no inside"
    assert at_edge.notes()[0].startswith("1 other setting lies within one standard deviation of the best")
    inside = invented_grid({SIZE: (8, 16, 32)}, lambda size: 0.9 if size == 16 else 0.5)
    assert inside.notes() == []
    (equal,) = invented_grid({SIZE: (8, 16, 32)}, lambda size: 0.5 if size == 8 else 0.9, seeds=1).notes()
    assert equal == ("1 other setting has the same validation accuracy as the best; more seeds may tell them apart.")


def test_settings_that_share_a_run_are_told():
    settings = [grid_setting({SIZE: size}, [grid_run()]) for size in (8, 16)]
    settings[1] = settings[1]._replace(runs=settings[0].runs)
    assert grid_result({SIZE: "size"}, settings).notes() == ["size 16 is the same run as size 8."]


def test_a_grid_of_which_every_run_diverged(tmp_path):
    result = invented_grid({RATE: (1e37, 1e38)}, lambda rate: None)
    text = report.write_grid(result, tmp_path)
    assert "No run reached a validation before it diverged" in text
    assert "(best)" not in text
    assert not list(tmp_path.glob("plots/*"))
    assert "<img" not in (tmp_path / "report.html").read_text()


def test_files_hold_every_run(tmp_path):
    fields = {"model.head": ((), (8, 4)), "model.bidirectional": (False, True), "data.name": ("a,b", "<b>&\x1b[31m")}
    result = invented_grid(fields)
    points = [{"step": 8, "epoch": 1.0, "split": "validation", "loss": 0.5, "accuracy": 0.9, "lane": 0}]
    own = [each._replace(runs=[run._replace(curve=points) for run in each.runs]) for each in result.settings]
    text = report.write_grid(grid_result(result.labels, own), tmp_path)
    assert text == (tmp_path / "table.md").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "runs.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 2 * 2 * 2 * 2
    assert {row["model.head"] for row in rows} == {"()", "(8, 4)"}
    assert {(row["seed"], row["status"], row["parameters"]) for row in rows} == {(n, "done", "10") for n in "01"}
    table = parquet.read_table(tmp_path / "curves.parquet").to_pandas()
    assert len(table.groupby([*fields, "seed"])) == len(rows)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page
    assert "\x1b" not in text
    assert not (tmp_path / "epochs.csv").exists()


def epochs_of(accuracies):
    return [
        {"epoch": epoch, "split": split, "loss": 1.0, "accuracy": accuracy}
        for epoch, accuracy in enumerate(accuracies, start=1)
        for split in ("train", "test")
    ]


def test_epochs_of_one_field_have_a_table_and_pictures(tmp_path):
    lost = {"diverged_at": 9, "diverged_epoch": 2}
    settings = [
        grid_setting(
            {RATE: 0.1}, [grid_run(0, epochs=epochs_of([0.5, 0.7])), grid_run(1, epochs=epochs_of([0.6]), **lost)]
        ),
        grid_setting({RATE: 0.2}, [grid_run(seed, epochs=epochs_of([0.25, 0.3])) for seed in (0, 1)]),
        grid_setting({RATE: 0.3}, [grid_run(seed, None, diverged_at=1, diverged_epoch=1) for seed in (0, 1)]),
    ]
    text = report.write_grid(grid_result({RATE: "learning rate"}, settings), tmp_path)
    assert rows_of(text)[-4:] == [
        ["learning rate", "0.1", "0.2", "0.3"],
        ["---", "---", "---", "---"],
        ["epoch 1", "55.00 ± 7.07", "25.00 ± 0.00", "diverged"],
        ["epoch 2", "70.00 (1 of 2 diverged)", "30.00 ± 0.00", "diverged"],
    ]
    assert {file.name for file in tmp_path.glob("*.png")} == {"accuracy.png", *(f"loss-0.{n}.png" for n in (1, 2, 3))}
    rows = list(csv.DictReader(io.StringIO((tmp_path / "epochs.csv").read_text())))
    assert [row["status"] for row in rows].count("diverged") == 3
    assert len(rows) == 4 + 2 + 8 + 3
    report.write_grid(grid_result({RATE: "learning rate"}, settings[1:]), tmp_path)
    assert not (tmp_path / "loss-0.1.png").exists(), "a value that is no longer asked for"


@pytest.mark.parametrize(
    ("values", "places", "log", "connected"),
    [
        ((0.1, 0.001, 0.01), [0.001, 0.01, 0.1], True, True),
        ((16, 32, 64), [16, 32, 64], False, True),
        ((0, 0.001, 0.1), [0, 1, 2], False, True),
        ((0.003, 0.01, 1e30), [0, 1, 2], False, True),
        ((-1, 1), [-1, 1], False, True),
        (("lstm", "gru"), [0, 1], False, False),
        ((False, True), [0, 1], False, False),
        (((), (8,)), [0, 1], False, False),
        ((5,), [5], False, True),
    ],
)
def test_axes_suit_their_values(values, places, log, connected):
    axis = axis_of(values)
    assert (axis.places, axis.log, axis.connected) == (places, log, connected)


@pytest.mark.parametrize(
    ("fields", "panels", "lines", "columns"),
    [
        ({RATE: (0.01,)}, 1, 0, 1),
        ({RATE: (0.01, 0.1)}, 1, 0, 1),
        ({"model.layer": ("lstm", "gru", "rnn"), RATE: (0.01, 0.03, 0.1)}, 1, 3, 1),
        ({SIZE: tuple(range(1, 13)), RATE: tuple(0.01 * n for n in range(1, 15))}, 1, 12, 1),
        ({SIZE: (8, 16), LAYERS: (1, 2), RATE: (0.01, 0.03, 0.1)}, 2, 2, 2),
        ({SIZE: (8, 16), LAYERS: (1, 2, 3), RATE: (0.01, 0.03, 0.1), "seed_": (1, 2)}, 4, 3, 2),
        ({SIZE: (8, 16), LAYERS: (1, 2), RATE: (0.01, 0.1, 0.2), "a.x": (1, 2), "b.y": (1, 2), "c.z": (9,)}, 8, 2, 2),
        ({SIZE: tuple(range(9)), LAYERS: tuple(range(9)), "a.x": tuple(range(8)), "b.y": tuple(range(8))}, 60, 9, 5),
    ],
)
def test_one_picture_shows_every_field(fields, panels, lines, columns, tmp_path, saved):
    result = invented_grid(fields, lambda *values: 0.5 + 0.4 * (hash(values) % 100) / 100)
    caption = grid_pictures.validation_accuracy(result, tmp_path / "grid.png")
    shown = [axes for axes in saved[0].axes if axes.axison]
    assert len(shown) == panels
    assert shown[0].get_gridspec().ncols == columns
    legend = saved[0].legends[0].get_texts() if saved[0].legends else []
    assert len(legend) == lines
    assert sum(line.get_label() == "_best" for axes in shown for line in axes.get_lines()) <= 1
    for axes in shown:
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        for line in axes.get_lines():
            assert all(left <= x <= right for x in line.get_xdata())
            assert all(low <= y <= high or math.isnan(y) for y in line.get_ydata())
    if panels > 2:
        titles = [axes.get_title() for axes in shown]
        assert titles[0].split(", ")[0] != titles[1].split(", ")[0], "columns are the third field"
    for path, values in fields.items():
        label = result.labels[path]
        assert label in caption
        assert (len(values) > 1) == (f"All have {label}" not in caption) or len(fields) == 1
    assert ("Only 60 of 64 panels are drawn" in caption) == (panels == 60)


def test_ticks_are_the_values(tmp_path, saved):
    fields = {RATE: (0.003, 0.01, 0.03, 0.1), "model.layer": ("lstm", "$x$", "_own")}
    grid_pictures.validation_accuracy(
        invented_grid(fields, lambda rate, _: None if rate == 0.1 else 0.9), tmp_path / "a.png"
    )
    (axes,) = saved[0].axes
    assert [label.get_text() for label in axes.get_xticklabels(which="both")] == ["0.003", "0.01", "0.03", "0.1"]
    assert [text.get_text() for text in saved[0].legends[0].get_texts()] == ["lstm", "$x$", " _own"]
    assert not any(text._preprocess_math(text.get_text())[1] == "TeX" for text in saved[0].legends[0].get_texts())
    means = next(line for line in axes.get_lines() if line.get_label() == "$x$").get_ydata()
    assert [math.isnan(mean) for mean in means] == [False, False, False, True], "no line to a setting that diverged"
    lost = [line for line in axes.get_lines() if line.get_label() == "_lost"]
    assert [line.get_xdata()[0] for line in lost] == pytest.approx([0.1] * 3, rel=0.1)
