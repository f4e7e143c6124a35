"""The files that a grid writes: ``table.md``, ``report.html``, ``runs.csv``, ``curves.parquet``, and pictures."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lstm_jax.files import write_bytes, write_text
from lstm_jax.reports import plots
from lstm_jax.reports.tables import Table, TableCell, markdown, mean_and_deviation
from lstm_jax.studies.grid_results import GridResult, GridRun, GridSetting, is_number
from lstm_jax.studies.reports import grid_page, grid_pictures, tables
from lstm_jax.studies.reports.write import parquet_bytes
from lstm_jax.studies.settings import file_name, flags_of, written, written_setting

RUN_COLUMNS = ("status", "best_validation_accuracy", "best_step", "final_train_loss", "test_accuracy")


def write_grid(result: GridResult, workdir: Path) -> str:
    """Writes all files and returns the tables of ``table.md``.

    If the runs kept their epochs, ``epochs.csv`` holds the figures of each. A grid of one field then also has a table
    of them, ``accuracy.png``, and ``loss-VALUE.png`` for each value.
    """
    write_text(workdir / "runs.csv", runs_csv(result))
    write_bytes(workdir / "curves.parquet", curves(result))
    ranking = grid_ranking(result)
    parts = [
        ranking.caption + ".",
        tables.to_markdown(ranking),
        *best_command(result),
        "\n".join(f"- {note}" for note in result.notes()),
    ]
    if by_epoch := bool(result.epochs and len(result.labels) == 1):
        parts += ["Test accuracy after each epoch, in percent.", grid_epochs(result)]
    _write_epochs(result, workdir, by_epoch)
    picture, shown = workdir / "plots" / "validation-accuracy.png", ""
    picture.unlink(missing_ok=True)  # It is not drawn if every run diverged.
    if result.best:
        shown = grid_pictures.validation_accuracy(result, picture)
    text = "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"
    write_text(workdir / "table.md", text)
    command = "\n".join(best_command(result))
    grid_page.write_grid_page(result, ranking, command, (picture, shown), workdir / "report.html")
    return text


def grid_ranking(result: GridResult) -> Table:
    """One row per setting, the best on the validation split first."""
    seeds = len(result.ranked[0].runs)
    over = f", mean ± standard deviation of {seeds} seeds" if seeds > 1 else ""
    caption = (
        f"Accuracy in percent at the best validation of each run{over}. Validation alone ranks the settings; test is "
        "the accuracy of the same weights on test examples. Seconds are those of training a run, without compiling, "
        "with other runs beside it"
    )
    columns = ("rank", *result.labels.values(), "validation", "test", "weights", "seconds")
    rows = [_ranked(each, n, result) for n, each in enumerate(result.ranked, start=1)]
    return Table(caption, columns, rows)


def _ranked(setting: GridSetting, rank: int, result: GridResult) -> list[TableCell]:
    best = " (best)" if rank == 1 and result.best else ""
    figures = [mean_and_deviation(each) if each else "–" for each in (setting.validations, setting.tests)]
    if lost := len(setting.diverged):
        all_of_them = lost == len(setting.runs) and not setting.validations
        figures[0] = "diverged" if all_of_them else f"{figures[0]} ({lost} of {len(setting.runs)} diverged)"
    values = [TableCell(written(value), float(value) if is_number(value) else str(value)) for value in setting.values]
    parameters = setting.runs[0].parameters
    tested = sum(setting.tests) / len(setting.tests) if setting.tests else 0.0
    return [
        TableCell(f"{rank}{best}", rank),
        *values,
        TableCell(figures[0], setting.mean),
        TableCell(figures[1], tested),
        TableCell(f"{parameters:,}", parameters),
        TableCell(f"{setting.seconds:.1f}", setting.seconds),
    ]


def best_command(result: GridResult) -> list[str]:
    """What to say about the best setting, and its flags."""
    if result.best is None:
        return ["No run reached a validation before it diverged, so there is no best setting."]
    best = result.best
    figures = f"{mean_and_deviation(best.validations)} % on validation"
    figures += f" and {mean_and_deviation(best.tests)} % on test examples" if best.tests else ""
    return [
        f"The best setting is {written_setting(result.labels, best.changes)}, with {figures}. Its flags, beside those "
        "of the grid's base:",
        f"    {flags_of(best.changes)}",
    ]


def runs_csv(result: GridResult) -> str:
    """One row per run. Empty cells: it diverged before a validation, or has no training loss."""
    rows = []
    for setting, run in _runs(result):
        figures = {name: getattr(run.finished, name) for name in RUN_COLUMNS} | {"test_accuracy": run.test}
        own = {"diverged_at": run.diverged_at, "parameters": run.parameters, "seconds": round(run.seconds, 3)}
        rows.append(_identity(setting, run) | figures | own)
    return _csv(rows)


def _runs(result: GridResult) -> Iterable[tuple[GridSetting, GridRun]]:
    return ((setting, run) for setting in result.settings for run in setting.runs)


def _identity(setting: GridSetting, run: GridRun) -> dict[str, Any]:
    """The columns that identify a run. Tuples are texts, which csv and parquet both hold."""
    fields = {path: str(value) if isinstance(value, tuple) else value for path, value in setting.changes}
    return fields | {"seed": run.seed}


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def curves(result: GridResult) -> bytes:
    """``curves.parquet``: one row per line of a run's ``metrics.jsonl``, with the columns that identify the run."""
    kept = ("step", "epoch", "split", "loss", "accuracy")
    return parquet_bytes(
        _identity(setting, run) | {name: point[name] for name in kept}
        for setting, run in _runs(result)
        for point in run.curve
    )


def epochs_csv(result: GridResult) -> str:
    """One row per run, epoch and split, and one row per divergence."""
    rows = []
    for setting, run in _runs(result):
        own = _identity(setting, run)
        for row in run.epochs:
            rows.append(own | {name: row[name] for name in ("epoch", "split", "loss", "accuracy")} | {"status": "ok"})
        if run.diverged_epoch is not None:
            lost = {"epoch": run.diverged_epoch, "split": "train", "loss": None, "accuracy": None, "status": "diverged"}
            rows.append(own | lost)
    return _csv(rows)


def grid_epochs(result: GridResult) -> str:
    """A Markdown table of a grid of one field: a row per epoch, a column per value, test accuracy over the seeds."""
    (label,) = result.labels.values()
    rows = [[label, *(written(setting.values[0]) for setting in result.settings)]]
    for epoch in range(1, result.epochs + 1):
        rows.append([f"epoch {epoch}", *(_epoch_cell(setting.runs, epoch) for setting in result.settings)])
    return markdown(rows) + "\n"


def _epoch_cell(runs: list[GridRun], epoch: int) -> str:
    lost = sum(run.diverged_epoch is not None and run.diverged_epoch <= epoch for run in runs)
    if lost == len(runs):
        return "diverged"
    reached = [accuracy for run in runs for accuracy in run.accuracy(epoch)]
    text = mean_and_deviation(reached) if reached else "–"
    return f"{text} ({lost} of {len(runs)} diverged)" if lost else text


def _write_epochs(result: GridResult, workdir: Path, pictures: bool) -> None:
    """Writes the figures of epochs, and deletes those of an earlier command that no longer hold."""
    for file in (workdir / "epochs.csv", workdir / "accuracy.png", *workdir.glob("loss-*.png")):
        file.unlink(missing_ok=True)
    if result.epochs:
        write_text(workdir / "epochs.csv", epochs_csv(result))
    if pictures:
        grid_pictures.accuracy_by_epoch(result, workdir / "accuracy.png")
        for setting in result.settings:
            curve = [{**row, "lane": 0} for row in setting.runs[0].curve]
            plots.draw_epochs(curve, workdir / f"{file_name(f'loss-{written(setting.values[0])}')}.png")
