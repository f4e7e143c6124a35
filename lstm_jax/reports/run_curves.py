"""The curves and the figures of several runs side by side."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.config import Config, differences
from lstm_jax.reports import plots, ticks
from lstm_jax.reports.run_tables import status_of
from lstm_jax.reports.tables import Table, TableCell

COLOURS, LINES = tuple(f"C{n}" for n in range(10)), ("-", "--", ":", "-.")
LABEL_FIELDS = 3  # The most fields that a label in the legend names. The table names them all.


class RunCurves(NamedTuple):
    """What is shown of one run.

    Attributes:
      name: The run's name, unique among those shown.
      config: Its config.
      summary: The content of its ``summary.json``; ``None`` if it has not ended yet.
      rows: The rows of its ``metrics.jsonl``.
    """

    name: str
    config: Config
    summary: Mapping[str, Any] | None
    rows: list[dict[str, Any]]

    @property
    def best(self) -> dict[str, Any] | None:
        """The row of the validation whose weights are kept; of several lanes', the one with the highest accuracy."""
        kept = plots.kept_validations(self.rows, self.config.train.best_by)
        return max(kept, key=lambda row: row["accuracy"], default=None)


def differing_fields(runs: Sequence[RunCurves]) -> dict[str, list[Any]]:
    """The values of each run by the path of a field, for the fields in which the runs differ."""
    found: dict[str, list[Any]] = {}
    for n, run in enumerate(runs):
        for path, first, own in differences(runs[0].config, run.config):
            found.setdefault(path, [first] * len(runs))[n] = own
    return found


def run_labels(runs: Sequence[RunCurves]) -> list[str]:
    """What a legend calls the runs: their names, and the fields in which they differ."""
    fields = differing_fields(runs)
    last = [path.rpartition(".")[2] for path in fields]
    names = [name if last.count(name) == 1 else path for name, path in zip(last, fields, strict=True)]
    labels = []
    for n, run in enumerate(runs):
        own = [f"{name} {_value(values[n])}" for name, values in zip(names, fields.values(), strict=True)]
        shown = own[:LABEL_FIELDS] + (["…"] if len(own) > LABEL_FIELDS else [])
        labels.append(f"{run.name}: {', '.join(shown)}" if shown else run.name)
    return labels


def _value(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, str) else json.dumps(value)


def run_curves_table(runs: Sequence[RunCurves]) -> Table:
    """The figures of the runs, and the fields in which they differ."""
    fields = differing_fields(runs)
    columns = ("run", "status", "validation accuracy", "at step", "steps", "seconds", "parameters", *fields)
    rows = []
    for n, run in enumerate(runs):
        ended = run.summary if run.summary and run.summary["status"] != "interrupted" else None
        last: Mapping[str, Any] = run.rows[-1] if run.rows else {}
        steps = ended["steps"] if ended else last.get("step")
        seconds = ended["train_seconds"] if ended else last.get("seconds")
        rows.append(
            [
                TableCell(run.name, n),
                TableCell(status_of(run.summary)),
                _number(run.best and run.best["accuracy"], ".2%"),
                _number(run.best and run.best["step"], ",d"),
                _number(steps, ",d"),
                _number(seconds, ",.1f"),
                _number(run.summary and run.summary["parameters"], ",d"),
                *(TableCell(_value(values[n]), _sorted_by(values[n])) for values in fields.values()),
            ]
        )
    title = "Validation accuracy of the weights kept, the best of all lanes; seconds are without compiling"
    return Table(title, columns, rows)


def _number(value: Any, form: str) -> TableCell:
    return TableCell("–", -1) if value is None else TableCell(format(value, form), value)


def _sorted_by(value: Any) -> float | str:
    return value if isinstance(value, int | float) else str(value)


def draw_runs(runs: Sequence[RunCurves], path: Path) -> None:
    """Draws validation and training curves over steps, one colour for each run; rings mark the weights kept.

    The lanes of an ensemble have a line each.
    """
    drawn, axes = plots.figure(11, 4.6 + 0.24 * len(runs), 1, 2)
    for n, (run, label) in enumerate(zip(runs, run_labels(runs), strict=True)):
        look = {"color": COLOURS[n % len(COLOURS)], "linestyle": LINES[n // len(COLOURS) % len(LINES)]}
        for axis, name in zip(axes, ("accuracy", "loss"), strict=True):
            for split, style in (("train", {"linewidth": 0.7, "alpha": 0.5}), ("validation", {"linewidth": 1.8})):
                for lane in sorted({row["lane"] for row in run.rows}):
                    own = [row for row in run.rows if (row["split"], row["lane"]) == (split, lane)]
                    own = [row for row in own if row[name] is not None]
                    mark = {"marker": "."} if split == "validation" else {}
                    axis.plot([row["step"] for row in own], [row[name] for row in own], **look, **style, **mark)
            if run.best and run.best[name] is not None:
                axis.plot(run.best["step"], run.best[name], marker="o", markersize=9, fillstyle="none", **look)
        axes[0].plot([], [], label=plots.legend_label(label), **look)
    for axis, quantity in zip(axes, ("accuracy", "cross-entropy (nats)"), strict=True):
        axis.set(xlabel="step", ylabel=quantity)
        ticks.label_counts(axis.xaxis)
        axis.set_xlim(left=0)
        axis.grid(alpha=0.25)
    ticks.label_percent(axes[0].yaxis)
    ticks.label_numbers(axes[1].yaxis)
    drawn.legend(loc="outside lower left", frameon=False)
    plots.save(drawn, path)
