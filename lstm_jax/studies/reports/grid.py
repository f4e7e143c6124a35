"""The files that a grid writes: ``table.md``, ``runs.csv``, one picture of all values, one of losses per value."""

import csv
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.files import write_text
from lstm_jax.reports import plots, tables

Values = tuple[Any, ...]  # One value per field.


class GridRun(NamedTuple):
    """One run of a grid."""

    values: Values
    seed: int
    epochs: list[dict[str, Any]]  # Epoch, split, loss and accuracy of the epochs before it diverged.
    diverged: int | None  # The epoch, from 1, in which its loss or gradient became NaN or infinite.
    curve: list[dict[str, Any]]  # Its training rows of ``metrics.jsonl``.

    def accuracy(self, epoch: int) -> list[float]:
        """The test accuracy after an epoch, in a list; empty if the run had diverged."""
        return [row["accuracy"] for row in self.epochs if (row["split"], row["epoch"]) == ("test", epoch)]


def write_grid(fields: tuple[str, ...], runs: list[GridRun], epochs: int, workdir: Path) -> str:
    """Writes the table, ``runs.csv`` and the pictures; returns the table."""
    by_values: dict[Values, list[GridRun]] = {}
    for run in runs:
        by_values.setdefault(run.values, []).append(run)
    text = grid_table(fields, by_values, epochs)
    write_text(workdir / "table.md", text)
    write_text(workdir / "runs.csv", runs_csv(fields, runs))
    _picture(fields, by_values, epochs, workdir / "accuracy.png")
    for values, own in by_values.items():
        name = _spoken(values).replace("/", "_")
        plots.draw_epochs([{**row, "lane": 0} for row in own[0].curve], workdir / f"loss-{name}.png")
    return text


def grid_table(fields: tuple[str, ...], by_values: dict[Values, list[GridRun]], epochs: int) -> str:
    """A Markdown table with one row per epoch, one column per value: test accuracy, mean ± deviation over the seeds."""
    name = _spoken(tuple(field.split(".")[-1].replace("_", " ") for field in fields))
    rows = [[name, *map(_spoken, by_values)]]
    for epoch in range(1, epochs + 1):
        rows.append([f"epoch {epoch}", *(_cell(runs, epoch) for runs in by_values.values())])
    return tables.markdown(rows) + "\n"


def _spoken(values: Values) -> str:
    return ", ".join(map(str, values))


def _cell(runs: list[GridRun], epoch: int) -> str:
    lost = sum(run.diverged is not None and run.diverged <= epoch for run in runs)
    if lost == len(runs):
        return "diverged"
    text = tables.mean_and_deviation([accuracy for run in runs for accuracy in run.accuracy(epoch)])
    return f"{text} ({lost} of {len(runs)} diverged)" if lost else text


def runs_csv(fields: tuple[str, ...], runs: list[GridRun]) -> str:
    """One row per run, epoch and split, and one row per divergence."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*fields, "seed", "epoch", "split", "loss", "accuracy", "status"])
    for run in runs:
        for row in run.epochs:
            figures = (row[name] for name in ("epoch", "split", "loss", "accuracy"))
            writer.writerow([*run.values, run.seed, *figures, "ok"])
        if run.diverged is not None:
            writer.writerow([*run.values, run.seed, run.diverged, "train", "", "", "diverged"])
    return text.getvalue()


def _picture(fields: tuple[str, ...], by_values: dict[Values, list[GridRun]], epochs: int, path: Path) -> None:
    drawn, axes = plots.figure(7, 4.2)
    for n, (values, runs) in enumerate(by_values.items()):
        reached = {epoch: [each for run in runs for each in run.accuracy(epoch)] for epoch in range(1, epochs + 1)}
        means = {epoch: float(np.mean(accuracies)) for epoch, accuracies in reached.items() if accuracies}
        colour = plots.epoch_colour((n + 1) / len(by_values))
        axes.plot(
            list(means), list(means.values()), marker="o", color=colour, label=plots.legend_label(_spoken(values))
        )
    axes.set(xlabel="epoch", ylabel="test accuracy")
    axes.set_xticks(range(1, epochs + 1))
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, title=_spoken(fields), loc="center left", bbox_to_anchor=(1, 0.5))
    plots.save(drawn, path)
