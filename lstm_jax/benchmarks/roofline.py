"""The roofline of a benchmark of layers: what implementations reach, under what the device and the steps allow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.benchmarks import roofs
from lstm_jax.benchmarks.measurement import PASSES
from lstm_jax.benchmarks.record import Record
from lstm_jax.reports import plots
from lstm_jax.types import HostArray

COLOURS = ("#d95f02", "#1b6ca8", "#7a9e3b", "#8e5ea2", "#c2a83e", "#3aa6a0", "#a6583a", "#555555", "#e08fb0")
MARKERS = "oD^sv<>P"  # so many that with the colours no two of some dozens of implementations look alike
ROOF, MUTED = "#333333", "#777777"
MARGIN = 1.7  # beyond the outermost case, and beyond the ridge of the roof, as a factor
NAMES = 0.31  # of an axis' height, which the cases' names take
LABEL_GAP = 0.042  # of an axis' width, between the names of neighbouring cases
WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}


def draw(record: Record, path: Path) -> None:
    """A panel a type and a pass: GFLOP/s over operations a byte, both on logarithmic scales.

    Args:
      record: what was measured.
      path: of the PNG.
    """
    dtypes = list(dict.fromkeys(each.dtype for each in record.measurements))
    drawn, axes = plots.figure(13, 5.4 * len(dtypes) + 0.7, len(dtypes), len(PASSES), squeeze=False)
    for row, dtype in zip(axes, dtypes, strict=True):
        for panel, part in zip(row, PASSES, strict=True):
            _panel(panel, record, part, dtype)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 8), frameon=False, fontsize=10)
    drawn.supxlabel("operations of matrix products a byte that must be moved", fontsize=11)
    plots.save(drawn, path)


def _panel(panel: Any, record: Record, part: str, dtype: str) -> None:
    ceiling, ridge = record.limits.gflops(dtype), record.limits.gflops(dtype) / record.limits.copy_gbps
    at = {name: roofs.intensity(case, part, dtype) for name, case in record.cases.items()}
    own = [each for each in record.measurements if (each.dtype, each.part) == (dtype, part) and each.gflops]
    lowest = min([each.gflops for each in own if each.gflops], default=ceiling / 10)
    top = np.log(12 * ceiling)
    panel.set(xscale="log", yscale="log", title=f"{part}, {dtype}", ylabel="GFLOP/s")
    panel.set_xlim(min(*at.values(), ridge) / MARGIN, max(*at.values(), ridge) * MARGIN)
    panel.set_ylim(float(np.exp(top - (top - np.log(lowest / 1.2)) / (1 - NAMES))), float(np.exp(top)))
    for axis in (panel.xaxis, panel.yaxis):
        _plain(axis)
    _roof(panel, ceiling, record.limits.copy_gbps)
    for n, name in enumerate(dict.fromkeys(each.implementation for each in record.measurements)):
        rates = {each.case: each.gflops for each in own if each.implementation == name}
        style = {"color": COLOURS[n % len(COLOURS)], "marker": MARKERS[n % len(MARKERS)], "edgecolors": "white"}
        x, y = [at[case] for case in rates], list(rates.values())
        panel.scatter(x, y, s=52, linewidths=0.8, label=name, zorder=3, **style)
    _floors(panel, record, at, part)
    _names(panel, at)
    panel.grid(alpha=0.2, which="major")


def _plain(axis: Any) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _roof(panel: Any, ceiling: float, bandwidth: float) -> None:
    left, right = panel.get_xlim()
    x = np.geomspace(left, right, 400)
    panel.plot(x, np.minimum(ceiling, bandwidth * x), color=ROOF, linewidth=1.6, zorder=2)
    text = f"products {ceiling:,.0f} GFLOP/s, copying {bandwidth:,.3g} GB/s"
    panel.text(right / 1.03, ceiling * 1.08, text, ha="right", va="bottom", fontsize=9, color=ROOF, bbox=WHITE)


def _floors(panel: Any, record: Record, at: dict[str, float], part: str) -> None:
    """Each case's rate if nothing took time but its steps; in figures at the upper edge where it is above that."""
    step, highest = record.limits.shortest_step_us, panel.get_ylim()[1]
    rates = {name: case.flop(part) / (1e3 * step * roofs.steps(case, part)) for name, case in record.cases.items()}
    seen = {name: rate for name, rate in rates.items() if rate < highest}
    label = "steps alone (↑ GFLOP/s: above the picture)"
    panel.scatter(
        [at[name] for name in seen], list(seen.values()), s=280, marker="_", color=ROOF, label=label, zorder=2
    )
    for name, place in _apart(panel, at).items():
        if name not in seen:
            style = {"rotation": 90, "ha": "center", "va": "top", "fontsize": 8, "color": MUTED, "bbox": WHITE}
            panel.text(place, 0.995, f"↑ {float(f'{rates[name]:.3g}'):,.0f}", transform=panel.transAxes, **style)


def _names(panel: Any, at: dict[str, float]) -> None:
    """Each case's name below its points."""
    low, high = np.log(panel.get_xlim())
    for name, place in _apart(panel, at).items():
        x = (np.log(at[name]) - low) / (high - low)
        line = {"color": MUTED, "linewidth": 0.6, "linestyle": ":", "transform": panel.transAxes, "zorder": 1}
        panel.plot([place, x, x], [NAMES - 0.05, NAMES - 0.01, 0.88], **line)
        style = {"rotation": 90, "ha": "center", "va": "top", "fontsize": 9}
        panel.text(place, NAMES - 0.06, name, transform=panel.transAxes, **style)


def _apart(panel: Any, at: dict[str, float]) -> dict[str, float]:
    """Where names of cases go, in parts of the axis' width."""
    low, high = np.log(panel.get_xlim())
    names = sorted(at, key=lambda name: at[name])
    places = spread([float((np.log(at[name]) - low) / (high - low)) for name in names], LABEL_GAP)
    return dict(zip(names, map(float, places), strict=True))


def spread(places: Sequence[float], gap: float) -> HostArray:
    """Ascending places, moved so as to be ``gap`` apart: clusters widen about their middle."""
    clusters: list[list[float]] = []
    for place in places:
        clusters.append([place])
        while len(clusters) > 1 and _ends(clusters[-2], gap)[1] + gap > _ends(clusters[-1], gap)[0]:
            last = clusters.pop()
            clusters[-1] += last
    return np.concatenate([np.linspace(*_ends(each, gap), len(each)) for each in clusters])


def _ends(cluster: list[float], gap: float) -> tuple[float, float]:
    half = gap * (len(cluster) - 1) / 2
    return float(np.mean(cluster)) - half, float(np.mean(cluster)) + half
