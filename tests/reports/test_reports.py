import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from lstm_jax.config import ModelConfig
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.models.parts import network_parts
from lstm_jax.reports import calibration, gates, plots, tables
from lstm_jax.studies.grid_results import grid_result
from lstm_jax.studies.reports import grid_pictures
from tests.helpers import assert_close
from tests.studies.invented_grid import grid_run, grid_setting

PNG = b"\x89PNG\r\n\x1a\n"
FOUND = tables.EvaluationFigures(
    accuracy=0.7,
    loss=0.5,
    n=10,
    confusion=[[3, 1], [2, 4]],
    calibration_error=0.125,
    lanes=[0.6, 0.8],
    checkpoint_step=7,
)


def figures(found=FOUND, **options) -> list[str]:
    return tables.figures(found, ("negative", "positive"), "test", **options).splitlines()


def test_the_table_states_precision_recall_and_f1_of_a_case_worked_by_hand():
    lines = figures(FOUND._replace(lanes=[0.7]))
    assert lines[0] == "test: 10 reviews, weights of step 7"
    assert [line.split()[-1] for line in lines[1:3]] == ["70.00%", "nats"]
    assert lines[3].split() == ["expected", "calibration", "error", "12.50%"]
    assert lines[6].split() == ["negative", "60.00%", "75.00%", "66.67%", "4"]
    assert lines[7].split() == ["positive", "80.00%", "66.67%", "72.73%", "6"]
    assert lines[10].split() == ["negative", "3", "1"]


def test_the_table_states_the_accuracy_published_and_that_of_each_of_several_lanes():
    plain, published = figures(), figures(published=0.9123)
    assert plain[2].split() == ["accuracy", "of", "each", "lane", "60.00%,", "80.00%"]
    assert published[2].split() == ["accuracy", "reported", "by", "the", "source", "91.23%"]
    assert published[3:] == plain[2:]
    assert not any("lane" in line for line in figures(FOUND._replace(lanes=[0.7])))


def summary(words: int = 10, **fields) -> list[list[str]]:
    """The table of a model's parts, split where there are several spaces."""
    model = TextClassifier(ModelConfig(**fields), words, 2)
    tokens, lengths = jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens, lengths)
    text = tables.summary(network_parts(model, {"frozen": {}, **shapes}))
    return [re.split(" {2,}", line) for line in text.splitlines()]


def test_the_summary_counts_the_weights_of_the_keras_article():
    assert summary(88_588, embedding_size=32, hidden_size=100, pooling="last", output="sigmoid") == [
        ["part", "kind", "output", "shapes of weights", "weights"],
        ["embedding", "[T, B, 32]", "88588×32", "2,834,816"],
        ["layer 1", "LSTM", "[T, B, 100]", "32×400, 100×400, 400", "53,200"],
        ["pooling", "last", "[B, 100]", "0"],
        ["output", "[B, 1]", "1, 100×1", "101"],
        ["all", "2,888,117"],
        ["outputs are for T tokens of B examples"],
    ]


def test_the_summary_tells_every_layer_and_direction_and_what_is_frozen():
    fields = {"embedding_size": 4, "hidden_size": 3, "layer": "gru", "layers": 2, "bidirectional": True, "head": (5,)}
    assert summary(train_embedding=False, pooling="first_last", **fields) == [
        ["part", "kind", "output", "shapes of weights", "weights"],
        ["embedding", "frozen", "[T, B, 4]", "10×4", "40"],
        ["layer 1 forward", "GRU", "[T, B, 3]", "4×9, 3×9, 9, 3", "75"],
        ["layer 1 backward", "GRU", "[T, B, 3]", "4×9, 3×9, 9, 3", "75"],
        ["layer 2 forward", "GRU", "[T, B, 3]", "6×9, 3×9, 9, 3", "93"],
        ["layer 2 backward", "GRU", "[T, B, 3]", "6×9, 3×9, 9, 3", "93"],
        ["pooling", "first_last", "[B, 12]", "0"],
        ["head_0", "[B, 5]", "5, 12×5", "65"],
        ["output", "[B, 2]", "2, 5×2", "12"],
        ["all", "453"],
        ["of these 40 are not trained"],
        ["outputs are for T tokens of B examples"],
    ]


@pytest.mark.parametrize(
    ("pooling", "shapes", "rows"),
    [
        (
            "every",
            "[T, B, 3]",
            [["output", "[T, B, 2]", "2, 3×2", "8"], ["linear part", "fitted", "[T, B, 2]", "2, 7×2, 7×2, 10×2", "50"]],
        ),
        (
            "attention",
            "[B, 3]",
            [["output", "[B, 2]", "2, 3×2", "8"], ["linear part", "fitted", "[B, 2]", "2, 7×2, 7×2, 10×2", "50"]],
        ),
    ],
)
def test_the_summary_has_a_row_for_the_pooling_and_the_linear_part(pooling, shapes, rows):
    found = summary(embedding_size=4, hidden_size=3, pooling=pooling, wide=7)
    weights = {"every": ["0"], "attention": ["3×3, 3, 3", "15"]}[pooling]
    assert found[3:6] == [["pooling", pooling, shapes, *weights], *rows]


def test_epochs_are_means_over_the_lanes_a_line_each():
    figures = {  # (epoch, split) → loss and accuracy of each of two lanes
        (1, "train"): ((0.75, 0.5), (0.25, 0.75)),
        (1, "test"): ((1.0, 0.5), (0.5, 0.625)),
        (2, "train"): ((0.125, 1.0), (0.125, 1.0)),
        (2, "test"): ((2.0, 0.0), (1.0, 0.5)),
    }
    rows = [
        {"epoch": epoch, "lane": lane, "split": split, "loss": loss, "accuracy": accuracy}
        for (epoch, split), lanes in figures.items()
        for lane, (loss, accuracy) in enumerate(lanes)
    ]
    assert tables.epochs_table(rows).splitlines() == [
        "[Epoch:  1/2]  Training Loss: 0.500  Testing Loss: 0.750  Training Acc: 62.50  Testing Acc: 56.25",
        "[Epoch:  2/2]  Training Loss: 0.125  Testing Loss: 1.500  Training Acc: 100.00  Testing Acc: 25.00",
    ]


# Calibration: two classes, so that the ten bins reach from 50 % to 100 % in steps of 5 %.

SURE = np.array([0.98, 0.97, 0.96, 0.99, 0.52, 0.53, 0.8125])  # Probability of the predicted class.
PREDICTED = np.array([1, 1, 0, 0, 0, 1, 1])
RIGHT = np.array([True, True, True, False, False, True, False])


def test_bins_of_a_case_worked_by_hand():
    probabilities = np.where(PREDICTED[:, None] == [0, 1], SURE[:, None], 1 - SURE[:, None])
    found = calibration.bins(probabilities, np.where(RIGHT, PREDICTED, 1 - PREDICTED))
    empty = np.full(10, np.nan)
    wanted = [np.copy(empty), np.copy(empty), np.zeros(10)]
    for place, confidence, accuracy, count in ((0, 0.525, 0.5, 2), (6, 0.8125, 0.0, 1), (9, 0.975, 0.75, 4)):
        wanted[0][place], wanted[1][place], wanted[2][place] = confidence, accuracy, count / 7
    assert_close(found, calibration.Bins(*wanted))
    assert calibration.expected_error(found) == pytest.approx((2 * 0.025 + 1 * 0.8125 + 4 * 0.225) / 7)


def test_bins_reach_from_a_guess_to_certainty():
    certain, guess, between = np.eye(4)[2], np.full(4, 0.25), np.array([0.65, 0.15, 0.1, 0.1])
    found = calibration.bins(np.stack([certain, guess, guess, between]), np.array([2, 0, 1, 3]))
    assert found.share.tolist() == [0.5, 0, 0, 0, 0, 0.25, 0, 0, 0, 0.25]  # 0.65 lies 8/15 of the way up
    assert found.accuracy[[0, 5, 9]].tolist() == [0.5, 0.0, 1.0]
    assert calibration.expected_error(found) == pytest.approx(0.5 * 0.25 + 0.25 * 0.65)


def test_an_honest_network_has_no_calibration_error():
    probabilities = np.tile([0.25, 0.75], (8, 1))
    assert calibration.expected_error(calibration.bins(probabilities, np.arange(8) % 4 > 0)) == 0


def test_the_picture_of_the_calibration_is_drawn(tmp_path):
    found = calibration.bins(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), np.array([0, 1, 0]))
    calibration.draw_calibration(found, tmp_path / "plots" / "calibration.png")
    assert (tmp_path / "plots" / "calibration.png").read_bytes().startswith(PNG)


STRANGE = [
    "$x$",
    r"$\frac",
    "$$",
    r"\alpha_{1}^",
    "_mine",
    "%d #&~",
    "映画",
    "😀",
    "e\u0301",
    "\x1b[31m",
    "a\nb",
    "half \ud83d",
]


def texts_of(drawn) -> set[str]:
    """All texts of a picture that would be drawn as formulas, and those that would not."""
    return {(text.get_text(), text._preprocess_math(text.get_text())[1]) for text in drawn.findobj(Text)}


@pytest.fixture
def saved(monkeypatch):
    """The figures that are saved."""
    figures, savefig = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda own, *a, **k: (figures.append(own), savefig(own, *a, **k))[1])
    return figures


def test_strings_of_data_are_drawn_literally(tmp_path, saved):
    names = tuple(STRANGE)
    plots.confusion(np.eye(len(names), dtype=int), names, tmp_path / "confusion.png")
    trace = dict.fromkeys(("input gate", *names), np.random.default_rng(0).random((len(names), 3)))
    for name in names:
        predictions = gates.Predictions(name, np.linspace(0, 1, len(names)), np.linspace(1, 0, len(names)))
        drawn = gates.draw_gates({"forward": trace}, list(names), predictions, ["prediction: $x$"])
        assert (f"probability of\n{tables.printable(name)}", False) in texts_of(drawn)
    plots.save(drawn, tmp_path / "explain.png")
    for drawn in (saved[0], saved[-1]):
        found = texts_of(drawn)
        assert {(tables.printable(name), False) for name in names} <= found
        assert not any(formula for _, formula in found)


def test_names_in_a_grid_are_drawn_literally(tmp_path, saved):
    epochs = [{"epoch": 1, "split": "test", "loss": 0.5, "accuracy": 0.5}]
    settings = [grid_setting({"model.layer": name}, [grid_run(epochs=epochs)]) for name in STRANGE]
    grid_pictures.accuracy_by_epoch(grid_result({"model.layer": "layer"}, settings), tmp_path / "grid.png")
    assert {text.get_text().removeprefix(" ") for text in saved[0].axes[0].get_legend().get_texts()} == set(
        map(tables.printable, STRANGE)
    )
    rates = [
        grid_setting({"optimizer.learning_rate": rate, **dict(each.changes)}, each.runs)
        for rate in (0.1, 0.2)
        for each in settings
    ]
    labels = {"model.layer": "$layer$", "optimizer.learning_rate": "learning rate"}
    grid_pictures.validation_accuracy(grid_result(labels, rates), tmp_path / "grid.png")
    assert {(tables.printable(name), False) for name in (*STRANGE, "$layer$")} <= texts_of(saved[1])


def test_tables_print_no_control_characters():
    classes = ("\x1b[31mred", "a\rb")
    text = tables.figures(FOUND, classes, "test")
    split = {"examples": 2, "classes": dict.fromkeys(classes, 1), "mean_length": 1.0, "unknown_tokens": 0.0}
    text += tables.splits({"train": split})
    text += tables.markdown([["name"], ["\x1b[2J"]])
    assert not set(text) & {"\x1b", "\r"}
    assert text.count(r"\x1b[31mred") == 4
