"""Plots of a run: loss and accuracy over steps, the confusion matrix."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.characters import printable
from lstm_jax.types import HostArray

# Texts from data are no formulas: ``$x$`` is drawn as it is.
LITERAL: dict[Any, Any] = {"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False}
SPLIT_COLOURS = {"train": "#8da0cb", "validation": "#d95f02"}


def epoch_colour(share: float) -> tuple[float, float, float]:
    """A colour that darkens from the first epoch to the last."""
    return 0.75 - 0.7 * share, 0.8 - 0.55 * share, 0.9 - 0.4 * share


def figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure in this project's style, and its axes. It needs no display."""
    import matplotlib

    from lstm_jax.reports.shown import ShownFigure  # Without pyplot, so that a notebook keeps its backend and settings.

    with matplotlib.rc_context({**LITERAL, "axes.spines.top": False, "axes.spines.right": False}):
        drawn = ShownFigure(figsize=(width, height), layout="constrained")
        return drawn, drawn.subplots(rows, columns, **options)


def save(drawn: Any, path: Path) -> None:
    """Writes a figure as PNG. Texts are drawn literally, and letters that no font has as boxes, without a warning."""
    import matplotlib
    from matplotlib.text import Text

    path.parent.mkdir(parents=True, exist_ok=True)
    for text in drawn.findobj(Text):
        text.set_parse_math(False)
    # Labels of ticks are made while a figure is drawn.
    with matplotlib.rc_context(LITERAL), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from|Matplotlib currently does not support", UserWarning)
        drawn.savefig(path, dpi=140)


def label_plain(axis: Any) -> None:
    """Labels a logarithmic axis with plain numbers. Matplotlib's own labels are formulas, which would be literal."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    axis.set_major_formatter(Plain())
    axis.set_minor_formatter(Plain())


def legend_label(name: str) -> str:
    """The label of a line in a legend; Matplotlib leaves out labels that begin with an underscore."""
    return f" {printable(name)}" if name.startswith("_") else printable(name)


def draw_curves(rows: list[dict[str, Any]], best_step: int, folder: Path) -> None:
    """Writes ``loss.png`` and ``accuracy.png`` from the rows of a ``metrics.jsonl``, with one line per lane."""
    lanes = sorted({row["lane"] for row in rows})
    for name, quantity in (("loss", "cross-entropy (nats)"), ("accuracy", "accuracy")):
        drawn, axes = figure(7, 4.2)
        for split, style in (("train", {"linewidth": 1.2}), ("validation", {"marker": "o", "linewidth": 1.8})):
            for lane in lanes:
                own = [r for r in rows if r["split"] == split and r["lane"] == lane and r[name] is not None]
                label = split if lane == lanes[0] else None
                axes.plot(
                    [r["step"] for r in own], [r[name] for r in own], color=SPLIT_COLOURS[split], label=label, **style
                )
        best = [row for row in rows if row["split"] == "validation" and row["step"] == best_step]
        best.sort(key=lambda row: -row["accuracy"])
        if best:
            value = f"{best[0][name]:.2%}" if name == "accuracy" else f"{best[0][name]:.3f}"
            axes.axvline(best_step, color="grey", linewidth=0.8, linestyle=":")
            axes.annotate(
                f"best: {value}", (best_step, best[0][name]), xytext=(-6, -16), ha="right", textcoords="offset points"
            )
        if name == "accuracy":
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set(xlabel="step", ylabel=quantity)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        save(drawn, folder / f"{name}.png")


def draw_epochs(rows: list[dict[str, Any]], path: Path, lane: int = 0) -> None:
    """Draws the training loss of a lane within every epoch, and over all epochs, from rows of a ``metrics.jsonl``."""
    own = [r for r in rows if r["split"] == "train" and r["lane"] == lane and r["loss"] is not None]
    # Rows at the end of an epoch may cover few steps, which makes them noisy. They are left out.
    steps = np.diff([r["step"] for r in own], prepend=0)
    own = [row for row, count in zip(own, steps, strict=True) if count > np.median(steps) / 2]
    drawn, (within, over) = figure(11, 4.2, 1, 2, sharey=True)
    last = max([math.ceil(row["epoch"]) for row in own], default=1)
    for epoch in range(1, last + 1):
        part = [r for r in own if epoch - 1 < r["epoch"] <= epoch]
        shade = epoch_colour(epoch / last)
        label = f"epoch {epoch}" if epoch in (1, last) else None
        within.plot([r["epoch"] - epoch + 1 for r in part], [r["loss"] for r in part], color=shade, label=label)
        over.plot([r["epoch"] for r in part], [r["loss"] for r in part], color=shade)
    within.set(xlabel="part of the epoch", ylabel="training cross-entropy (nats)", xlim=(0, 1))
    over.set(xlabel="epoch", xlim=(0, last))
    within.legend(frameon=False)
    for axis in (within, over):
        axis.grid(alpha=0.25)
    save(drawn, path)


def confusion(matrix: HostArray, names: tuple[str, ...], path: Path) -> None:
    """Draws a confusion matrix ``[C, C]`` with counts and shares of the true class."""
    names = tuple(map(printable, names))
    classes = len(names)
    drawn, axes = figure(2.4 + 0.9 * classes, 2 + 0.8 * classes)
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true in range(classes):
        for predicted in range(classes):
            share = shares[true, predicted]
            text = f"{int(matrix[true, predicted]):,}\n{share:.1%}"
            axes.text(predicted, true, text, ha="center", va="center", color="white" if share > 0.6 else "black")
    axes.set_xticks(range(classes), names, rotation=0 if classes < 4 else 30)
    axes.set_yticks(range(classes), names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.spines[:].set_visible(False)
    save(drawn, path)
