"""What the benchmark leaves behind: ``bench.json``, a table to paste, a roofline."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.turns import PASSES, Measurement, ratio
from lstm_jax.files import write_text
from lstm_jax.reports import plots

COLOURS = ("#d95f02", "#1b6ca8", "#7a9e3b", "#8e5ea2", "#666666", "#c2a83e")


def write(found: Sequence[Measurement], about: dict[str, Any], file: Path) -> None:
    """Writes ``bench.json``: what it was measured on and by which command, and an object a measurement."""
    measurements = [json.dumps(each.as_json()) for each in found]
    head = json.dumps(about, indent=2).removesuffix("\n}")
    write_text(file, head + ',\n  "measurements": [\n    ' + ",\n    ".join(measurements) + "\n  ]\n}\n")


def table(found: Sequence[Measurement], reference: str) -> str:
    """A section a type and a pass: milliseconds of every implementation, and over those of the reference.

    Args:
      found: measurements.
      reference: the implementation that others are compared with.
    """
    parts = []
    for dtype in dict.fromkeys(each.dtype for each in found):
        for part in PASSES:
            own = [each for each in found if (each.dtype, each.part) == (dtype, part)]
            parts.append(_section(own, f"{part}, {dtype}", reference))
    return "\n\n".join(parts)


def _section(found: Sequence[Measurement], title: str, reference: str) -> str:
    names = list(dict.fromkeys(each.implementation for each in found))
    lines = [
        f"| {title} | {' | '.join(f'{name}, ms' for name in names)} | {reference}, GFLOP/s | of the limit |",
        "|---" * (len(names) + 3) + "|",
    ]
    for case in dict.fromkeys(each.case for each in found):
        own = {each.implementation: each for each in found if each.case == case}
        base = own[reference]
        cells = [_cell(own.get(name), base) for name in names]
        rate = (
            f"{base.gflops:.0f} | {base.fraction_of_limit:.0%}" if base.gflops and base.fraction_of_limit else "– | –"
        )
        lines.append(f"| {case} | {' | '.join(cells)} | {rate} |")
    means = [_geometric_mean(found, name, reference) for name in names]
    lines.append(f"| geometric mean of the ratios | {' | '.join(means)} | | |")
    return "\n".join(lines)


def _cell(own: Measurement | None, base: Measurement) -> str:
    if own is None:
        return ""
    if own.error:
        return own.error
    text = f"{own.median_ms:.3g} [{own.p10_ms:.3g}, {own.p90_ms:.3g}]"
    if own is base:
        return text
    compared = ratio(own, base)
    if compared is None:
        return text
    return f"{text} (too noisy to compare)" if compared.noisy else f"{text} × {compared.median:.2f}"


def _geometric_mean(found: Sequence[Measurement], name: str, reference: str) -> str:
    """Of an implementation's time over the reference's, over the cases that can be told."""
    if name == reference:
        return "1"
    base = {each.case: each for each in found if each.implementation == reference}
    own = [ratio(each, base[each.case]) for each in found if each.implementation == name]
    told = [each.median for each in own if each and not each.noisy]
    if not told:
        return "–"
    mean = float(np.exp(np.mean(np.log(told))))
    return f"× {mean:.2f}" + (f" ({len(told)} of {len(own)} cases)" if len(told) < len(own) else "")


def roofline(found: Sequence[Measurement], limits: Limits, path: Path) -> None:
    """GFLOP/s of training over the work of a step, under the ceiling of matrix products."""
    own = [each for each in found if each.dtype == "float32" and each.part == "train" and each.gflops]
    drawn, axes = plots.figure(7.5, 4.4)
    cases = sorted({each.case for each in own}, key=lambda case: max(e.gflops or 0 for e in own if e.case == case))
    for name, colour in zip(dict.fromkeys(each.implementation for each in own), COLOURS, strict=False):
        rates = {each.case: each.gflops for each in own if each.implementation == name}
        axes.plot([cases.index(case) for case in rates], list(rates.values()), "o", color=colour, label=name)
    axes.axhline(limits.float32_gflops, color="grey", linewidth=1, linestyle="--", label="matrix products alone")
    axes.set_xticks(range(len(cases)), cases, rotation=20)
    axes.set(ylabel="GFLOP/s of a training pass")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
    plots.save(drawn, path)
