"""The benchmark of layers as Markdown: ``python -m lstm_jax.benchmarks.report FILE`` prints a ``bench.json``."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.benchmarks import record
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import NOISY, PASSES, Measurement, Ratio, cell, quartiles, ratio
from lstm_jax.benchmarks.record import Record
from lstm_jax.errors import UserError

ROUNDED = (
    "In bfloat16 ours rounds the operands of products alone, and state, sums and what is saved stay float32; the "
    "others are bfloat16 throughout."
)


def tables(found: Record) -> str:
    """The circumstances, how to read it, a table a type and a pass, and at last what the tables leave out."""
    dtypes = list(dict.fromkeys(each.dtype for each in found.measurements))
    parts = [_circumstances(found), _legend(found.reference), *([ROUNDED] if "bfloat16" in dtypes else [])]
    for dtype in dtypes:
        for part in PASSES:
            own = [each for each in found.measurements if (each.dtype, each.part) == (dtype, part)]
            if own:
                parts.append(_table(own, f"{part}, {dtype}", found.reference))
    return "\n\n".join([*parts, _details(found)])


def _circumstances(found: Record) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items() if version)
    lines = [
        f"{found.device}, {found.date}, commit {found.git_commit or 'unknown'}, {versions}.",
        f"`{found.command}`",
        f"Limits before: {_limits(found.limits_before)}.",
    ]
    lines.append(f"After: {_limits(found.limits_after)}." if found.limits_after else "It has not come to its end.")
    if found.limits_after:
        moved = abs(found.limits_after.float32_gflops / found.limits_before.float32_gflops - 1)
        lines.append(f"Between the two the machine's products changed by {moved:.0%}; the better are taken as limits.")
    return "  \n".join(lines)


def _limits(limits: Limits) -> str:
    products = f"products {limits.float32_gflops:,.0f} GFLOP/s in float32 and {limits.bfloat16_gflops:,.0f} in bfloat16"
    return f"{products}, copying {limits.copy_gbps:,.1f} GB/s, a step {limits.shortest_step_us:.2f} µs"


def _legend(reference: str) -> str:
    return (
        f"Median milliseconds; × how many times as long as {reference} took in the same rounds; % of the limit, which "
        "is the time that products, memory or steps take at XLA's best rates here (other libraries may exceed it). "
        f"Where the quartiles of the rounds' ratios are more than {NOISY:.0%} of their median apart, no ratio is told "
        "(noisy), and where those of its own times are, no %. Geometric means are over an implementation's ratios that "
        "are told."
    )


def _table(found: Sequence[Measurement], title: str, reference: str) -> str:
    names = list(dict.fromkeys(each.implementation for each in found))
    lines = [f"| {title} | limit, ms | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]
    ratios: dict[str, list[Ratio | None]] = {name: [] for name in names}
    for case in dict.fromkeys(each.case for each in found):
        own = {each.implementation: each for each in found if each.case == case}
        for name in names:
            ratios[name].append(ratio(own[name], own[reference]))
        cells = [_cell(own[name], ratios[name][-1] if name != reference else None) for name in names]
        lines.append(f"| {case} | {_limit(list(own.values()))} | {' | '.join(cells)} |")
    return "\n".join([*lines, _means(ratios, reference)])


def _limit(found: Sequence[Measurement]) -> str:
    told = [f"{_ms(each.limit_ms)} ({each.limited_by})" for each in found if each.limit_ms is not None]
    return told[0] if told else "–"


def _cell(own: Measurement, compared: Ratio | None) -> str:
    if own.median_ms is None:
        return cell(own.error or "–")
    parts = [_ms(own.median_ms)]
    if compared:
        parts.append("noisy" if compared.noisy else f"× {compared.median:.2f}")
    if own.fraction_of_limit is not None and not quartiles(own.rounds).noisy:
        parts.append(f"{own.fraction_of_limit:.0%}")
    return ", ".join(parts)


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _details(found: Record) -> str:
    """A line a measurement: quantiles, rate, memory, difference."""
    lines = [
        "| case | implementation | ms, median [p10, p90] | GFLOP/s | process beyond its imports, MiB | difference |",
        "|---|---|---|---|---|---|",
    ]
    for own in found.measurements:
        if own.median_ms is None or own.p10_ms is None or own.p90_ms is None:
            continue
        cells = (
            f"{own.case}, {own.part}, {own.dtype}",
            own.implementation,
            f"{_ms(own.median_ms)} [{_ms(own.p10_ms)}, {_ms(own.p90_ms)}]",
            f"{own.gflops:,.0f}",
            "–" if own.peak_bytes is None else f"{own.peak_bytes / 2**20:,.0f}",
            f"{own.difference:.1g}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _means(ratios: dict[str, list[Ratio | None]], reference: str) -> str:
    """The last row: of each implementation the geometric mean of the ratios that are told, and of how many cases."""
    cells = []
    for name, own in ratios.items():
        told = [each.median for each in own if each and not each.noisy]
        mean = f"× {np.exp(np.mean(np.log(told))):.2f} ({len(told)} of {len(own)})" if told else "–"
        cells.append("" if name == reference else mean)
    return f"| geometric mean | | {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> int:
    """Prints the tables of a file; the exit code."""
    if len(arguments) != 1:
        print("error: give one file: python -m lstm_jax.benchmarks.report FILE.json", file=sys.stderr)
        return 2
    try:
        print(tables(record.read(Path(arguments[0]))))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
