"""The pictures of a comparison."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.reports import plots, ticks
from lstm_jax.studies import statistics
from lstm_jax.studies.results import Entry, Result
from lstm_jax.studies.search import learning_rate_of

OWN, OTHERS, MARK = "#1b6ca8", "#c9ced6", "#d95f02"
PANELS_A_ROW = 4  # Maximum number of panels side by side.


def test_accuracy(result: Result, path: Path) -> None:
    """The test accuracy of every held-out seed, the mean and its interval, the best optimizer on top."""
    entries = result.entries
    drawn, axes = plots.figure(7, 1.2 + 0.34 * len(entries))
    for n, entry in enumerate(entries):
        axes.plot([entry.test.low, entry.test.high], [n, n], color=OWN, linewidth=3, alpha=0.45, solid_capstyle="round")
        axes.plot(entry.accuracies, [n] * len(entry.held_out), "|", color=OWN, markersize=7, alpha=0.6)
        axes.plot(entry.test.mean, n, "o", color=OWN, markersize=6)
    axes.set_yticks(range(len(entries)), [entry.name for entry in entries])
    axes.invert_yaxis()
    ticks.label_percent(axes.xaxis)
    axes.set(xlabel=f"test accuracy, {len(entries[0].held_out)} held-out seeds: mean, 95 % interval, runs")
    axes.grid(alpha=0.25, axis="x")
    plots.save(drawn, path)


def learning_curves(result: Result, path: Path) -> None:
    """Validation accuracy over steps of the held-out seeds, mean and 95 % band, one panel per optimizer."""
    curves = {entry.optimizer: _band(entry) for entry in result.entries}
    drawn, panels = _panels(len(result.entries))
    for axes, entry in zip(panels, result.entries, strict=True):
        for name, (steps, means, _, _) in curves.items():
            if name != entry.optimizer:
                axes.plot(steps, means, color=OTHERS, linewidth=0.8)
        steps, means, lows, highs = curves[entry.optimizer]
        axes.fill_between(steps, lows, highs, color=OWN, alpha=0.3, linewidth=0)
        axes.plot(steps, means, color=OWN, linewidth=1.8)
        if result.target:
            axes.axhline(result.target, color=MARK, linewidth=0.8, linestyle=":")
        ticks.label_counts(axes.xaxis, most=3)
        axes.set_xlim(left=0)
        axes.set_title(entry.name, fontsize=10)
    _finish(drawn, panels, "step", "validation accuracy", path)


def _band(entry: Entry) -> tuple[list[int], list[float], list[float], list[float]]:
    """Steps of validations, with mean and band over the runs. A run that has ended keeps its last value."""
    steps = sorted({row["step"] for curve in entry.curves for row in curve if row["split"] == "validation"})
    at: list[list[float]] = [[] for _ in steps]
    for curve in entry.curves:
        own = {row["step"]: row["accuracy"] for row in curve if row["split"] == "validation"}
        last: float | None = None
        for n, step in enumerate(steps):
            last = own.get(step, last)
            if last is not None:
                at[n].append(last)
    bands = [statistics.bootstrap_interval(values) for values in at]
    return steps, [b.mean for b in bands], [b.low for b in bands], [b.high for b in bands]


def learning_rate_sensitivity(result: Result, path: Path) -> None:
    """Validation accuracy over the learning rate: mean and range of the seeds. ✕ marks rates where a seed diverged."""
    drawn, panels = _panels(len(result.entries))
    for axes, entry in zip(panels, result.entries, strict=True):
        for each in entry.tried:
            reached = [run.best_validation_accuracy for run in each.runs if run.best_validation_accuracy is not None]
            x = learning_rate_of(each.setting)
            if reached:
                axes.plot([x, x], [min(reached), max(reached)], color=OWN, linewidth=3, alpha=0.3)
                axes.plot(x, float(np.mean(reached)), "o", color=OWN, markersize=4)
            if each.diverged:
                axes.plot(x, 0.04, "x", color=MARK, markeredgewidth=1.6, transform=axes.get_xaxis_transform())
        axes.plot(*entry.by_learning_rate(undiverged=True), color=OWN, linewidth=1.2)
        axes.plot(entry.learning_rate, entry.best.accuracy, "o", color="none", markeredgecolor=MARK, markersize=10)
        axes.set_xscale("log")
        ticks.label_plain(axes.xaxis, most=4)
        axes.set_title(entry.name, fontsize=10)
    _finish(drawn, panels, "learning rate", "validation accuracy", path)


def budget(result: Result, path: Path) -> None:
    """Expected best validation accuracy over the number of settings tried."""
    drawn, axes = plots.figure(7.5, 4.4)
    lines = {entry.optimizer: statistics.expected_best(entry.scores()) for entry in result.entries}
    order = sorted(lines, key=lambda name: -lines[name][-1])
    for n, name in enumerate(order):
        tried = range(1, len(lines[name]) + 1)
        axes.plot(tried, lines[name], marker=".", label=plots.legend_label(name), **_line(n))
    axes.set(xlabel="settings tried", ylabel="expected best validation accuracy")
    ticks.label_percent(axes.yaxis)
    ticks.label_counts(axes.xaxis)
    _legend(axes)
    plots.save(drawn, path)


def profile(results: list[Result], path: Path) -> None:
    """The share of runs (tasks times seeds) that reach the target within a factor of the fastest one's steps."""
    costs: dict[str, list[float]] = {}
    for result in results:
        for entry in result.entries if result.target else ():
            costs.setdefault(entry.optimizer, []).extend(entry.steps)
    finite = [cost for row in costs.values() for cost in row if math.isfinite(cost)]
    if not finite:
        return
    ratios = np.geomspace(1, max(2.0, max(finite) / min(finite)), 400)
    shares = statistics.performance_profile(costs, ratios)
    drawn, axes = plots.figure(7.5, 4.4)
    order = sorted(shares, key=lambda name: -float(shares[name].mean()))
    for n, name in enumerate(order):
        axes.step(ratios, shares[name], where="post", label=plots.legend_label(name), **_line(n))
    axes.set(xscale="log", ylim=(-0.02, 1.02), xlim=(1, ratios[-1]))
    axes.set(xlabel="steps to the target, times those of the fastest", ylabel="share of runs")
    ticks.label_percent(axes.yaxis)
    ticks.label_plain(axes.xaxis)
    _legend(axes)
    plots.save(drawn, path)


def _panels(count: int) -> tuple[Any, list[Any]]:
    columns = min(PANELS_A_ROW, count)
    rows = -(-count // columns)
    drawn, grid = plots.figure(2.6 * columns + 0.6, 2.1 * rows + 0.5, rows, columns, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for spare in panels[count:]:
        spare.set_axis_off()
    return drawn, panels[:count]


def _finish(drawn: Any, panels: list[Any], xlabel: str, ylabel: str, path: Path) -> None:
    for axes in panels:
        ticks.label_percent(axes.yaxis)
        axes.grid(alpha=0.25)
        axes.tick_params(labelsize=8)
    drawn.supxlabel(xlabel, fontsize=10)
    drawn.supylabel(ylabel, fontsize=10)
    plots.save(drawn, path)


def _line(n: int) -> dict[str, Any]:
    """Ten colours, then the same ones dashed."""
    return {"color": f"C{n % 10}", "linestyle": ("-", "--", ":")[n // 10 % 3], "linewidth": 1.6}


def _legend(axes: Any) -> None:
    axes.grid(alpha=0.25)
    plots.legend_outside(axes, fontsize=9)
