"""The roofline of LSTM layers: how fast a case can be at XLA's best rates on a device, and what implementations reach.

**Products.** The time of all matrix products at the rate of the device's best product in that type.

**Memory.** The time to move the necessary bytes at the rate of copying. Everything that can stay in a cache is assumed
to: each array is read from memory, or written to it, once in the forward loop and once in the backward loop. With s
bytes per number, n tokens, and for each layer input width D, H units in each of d directions, and d·4H·(D + H + 1)
weights,

    forward    s · (n·D + n·d·H + weights)                       read inputs and weights, write outputs
    train      forward + s · (n·d·5H · 2                         write gates and cell state, read them again
                              + n·d·H · 2 + n·D                  read outputs, their gradient and the inputs
                              + n·D + weights · 2)               write inputs' gradient, read weights, write theirs

Saved activations could be recomputed instead, but that takes more operations than are counted. All numbers are assumed
to have the type's width, even if an implementation holds some in a wider one. Operations divided by these bytes are the
*intensity* of a case.

**Steps.** The time of the steps that must run one after another, each as long as the shortest step of an XLA loop. A
layer that reads in one direction can begin as soon as the layer below has made a step: T + layers - 1 steps in all. A
layer that reads in both directions needs the whole layer below. Training has as many steps again in its backward pass.
(A kernel that runs the whole loop on an accelerator may have shorter steps than XLA's.)
"""

from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import PASSES, Measurement
from lstm_jax.benchmarks.record import Record
from lstm_jax.reports import plots, ticks

BYTES = {"float32": 4, "bfloat16": 2}
LINE_COLOURS = ("#d95f02", "#1b6ca8", "#7a9e3b", "#8e5ea2", "#c2a83e", "#3aa6a0", "#a6583a", "#555555", "#e08fb0")
MARKERS = "oD^sv<>P"  # 8 markers and 9 colours have no common divisor: 72 implementations look different
ROOF, MUTED = "#333333", "#777777"
MARGIN = 1.7  # The x axis extends by this factor beyond the outermost case and the ridge point.
NAMES = 0.31  # Share of an axis's height for the names of the cases.
WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}


def least_seconds(case: Case, pass_: str, dtype: str, limits: Limits) -> dict[str, float]:
    """Lower bounds in seconds for a pass, by ``products``, ``memory`` and ``steps``.

    Args:
      case: The sizes.
      pass_: forward | train.
      dtype: float32 | bfloat16.
      limits: The limits of the device.
    """
    return {
        "products": case.flop(pass_) / (1e9 * limits.gflops(dtype)),
        "memory": moved_bytes(case, pass_, dtype) / (1e9 * limits.copy_gbps),
        "steps": steps(case, pass_) * 1e-6 * limits.shortest_step_us,
    }


def moved_bytes(case: Case, pass_: str, dtype: str) -> float:
    """The bytes that a pass must move; see the module's docstring."""
    tokens, total = float(case.lengths().sum()), 0.0
    for width in case.widths:
        out = case.directions * case.units
        weights = 4 * out * (width + case.units + 1)
        forward = tokens * (width + out) + weights
        backward = tokens * (10 * out + 2 * out + 2 * width) + 2 * weights
        total += forward + (backward if pass_ == "train" else 0.0)
    return BYTES[dtype] * total


def intensity(case: Case, pass_: str, dtype: str) -> float:
    """Operations of matrix products per byte moved."""
    return case.flop(pass_) / moved_bytes(case, pass_, dtype)


def steps(case: Case, pass_: str) -> int:
    """The number of steps that must run one after another; see the module's docstring."""
    forward = case.steps * case.layers if case.directions == 2 else case.steps + case.layers - 1
    return forward * {"forward": 1, "train": 2}[pass_]


def with_limits(record: Record) -> Record:
    """The record with every time compared with the limits known so far."""
    return record._replace(measurements=[_with_limit(each, record) for each in record.measurements])


def _with_limit(own: Measurement, record: Record) -> Measurement:
    if own.median_ms is None or record.limits is None:
        return own
    least = least_seconds(record.cases[own.case], own.pass_, own.dtype, record.limits)
    limited_by = max(least, key=lambda name: least[name])
    limit_ms = 1e3 * least[limited_by]
    return own._replace(limit_ms=limit_ms, limited_by=limited_by, fraction_of_limit=limit_ms / own.median_ms)


def draw_roofline(record: Record, path: Path) -> None:
    """Draws a panel for each type and pass: GFLOP/s over intensity, both on logarithmic scales."""
    dtypes = list(dict.fromkeys(each.dtype for each in record.measurements))
    drawn, axes = plots.figure(13, 5.4 * len(dtypes) + 0.7, len(dtypes), len(PASSES), squeeze=False)
    for row, dtype in zip(axes, dtypes, strict=True):
        for panel, pass_ in zip(row, PASSES, strict=True):
            _panel(panel, record, pass_, dtype)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 8), frameon=False, fontsize=10)
    drawn.supxlabel("operations of matrix products per byte that must be moved", fontsize=11)
    plots.save(drawn, path)


def _panel(panel: Any, record: Record, pass_: str, dtype: str) -> None:
    assert record.limits
    ceiling, bandwidth = record.limits.gflops(dtype), record.limits.copy_gbps
    at = {name: intensity(case, pass_, dtype) for name, case in record.cases.items()}
    own = [each for each in record.measurements if (each.dtype, each.pass_) == (dtype, pass_)]
    lowest = min([each.gflops for each in own if each.gflops], default=ceiling / 10)
    top = np.log(12 * ceiling)
    panel.set(xscale="log", yscale="log", title=f"{pass_}, {dtype}", ylabel="GFLOP/s")
    panel.set_xlim(min(*at.values(), ceiling / bandwidth) / MARGIN, max(*at.values(), ceiling / bandwidth) * MARGIN)
    panel.set_ylim(float(np.exp(top - (top - np.log(lowest / 1.2)) / (1 - NAMES))), float(np.exp(top)))
    for axis in (panel.xaxis, panel.yaxis):
        ticks.label_plain(axis, most=15)
    _roof(panel, ceiling, bandwidth)
    for n, name in enumerate(dict.fromkeys(each.implementation for each in record.measurements)):
        rates = {each.case: each.gflops for each in own if each.implementation == name and each.gflops}
        colour, marker = LINE_COLOURS[n % len(LINE_COLOURS)], MARKERS[n % len(MARKERS)]
        x, y = [at[case] for case in rates], list(rates.values())
        panel.scatter(x, y, s=52, linewidths=0.8, label=name, zorder=3, color=colour, marker=marker, edgecolors="white")
    _cases(panel, record, at, pass_)
    panel.grid(alpha=0.2, which="major")


def _roof(panel: Any, ceiling: float, bandwidth: float) -> None:
    left, right = panel.get_xlim()
    x = np.geomspace(left, right, 400)
    panel.plot(x, np.minimum(ceiling, bandwidth * x), color=ROOF, linewidth=1.6, zorder=2)
    text = f"products {ceiling:,.0f} GFLOP/s, copying {bandwidth:,.3g} GB/s"
    panel.text(right / 1.03, ceiling * 1.08, text, ha="right", va="bottom", fontsize=9, color=ROOF, bbox=WHITE)


def _cases(panel: Any, record: Record, at: dict[str, float], pass_: str) -> None:
    """Names the cases, evenly spaced along the axis, and marks the rate at which the steps alone would limit each.

    A rate above the visible range is written as a number at the upper edge.
    """
    assert record.limits
    (low, high), highest = np.log(panel.get_xlim()), panel.get_ylim()[1]
    label: str | None = "steps alone (↑ GFLOP/s: above the picture)"
    text = {"rotation": 90, "ha": "center", "va": "top", "transform": panel.transAxes}
    line = {"color": MUTED, "linewidth": 0.6, "linestyle": ":", "transform": panel.transAxes, "zorder": 1}
    for n, name in enumerate(sorted(at, key=lambda name: at[name])):
        place, x = (n + 0.5) / len(at), (np.log(at[name]) - low) / (high - low)
        panel.plot([place, x, x, place], [NAMES - 0.05, NAMES - 0.01, 0.88, 0.92], **line)
        panel.text(place, NAMES - 0.06, name, fontsize=9, **text)
        case = record.cases[name]
        rate = case.flop(pass_) / (1e3 * record.limits.shortest_step_us * steps(case, pass_))
        if rate < highest:
            panel.scatter([at[name]], [rate], s=280, marker="_", color=ROOF, label=label, zorder=2)
            label = None
        else:
            panel.text(place, 0.995, f"↑ {float(f'{rate:.3g}'):,.0f}", fontsize=8, color=MUTED, bbox=WHITE, **text)
