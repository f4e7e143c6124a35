"""Plots of a run: loss and accuracy over steps, the confusion matrix."""

import contextlib
import functools
import math
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.characters import printable
from lstm_jax.reports import ticks
from lstm_jax.types import HostArray

# Texts from data are no formulas: ``$x$`` is drawn as it is.
LITERAL: dict[Any, Any] = {"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False}
STYLE = {**LITERAL, "axes.spines.top": False, "axes.spines.right": False}
# Fonts for letters that a text's own font lacks, in this order. The first comes with Matplotlib; others may be there.
MORE_FONTS = (
    "DejaVu Sans",
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "PingFang SC", "Microsoft YaHei", "Malgun Gothic"),
    *(
        "WenQuanYi Zen Hei",
        "Noto Sans Arabic",
        "Noto Sans Devanagari",
        "Noto Sans Thai",
        "Arial Unicode MS",
        "Noto Emoji",
    ),
)
DPI = 140
MOST_PIXELS = 60_000  # The longest edge of a picture; Matplotlib draws none of 65,536.
LETTER = 0.085  # Width of a letter in inches, at the usual size of 10 points.
MOST_COUNTS = 12  # Number of classes up to which a confusion matrix has room for counts.
SPLIT_COLOURS = {"train": "#8da0cb", "validation": "#d95f02"}


def epoch_colour(share: float) -> tuple[float, float, float]:
    """A colour that darkens from the first epoch to the last."""
    return 0.75 - 0.7 * share, 0.8 - 0.55 * share, 0.9 - 0.4 * share


def figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure in this project's style, and its axes. It needs no display."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        drawn = shown_figure_class()(figsize=(width, height), layout="constrained")
        return drawn, drawn.subplots(rows, columns, **options)


@functools.cache
def shown_figure_class() -> Any:
    """The class of figures that a notebook shows. They need no pyplot, so a notebook keeps its backend and settings.

    The class is made when it is first needed, since importing Matplotlib takes a while.
    """
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        def _repr_png_(self) -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                save(self, Path(folder) / "figure.png")
                return (Path(folder) / "figure.png").read_bytes()

    return ShownFigure


def draw_literally(drawn: Any) -> None:
    """Makes a figure show its texts as they are, wherever it is drawn: ``$x$`` is no formula, and needs no TeX."""
    import matplotlib
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    installed = {font.name for font in fontManager.ttflist}

    def mark() -> None:
        for text in drawn.findobj(Text):
            own = text.get_fontfamily()
            text.set_fontfamily([*own, *(font for font in MORE_FONTS if font in installed and font not in own)])
            text.set_parse_math(False)
            text.set_usetex(False)

    mark()
    with matplotlib.rc_context(LITERAL), missing_glyphs_ignored():
        drawn.draw_without_rendering()
    mark()  # Matplotlib makes some labels of ticks while it draws.


@contextlib.contextmanager
def missing_glyphs_ignored() -> Iterator[None]:
    """A context in which letters that no font has are drawn as boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from|Matplotlib currently does not support", UserWarning)
        yield


def save(drawn: Any, path: Path, title: str | None = None) -> None:
    """Writes a figure as PNG, whose texts are drawn literally; ``title`` becomes the file's ``Title``."""
    import matplotlib

    path.parent.mkdir(parents=True, exist_ok=True)
    draw_literally(drawn)
    dpi = min(DPI, MOST_PIXELS / max(drawn.get_size_inches()))
    with matplotlib.rc_context(LITERAL), missing_glyphs_ignored():
        drawn.savefig(path, dpi=dpi, metadata={"Title": title} if title else None)


def legend_outside(axes: Any, **options: Any) -> None:
    """The legend of a plot, on its right, where it covers no curve."""
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), **options)


def legend_label(name: str) -> str:
    """The label of a line in a legend; Matplotlib leaves out labels that begin with an underscore."""
    return f" {printable(name)}" if name.startswith("_") else printable(name)


def draw_curves(rows: list[dict[str, Any]], best_by: str, folder: Path) -> None:
    """Writes ``loss.png`` and ``accuracy.png`` from the rows of a ``metrics.jsonl``, with one line per lane.

    Args:
      rows: The rows.
      best_by: The field ``train.best_by``: which validation's weights are kept.
      folder: The folder of the pictures.
    """
    lanes = sorted({row["lane"] for row in rows})
    kept = kept_validations(rows, best_by)
    title = _kept_title(kept, len(lanes))
    for name, quantity in (("loss", "cross-entropy (nats)"), ("accuracy", "accuracy")):
        drawn, axes = figure(7.6, 4.2)
        for split, style in (("train", {"linewidth": 1.2}), ("validation", {"marker": "o", "linewidth": 1.8})):
            for lane in lanes:
                own = [r for r in rows if r["split"] == split and r["lane"] == lane and r[name] is not None]
                label = (f"{split}, {len(lanes)} lanes" if len(lanes) > 1 else split) if lane == lanes[0] else None
                shown = {**style, **_dot_alone(own), "color": SPLIT_COLOURS[split], "label": label}
                axes.plot([r["step"] for r in own], [r[name] for r in own], **shown)
        marked = [row for row in kept if row[name] is not None]
        if marked:
            ring = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgecolor": "black"}
            places = [row["step"] for row in marked], [row[name] for row in marked]
            axes.plot(*places, linestyle="none", label="weights kept", zorder=3, **ring)
            axes.set_title(title, loc="left", fontsize=10)
        (ticks.label_percent if name == "accuracy" else ticks.label_numbers)(axes.yaxis)
        ticks.label_counts(axes.xaxis)
        axes.set(xlabel="step", ylabel=quantity)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.25)
        legend_outside(axes)
        save(drawn, folder / f"{name}.png", title)


def _dot_alone(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The style that shows a line of a single point."""
    return {"marker": "o", "markersize": 4} if len(rows) == 1 else {}


def kept_validations(rows: list[dict[str, Any]], best_by: str) -> list[dict[str, Any]]:
    """The validation of each lane after which its weights were kept, by lane, from the rows of a ``metrics.jsonl``.

    Args:
      rows: The rows.
      best_by: The field ``train.best_by``. As in ``LaneState.is_better``, of equal validations the first one counts.
    """
    validations = [row for row in rows if row["split"] == "validation"]
    kept = []
    for lane in sorted({row["lane"] for row in validations}):
        own = [row for row in validations if row["lane"] == lane]
        if best_by == "last":
            kept.append(own[-1])
        elif best_by == "loss":
            kept.append(min(own, key=lambda row: math.inf if row["loss"] is None else row["loss"]))
        else:
            kept.append(max(own, key=lambda row: row["accuracy"]))
    return kept


def _kept_title(kept: list[dict[str, Any]], lanes: int) -> str:
    if not kept:
        return ""
    best = max(kept, key=lambda row: row["accuracy"])
    lane = f" of lane {best['lane']}" if lanes > 1 else ""
    loss = "" if best["loss"] is None else f", loss {best['loss']:.3g}"
    return f"weights kept: step {best['step']:,}{lane} (validation accuracy {best['accuracy']:.2%}{loss})"


def draw_epochs(rows: list[dict[str, Any]], path: Path, lane: int = 0) -> None:
    """Draws the training loss of a lane within every epoch, and over all epochs, from rows of a ``metrics.jsonl``."""
    own = [r for r in rows if r["split"] == "train" and r["lane"] == lane and r["loss"] is not None]
    # Rows at the end of an epoch may cover few steps, which makes them noisy. They are left out.
    steps = np.diff([r["step"] for r in own], prepend=0)
    own = [row for row, count in zip(own, steps, strict=True) if count > np.median(steps) / 2]
    drawn, (within, over) = figure(11.6, 4.2, 1, 2, sharey=True)
    last = max([math.ceil(row["epoch"]) for row in own], default=1)
    for epoch in range(1, last + 1):
        part = [r for r in own if epoch - 1 < r["epoch"] <= epoch]
        style = {"color": epoch_colour(epoch / last), **_dot_alone(part)}
        label = f"epoch {epoch:,}" if epoch in (1, last) else None
        within.plot([r["epoch"] - epoch + 1 for r in part], [r["loss"] for r in part], **style)
        over.plot([r["epoch"] for r in part], [r["loss"] for r in part], label=label, **style)
    within.set(xlabel="part of the epoch", ylabel="training cross-entropy (nats)", xlim=(0, 1))
    over.set(xlabel="epoch", xlim=(0, last))
    ticks.label_numbers(within.xaxis)
    ticks.label_counts(over.xaxis)
    ticks.label_numbers(within.yaxis)
    legend_outside(over)
    for axis in (within, over):
        axis.grid(alpha=0.25)
    save(drawn, path)


def confusion(matrix: HostArray, names: tuple[str, ...], path: Path) -> None:
    """Draws a confusion matrix ``[C, C]``: shares of the true class as colours, up to 12 classes with the counts."""
    names, classes = short_labels(names), len(names)
    cell = 0.9 if classes <= MOST_COUNTS else max(0.16, min(0.3, 16 / classes))
    turned = max(map(len, names)) * LETTER > cell
    margin = 0.8 + LETTER * max(map(len, names))
    width, height = cell * classes + margin, cell * classes + (margin if turned else 1.2)
    drawn, axes = figure(max(width, 2.5) + (classes > MOST_COUNTS), max(height, 2.2))
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.ndindex(*matrix.shape) if classes <= MOST_COUNTS else ():
        share = shares[true, predicted]
        text = f"{int(matrix[true, predicted]):,}\n{share:.1%}"
        axes.text(predicted, true, text, ha="center", va="center", color="white" if share > 0.6 else "black")
    if classes > MOST_COUNTS:
        bar = drawn.colorbar(image, ax=axes, label="share of the true class", fraction=0.03, aspect=40)
        ticks.label_percent(bar.ax.yaxis)
    size = 10 if classes <= MOST_COUNTS else min(10, 60 * cell)
    axes.set_xticks(range(classes), names, rotation=90 if turned else 0, fontsize=size)
    axes.set_yticks(range(classes), names, fontsize=size)
    axes.set(xlabel="predicted", ylabel="true")
    axes.spines[:].set_visible(False)
    save(drawn, path)


def short_labels(names: Iterable[str], most: int = 30) -> tuple[str, ...]:
    """Printable names of at most ``most`` characters. Names that would look alike are numbered, from 0."""
    short = [shortened(printable(name), most) for name in names]
    alike = {name for name in short if short.count(name) > 1}
    return tuple(f"{n}: {name}" if name in alike else name for n, name in enumerate(short))


def shortened(text: str, most: int) -> str:
    """A text of at most ``most`` characters, without its middle if it is longer."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]}…{text[len(text) - (most - 1 - most * 2 // 3) :]}"
