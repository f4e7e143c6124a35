"""What is best is marked where it is, and nothing is cropped or covered."""

import numpy as np
import pytest
from matplotlib.font_manager import findfont, get_font
from PIL import Image

from lstm_jax.reports import plots
from tests.reports.helpers import check_readable

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def saved(monkeypatch):
    """The figures that are saved."""
    figures, save = [], plots.save
    monkeypatch.setattr(plots, "save", lambda drawn, *rest: (figures.append(drawn), save(drawn, *rest)))
    return figures


def png(path) -> tuple[tuple[int, int], dict[str, str]]:
    """The size of a PNG file, and the texts in it."""
    with Image.open(path) as image:
        return image.size, image.text


def test_letters_that_the_usual_font_lacks_come_from_another_one(tmp_path, monkeypatch):
    more = "STIXGeneral"  # Matplotlib brings it along.
    usual, other = (get_font(findfont(name)).get_charmap() for name in ("DejaVu Sans", more))
    letter = chr(next(code for code in other if code not in usual))

    def draw() -> bytes:
        drawn, _ = plots.figure(3, 2)
        drawn.suptitle(letter * 3)
        plots.save(drawn, tmp_path / "letter.png")
        return (tmp_path / "letter.png").read_bytes()

    monkeypatch.setattr(plots, "MORE_FONTS", ("no such font",))
    boxes = draw()
    monkeypatch.setattr(plots, "MORE_FONTS", ("no such font", more))
    assert draw() != boxes


# Curves of runs: validations by lane, as {step: accuracy}.
CURVES = {
    "first is best": [{25: 0.9, 50: 0.8, 75: 0.7}],
    "last is best": [{25: 0.5, 50: 0.8, 75: 0.9925}],
    "one validation": [{100: 0.75}],
    "close together": [{25: 0.9925, 50: 0.993, 75: 0.9935}],
    "lanes": [{25: 0.6, 50: 0.9, 75: 0.8}, {25: 0.7, 50: 0.6, 75: 0.5}, {25: 0.6, 50: 0.65, 75: 0.7}],
    "ties": [{25: 0.5, 50: 0.9, 75: 0.9}, {25: 0.9, 50: 0.9, 75: 0.8}],
    "many steps": [{500_000: 0.5, 1_728_400: 0.6}],
    "none": [{}],
}


def rows_of(curves, loss=lambda accuracy: 1.2 - accuracy) -> list[dict]:
    rows = []
    for lane, curve in enumerate(curves):
        last = max(curve, default=100)
        for step in range(last // 20, last + 1, last // 20):
            rows.append({"split": "train", "step": step, "lane": lane, "loss": 1 / step, "accuracy": 1 - 0.5 / step})
        for step, accuracy in curve.items():
            rows.append(
                {"split": "validation", "step": step, "lane": lane, "loss": loss(accuracy), "accuracy": accuracy}
            )
    return [{**row, "epoch": row["step"] / 25} for row in rows]


@pytest.mark.parametrize("curves", CURVES.values(), ids=CURVES.keys())
def test_the_weights_that_are_kept_are_marked_where_they_are(curves, tmp_path, saved):
    best = max(
        ((accuracy, -lane, -step) for lane, own in enumerate(curves) for step, accuracy in own.items()), default=0
    )
    best_step = -best[2] if best else 0
    plots.draw_curves(rows_of(curves), "accuracy", tmp_path)
    for drawn, quantity in zip(saved, ("loss", "accuracy"), strict=True):
        check_readable(drawn)
        (axes,) = drawn.axes
        rings = [line for line in axes.lines if line.get_label() == "weights kept"]
        assert (tmp_path / f"{quantity}.png").read_bytes().startswith(PNG)
        if not best:
            assert not rings
            assert not axes.get_title(loc="left")
            continue
        kept = [max(own.items(), key=lambda item: (item[1], -item[0])) for own in curves]
        values = [accuracy if quantity == "accuracy" else 1.2 - accuracy for _, accuracy in kept]
        np.testing.assert_allclose(
            rings[0].get_xydata(), [(step, y) for (step, _), y in zip(kept, values, strict=True)]
        )
        title = axes.get_title(loc="left")
        assert title.startswith(f"weights kept: step {best_step:,}")
        assert f"(validation accuracy {best[0]:.2%}, loss {1.2 - best[0]:.3g})" in title
        assert (f" of lane {-best[1]} " in title) == (len(curves) > 1)
        assert png(tmp_path / f"{quantity}.png")[1]["Title"] == title


@pytest.mark.parametrize(("best_by", "steps"), [("accuracy", [20, 10]), ("loss", [10, 30]), ("last", [40, 40])])
def test_the_validation_that_is_kept_is_the_first_best_one_by_the_criterion(best_by, steps):
    curves = [[(10, 0.6, 0.3), (20, 0.8, 0.5), (30, 0.8, 0.3), (40, 0.7, None)], [(10, 0.7, None), (30, 0.6, 0.9)]]
    curves[1].append((40, 0.5, 1.0))
    rows = [
        {"split": "validation", "lane": lane, "step": step, "accuracy": accuracy, "loss": loss}
        for lane, own in enumerate(curves)
        for step, accuracy, loss in own
    ]
    assert [row["step"] for row in plots.kept_validations(rows, best_by)] == steps
    assert [row["lane"] for row in plots.kept_validations(rows[::-1], "accuracy")] == [0, 1]


def test_a_lane_is_named_though_the_other_has_no_validation(tmp_path):
    lost = {"split": "train", "step": 5, "epoch": 0.2, "lane": 0, "loss": None, "accuracy": 0.5}
    kept = {"split": "validation", "step": 25, "epoch": 1.0, "lane": 1, "loss": 0.4, "accuracy": 0.8}
    plots.draw_curves([lost, kept], "accuracy", tmp_path)
    assert png(tmp_path / "loss.png")[1]["Title"].startswith("weights kept: step 25 of lane 1 (")


def test_a_diverged_run_has_a_picture(tmp_path):
    lost = {"step": 26, "epoch": 1.1, "lane": 0, "loss": None}
    diverged = [{**lost, "split": "train", "accuracy": 0.5}, {**lost, "split": "validation", "accuracy": 0.6}]
    rows = [*rows_of([{25: 0.5}]), *diverged]
    plots.draw_curves(rows, "accuracy", tmp_path)
    title = png(tmp_path / "loss.png")[1]["Title"]
    assert title == "weights kept: step 26 (validation accuracy 60.00%)"


@pytest.mark.parametrize("losses", [[0.7, 0.5, 0.4, 0.3], [0.7], [None]], ids=["four rows", "one row", "diverged"])
def test_the_picture_of_the_epochs_is_drawn(tmp_path, losses, saved):
    rows = [
        {"step": n + 1, "epoch": (n + 1) / 2, "split": split, "loss": loss, "accuracy": 0.5, "lane": lane}
        for n, loss in enumerate(losses)
        for split in ("train", "validation")
        for lane in (0, 1)
    ]
    plots.draw_epochs(rows, tmp_path / "loss-epochs.png")
    assert (tmp_path / "loss-epochs.png").read_bytes().startswith(PNG)
    check_readable(saved[0])


def test_epochs_darken():
    shades = [sum(plots.epoch_colour(share)) for share in (0.1, 0.5, 1.0)]
    assert shades == sorted(shades, reverse=True)
    assert all(0 <= part <= 1 for share in (0.0, 1.0) for part in plots.epoch_colour(share))


@pytest.mark.parametrize(
    "names",
    [
        ("a",),
        ("negative", "positive"),
        ("the same beginning " * 9 + "x", "the same beginning " * 9 + "y"),
        tuple(f"class number {n} of twelve" for n in range(12)),
        pytest.param(tuple(f"a rather long name of class {n}" for n in range(50)), marks=pytest.mark.slow),
    ],
    ids=["one", "two", "long", "twelve", "fifty"],
)
def test_the_confusion_of_any_classes_is_readable(names, tmp_path, saved):
    plots.confusion(np.full((len(names), len(names)), 1_234_567), names, tmp_path / "confusion.png")
    check_readable(saved[0])
    assert max(png(tmp_path / "confusion.png")[0]) < 3_000
    labels = [label.get_text() for label in saved[0].axes[0].get_yticklabels()]
    assert len(set(labels)) == len(names)
    assert (f"{1_234_567:,}" in {text.get_text().split("\n")[0] for text in saved[0].axes[0].texts}) == (
        len(names) < 13
    )


def test_long_names_stay_different():
    middle = ("x" * 20 + "1" + "y" * 20, "x" * 20 + "2" + "y" * 20, "short")
    assert plots.short_labels(middle, 12) == ("0: xxxxxxxx…yyy", "1: xxxxxxxx…yyy", "short")
    assert plots.shortened("abcdef", 6) == "abcdef"
    assert plots.shortened("abcdefg", 6) == "abcd…g"
