"""Gradients over distance: the picture, the table and the file of their figures."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax.characters import printable
from lstm_jax.files import write_text
from lstm_jax.reports import plots, ticks
from lstm_jax.types import HostArray

SHOWN_DISTANCES = (0, 10, 50, 100, 200)  # The columns of the table.
LEAST_DRAWN = 1e-8  # The smallest value in the picture.


class GradientCurve(NamedTuple):
    """The norms of gradients with respect to embedded tokens, by distance from the last token.

    Attributes:
      label: The network.
      mean: The mean over the examples that are long enough, by distance, from 0 on.
      median: The median over them.
      clipped: The mean after each batch's gradient is clipped.
      total: The norm of the gradient of all weights, the median over the batches.
      factor: What clipping multiplies gradients by, the median over the batches.
    """

    label: str
    mean: HostArray
    median: HostArray
    clipped: HostArray
    total: float
    factor: float


def draw_gradients(panels: Mapping[str, Sequence[GradientCurve]], clipping: str, path: Path) -> None:
    """Draws norms over distance, relative to the last token's, on a logarithmic scale; a panel for each title.

    Dashed lines are what clipping leaves. Networks with equal curves share a line. Curves that fall below
    ``LEAST_DRAWN`` end there.
    """
    drawn, grid = plots.figure(9.6, 4.4 * len(panels), len(panels), 1, squeeze=False)
    for axes, (title, curves) in zip(grid.flat, panels.items(), strict=True):
        for n, equal in enumerate(_equal_ones(curves)):
            curve, label = equal[0], ",\n".join(plots.legend_label(own.label) for own in equal)
            style = {"color": f"C{n % 10}", "linewidth": 1.6, "linestyle": ("-", ":")[n // 10 % 2]}
            axes.plot(_drawn(curve.mean / curve.mean[0]), label=label, **style)
            if curve.factor < 1:
                dashed = {**style, "linestyle": "--", "linewidth": 1.1}
                text = f"{label}, {clipping.split(';')[0]}"
                axes.plot(_drawn(curve.clipped / curve.mean[0]), label=text, **dashed)
        axes.set_yscale("log")
        ticks.label_plain(axes.yaxis)
        axes.set_xlim(left=0)
        ticks.label_counts(axes.xaxis)
        axes.grid(alpha=0.25)
        axes.set_title(printable(title), fontsize=10)
        axes.set(xlabel="distance from the last token", ylabel="norm, relative to the last token's")
        plots.legend_outside(axes, fontsize=8)
    plots.save(drawn, path)


def _equal_ones(curves: Sequence[GradientCurve]) -> list[list[GradientCurve]]:
    """The curves in groups of equal ones, such as those of layers that start as the same network."""
    groups: list[list[GradientCurve]] = []
    for curve in curves:
        for group in groups:
            if curve.mean.shape == group[0].mean.shape and np.allclose(curve.mean, group[0].mean, rtol=1e-3, atol=0):
                group.append(curve)
                break
        else:
            groups.append([curve])
    return groups


def _drawn(values: HostArray) -> HostArray:
    """Values for a logarithmic axis, on which those below ``LEAST_DRAWN`` have no place."""
    return np.where(values >= LEAST_DRAWN, values, np.nan)


def gradient_table(curves: Sequence[GradientCurve], clipping: str) -> str:
    """A line per network: norms relative to that at distance 0, and what clipping does."""
    width = max(len(printable(curve.label)) for curve in curves)
    head = "".join(f"{distance:>10,}" for distance in SHOWN_DISTANCES)
    lines = [
        "norm of the gradient of an example's loss with respect to an embedded token, relative to the last token's;",
        f"mean over examples, by distance from the last token; {clipping}",
        f"{'':<{width}}{head}{'all weights':>13}{'clipped by':>12}",
    ]
    for curve in curves:
        shown = [curve.mean[d] / curve.mean[0] if d < len(curve.mean) else None for d in SHOWN_DISTANCES]
        cells = "".join(f"{'–' if value is None else f'{value:.2g}':>10}" for value in shown)
        factor = "–" if curve.factor >= 1 else f"× {curve.factor:.2g}"
        lines.append(f"{printable(curve.label):<{width}}{cells}{curve.total:>13.3g}{factor:>12}")
    return "\n".join(lines)


def gradients_csv(panels: Mapping[str, Sequence[GradientCurve]], path: Path) -> None:
    """Writes the norms themselves, a row per network and distance."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("network", "distance", "mean", "median", "clipped_mean"))
    for curves in panels.values():
        for curve in curves:
            columns = zip(curve.mean, curve.median, curve.clipped, strict=True)
            writer.writerows((curve.label, distance, *map(float, row)) for distance, row in enumerate(columns))
    write_text(path, text.getvalue())
