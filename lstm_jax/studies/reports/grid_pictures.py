"""The pictures of a grid: validation accuracy over all fields, and test accuracy over the epochs of a single field."""

import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.characters import printable
from lstm_jax.reports import plots, ticks
from lstm_jax.studies.grid_results import GridResult, GridSetting, is_number
from lstm_jax.studies.reports.pictures import MARK
from lstm_jax.studies.settings import written, written_setting

MOST_COLUMNS, MOST_PANELS = 5, 60
LONGEST_LABEL = 28  # Letters of a label; longer ones lose their middle.
LOG_FROM = 8  # Positive numbers have a logarithmic axis if the highest is this many times the lowest.
CLOSEST = 0.04  # Share of an axis below which two numbers cannot be told apart.


class Axis(NamedTuple):
    """The horizontal axis: its values in their order, their places, and whether lines may connect them."""

    values: list[Any]
    places: list[float]
    log: bool
    connected: bool

    def beside(self, n: int, lines: int) -> list[float]:
        """The places of line ``n`` of several, a little aside, so that none hides another."""
        share = (n - (lines - 1) / 2) / max(lines, 6)
        low, high = self.places[0], self.places[-1]
        if self.log:
            return [place * (high / low) ** (0.06 * share) for place in self.places]
        width = 0.06 * (high - low) if self.connected else 0.6
        return [place + width * share for place in self.places]


def axis_of(values: Sequence[Any]) -> Axis:
    """A logarithmic axis for numbers of several magnitudes, a linear one for others.

    Values that are no numbers, and numbers that are too close to others on such an axis, are spaced evenly.
    """
    if not all(map(is_number, values)):
        return Axis(list(values), [float(n) for n in range(len(values))], log=False, connected=False)
    ordered = sorted(values)
    places = [float(value) for value in ordered]
    log = places[0] > 0 and places[-1] / places[0] >= LOG_FROM
    scaled = np.log(places) if log else np.array(places)
    if len(places) > 1 and min(np.diff(scaled)) < CLOSEST * (scaled[-1] - scaled[0]):  # Such as 0, 0.001, 0.1.
        return Axis(ordered, [float(n) for n in range(len(places))], log=False, connected=True)
    return Axis(ordered, places, log=log, connected=True)


def validation_accuracy(result: GridResult, path: Path) -> str:
    """Draws validation accuracy over the field with the most values and returns the caption.

    Colours show the field with the second most values, panels all others. Fields of one value are in the caption.
    """
    x, colour, rest = _roles(result)
    # The third field is that of the columns, so it changes from one panel to the next.
    panels = [each[::-1] for each in itertools.product(*(result.values(field) for field in rest[::-1]))]
    kinds = result.values(colour) if colour else [None]
    by_values = {frozenset(each.changes): each for each in result.settings}
    fixed = [(field, result.values(field)[0]) for field in result.labels if field not in (x, colour, *rest)]
    drawn, axes = _figure(panels[:MOST_PANELS], len(result.values(rest[0])) if rest else 1, len(kinds), bool(colour))
    for panel, combination in zip(axes, panels, strict=False):
        shared = [*fixed, *zip(rest, combination, strict=True)]
        for n, kind in enumerate(kinds):
            own = [*shared, (colour, kind)] if colour else shared
            line = [by_values[frozenset([*own, (x, value)])] for value in axis_of(result.values(x)).values]
            _draw_line(panel, axis_of(result.values(x)), line, result.best, n, kinds)
        title = ", ".join(f"{result.labels[field]} {_label(value)}" for field, value in shared if field in rest)
        panel.set_title(textwrap.fill(printable(title), 40), fontsize=9)
        _finish(panel, axis_of(result.values(x)))
    drawn.supxlabel(printable(result.labels[x]), fontsize=10)
    drawn.supylabel("validation accuracy", fontsize=10)
    if colour:
        handles = [handle for handle in axes[0].get_lines() if not handle.get_label().startswith("_")]
        title = printable(result.labels[colour])
        drawn.legend(handles=handles, title=title, loc="outside right upper", frameon=False, fontsize=9)
    plots.save(drawn, path)
    return _caption(result, x, colour, rest, fixed, len(panels))


def _roles(result: GridResult) -> tuple[str, str | None, list[str]]:
    """The fields of the horizontal axis, of colours (if any) and of panels: most values first, numbers before names."""
    counts = {path: len(result.values(path)) for path in result.labels}
    order = lambda path: (-counts[path], not all(map(is_number, result.values(path))))
    varied = sorted((path for path in counts if counts[path] > 1), key=order) or list(counts)[:1]
    return varied[0], varied[1] if len(varied) > 1 else None, varied[2:]


def _figure(panels: Sequence[Any], across: int, lines: int, legend: bool) -> tuple[Any, list[Any]]:
    columns = min(len(panels), across, MOST_COLUMNS)
    rows = -(-len(panels) // columns)
    width, height = (6.0, 4.0) if len(panels) == 1 else (2.8 * columns + 0.5, 2.4 * rows + 0.5)
    height = max(height, 0.2 * lines + 1)
    drawn, grid = plots.figure(width + 1.4 * legend, height, rows, columns, sharey=True, squeeze=False)
    axes = list(grid.flat)
    for spare in axes[len(panels) :]:
        spare.set_axis_off()
    return drawn, axes[: len(panels)]


def _draw_line(
    panel: Any, axis: Axis, line: list[GridSetting], best: GridSetting | None, n: int, kinds: list[Any]
) -> None:
    """Draws the means of settings that differ in one field alone, and the range of each one's seeds."""
    look, places = _look(n, kinds), axis.beside(n, len(kinds))
    for place, each in zip(places, line, strict=True):
        if each.validations:
            ends = [min(each.validations), max(each.validations)]
            panel.plot([place, place], ends, color=look["color"], linewidth=3, alpha=0.3, label="_range")
    style = look if axis.connected else {**look, "linestyle": "none"}
    means = [float(np.mean(each.validations)) if each.validations else np.nan for each in line]  # A gap in the line.
    label = plots.legend_label(_label(kinds[n])) if len(kinds) > 1 else "_line"
    panel.plot(places, means, marker="o", markersize=4, label=label, **style)
    for place, each in zip(places, line, strict=True):
        if each.diverged:
            where = panel.get_xaxis_transform()
            panel.plot(place, 0.04, "x", color=look["color"], markeredgewidth=1.6, transform=where, label="_lost")
        if best is not None and each.changes == best.changes:
            ring = {"color": "none", "markeredgecolor": MARK, "markersize": 11, "label": "_best"}
            panel.plot(place, float(np.mean(each.validations)), "o", **ring)


def _look(n: int, kinds: list[Any]) -> dict[str, Any]:
    """Numbers darken as they grow; names have ten colours, then the same ones dashed."""
    if all(map(is_number, kinds)):
        return {"color": plots.epoch_colour((sorted(kinds).index(kinds[n]) + 1) / len(kinds)), "linestyle": "-"}
    return {"color": f"C{n % 10}", "linestyle": ("-", "--", ":")[n // 10 % 3]}


def _finish(panel: Any, axis: Axis) -> None:
    labels = [_label(value) for value in axis.values]
    if axis.log:
        panel.set_xscale("log")
        panel.minorticks_off()
    if (not axis.log and not axis.connected) or len(axis.places) == 1:
        panel.set_xlim(axis.places[0] - 0.5, axis.places[-1] + 0.5)
    crowded = sum(map(len, labels)) > 26
    panel.set_xticks(axis.places, labels, rotation=35 if crowded else 0, ha="right" if crowded else "center")
    panel.tick_params(labelsize=8)
    ticks.label_percent(panel.yaxis)
    panel.grid(alpha=0.25)


def _label(value: Any) -> str:
    text = printable(written(value))
    half = LONGEST_LABEL // 2
    return text if len(text) <= LONGEST_LABEL else f"{text[: half - 1]}…{text[-half:]}"


def _caption(
    result: GridResult, x: str, colour: str | None, rest: list[str], fixed: list[tuple[str, Any]], panels: int
) -> str:
    labels, seeds = result.labels, len(result.settings[0].runs)
    parts = [f"Validation accuracy at the best step of each run, over {labels[x]}"]
    parts += [f"lines: {labels[colour]}"] if colour else []
    parts += [f"panels: {', '.join(labels[field] for field in rest)}"] if rest else []
    text = "; ".join([*parts, *([f"mean and range of {seeds} seeds"] if seeds > 1 else [])]) + "."
    text += f" All have {written_setting(labels, fixed)}." if fixed else ""
    text += " The ring is the best setting."
    text += " ✕ marks settings of which a seed diverged." if any(each.diverged for each in result.settings) else ""
    text += f" Only {MOST_PANELS} of {panels} panels are drawn; the table has all." if panels > MOST_PANELS else ""
    return text


def accuracy_by_epoch(result: GridResult, path: Path) -> None:
    """Test accuracy after each epoch of a grid of one field: the mean over the seeds, one line per value."""
    (label,) = result.labels.values()
    drawn, axes = plots.figure(7, max(4.2, 0.22 * len(result.settings) + 1))
    epochs = range(1, result.epochs + 1)
    for n, each in enumerate(result.settings):
        reached = {epoch: [share for run in each.runs for share in run.accuracy(epoch)] for epoch in epochs}
        means = {epoch: float(np.mean(shares)) for epoch, shares in reached.items() if shares}
        name = plots.legend_label(_label(each.values[0]))
        colour = plots.epoch_colour((n + 1) / len(result.settings))
        axes.plot(list(means), list(means.values()), marker="o", color=colour, label=name)
    axes.set(xlabel="epoch", ylabel="test accuracy")
    axes.set_xticks(epochs)
    ticks.label_percent(axes.yaxis)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, title=printable(label), loc="center left", bbox_to_anchor=(1, 0.5))
    plots.save(drawn, path)
