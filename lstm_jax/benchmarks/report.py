"""Prints the benchmark of layers as Markdown: ``python -m lstm_jax.benchmarks.report bench.json``."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import MAX_RELATIVE_IQR, Measurement, Ratio, grouped, quartiles, ratio
from lstm_jax.benchmarks.record import Record, read_record
from lstm_jax.errors import UserError
from lstm_jax.reports.tables import markdown

BFLOAT16_NOTE = (
    "In bfloat16 our layers round only the operands of products; state, sums and saved activations stay float32. The "
    "others are bfloat16 throughout."
)


def layer_tables(record: Record) -> str:
    """The report: how it was measured, how to read it, one table per suite, type and pass, and one of other figures."""
    reference = record.measurements[0].implementation
    groups = grouped(record.measurements, lambda each: (each.suite, each.dtype, each.pass_))
    parts = [_circumstances(record), _legend(reference)]
    parts += [BFLOAT16_NOTE] if any(dtype == "bfloat16" for _, dtype, _ in groups) else []
    several = len({suite for suite, _, _ in groups}) > 1
    for (suite, dtype, pass_), own in groups.items():
        title = f"{pass_}, {dtype}"
        parts.append(_table(own, f"{suite}, {title}" if several else title, reference))
    return "\n\n".join([*parts, _details(record.measurements)])


def _circumstances(record: Record) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items() if version)
    before, after = record.limits_before, record.limits_after
    assert before
    lines = [
        f"{record.device}, {record.date}, commit {record.git_commit or 'unknown'}, {versions}.",
        f"`{record.command}`",
        f"Limits before: {_limits(before)}.",
        f"Limits after: {_limits(after)}." if after else "The benchmark was interrupted.",
    ]
    if after:
        moved = abs(after.float32_gflops / before.float32_gflops - 1)
        lines.append(f"Between the two, the rate of float32 products changed by {moved:.0%}. The better values count.")
    return "  \n".join(lines)


def _limits(limits: Limits) -> str:
    products = f"products {limits.float32_gflops:,.0f} GFLOP/s in float32 and {limits.bfloat16_gflops:,.0f} in bfloat16"
    return f"{products}, copying {limits.copy_gbps:,.1f} GB/s, a step {limits.shortest_step_us:.2f} µs"


def _legend(reference: str) -> str:
    return (
        f"A cell gives the median in milliseconds, the time as a multiple (×) of that of {reference} in the same "
        "rounds, and the limit as a share of the time (%). The limit is the time that products, memory or steps take "
        "at XLA's best rates on this device; other libraries may exceed them. A ratio is reported only if its "
        f"interquartile range over the rounds is below {MAX_RELATIVE_IQR:.0%} of its median (otherwise: noisy), and a "
        "share only if the same holds for the times. Geometric means are over an implementation's reported ratios."
    )


def _table(found: Sequence[Measurement], title: str, reference: str) -> str:
    """One row per case, one column per implementation, and the geometric means of the ratios."""
    names = list(dict.fromkeys(each.implementation for each in found))
    rows = [[title, "limit, ms", *names]]
    ratios: dict[str, list[Ratio | None]] = {name: [] for name in names}
    for case, measured in grouped(found, lambda each: each.case).items():
        own = {each.implementation: each for each in measured}
        for name in names:
            ratios[name].append(ratio(own[name], own[reference]) if name != reference else None)
        limits = [f"{_ms(each.limit_ms)} ({each.limited_by})" for each in own.values() if each.limit_ms is not None]
        rows.append([case, *(limits or ["–"])[:1], *(_cell(own[name], ratios[name][-1]) for name in names)])
    means = ["" if name == reference else _mean(own) for name, own in ratios.items()]
    return markdown([*rows, ["geometric mean", "", *means]])


def _cell(own: Measurement, compared: Ratio | None) -> str:
    if own.median_ms is None:
        return own.error or "–"
    parts = [_ms(own.median_ms), *([str(compared)] if compared else [])]
    if own.fraction_of_limit is not None and not quartiles(own.rounds).noisy:
        parts.append(f"{own.fraction_of_limit:.0%}")
    return ", ".join(parts)


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _mean(ratios: Sequence[Ratio | None]) -> str:
    """The geometric mean of the reported ratios, and the number of cases that it covers."""
    kept = [each.median for each in ratios if each and not each.noisy]
    return f"× {np.exp(np.mean(np.log(kept))):.2f} ({len(kept)} of {len(ratios)})" if kept else "–"


def _details(found: Sequence[Measurement]) -> str:
    """One row per measurement: quantiles, rate, memory and difference from the reference."""
    rows = [["case", "implementation", "ms, median [p10, p90]", "GFLOP/s", "memory beyond imports, MiB", "difference"]]
    for own in found:
        if own.median_ms is not None and own.p10_ms is not None and own.p90_ms is not None:
            rows.append(
                [
                    f"{own.case}, {own.pass_}, {own.dtype}",
                    own.implementation,
                    f"{_ms(own.median_ms)} [{_ms(own.p10_ms)}, {_ms(own.p90_ms)}]",
                    f"{own.gflops:,.0f}",
                    "–" if own.peak_bytes is None else f"{own.peak_bytes / 2**20:,.0f}",
                    f"{own.difference:.1g}",
                ]
            )
    return markdown(rows)


def _main(arguments: Sequence[str]) -> None:
    """Prints the tables of a file."""
    if len(arguments) != 1:
        sys.exit("error: give one file: python -m lstm_jax.benchmarks.report FILE.json")
    try:
        print(layer_tables(read_record(Path(arguments[0]))))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    _main(sys.argv[1:])
