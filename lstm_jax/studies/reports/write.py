"""All files that a comparison writes: tables, pictures, the page, and all figures for further analysis."""

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from lstm_jax.files import write_bytes, write_text
from lstm_jax.studies.reports import page, pictures, tables
from lstm_jax.studies.results import Result, RunRow


def write_all(results: list[Result], rows: list[RunRow], workdir: Path) -> str:
    """Writes ``runs.csv``, ``curves.parquet``, ``table.md``, ``table.tex``, ``plots/`` and ``report.html``.

    Returns:
      The tables of ``table.md``.
    """
    names = list(dict.fromkeys(name for row in rows for name, _ in row.setting))
    write_text(workdir / "runs.csv", runs(rows, names))
    write_bytes(workdir / "curves.parquet", curves_parquet(rows, names))
    text = "\n".join(map(_section, results))
    write_text(workdir / "table.md", text)
    write_text(workdir / "table.tex", "\n".join(tables.to_latex(tables.ranking(result)) for result in results))
    page.write_page(results, _drawn(results, workdir / "plots"), workdir / "report.html")
    return text


def _section(result: Result) -> str:
    ranking = tables.ranking(result)
    parts = [ranking.caption + ".", tables.to_markdown(ranking), "\n".join(f"- {note}" for note in result.notes())]
    if any(pair.outcome for pair in result.pairs):
        outcomes = tables.outcomes(result)
        parts += [outcomes.caption + ".", tables.to_markdown(outcomes)]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def runs(rows: list[RunRow], names: list[str]) -> str:
    """``runs.csv``, one row per run. Seconds are steps times the duration of a step of a single run, not of a lane."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for n, row in enumerate(rows):
        end, steps, figures = row.finished, row.steps, _identity(row, names)
        for name in ("status", "best_validation_accuracy", "best_step", "final_train_loss", "test_accuracy"):
            figures[name] = getattr(end, name)
        figures["steps_to_target"] = int(steps) if math.isfinite(steps) else None
        figures["seconds_to_target"] = round(steps * row.step_ms / 1e3, 3) if math.isfinite(steps) else None
        if n == 0:
            writer.writerow(figures)
        writer.writerow(["" if value is None else value for value in figures.values()])
    return text.getvalue()


def _identity(row: RunRow, names: list[str]) -> dict[str, Any]:
    """The columns that identify a run."""
    trial, setting = row.trial, dict(row.setting)
    own: dict[str, Any] = {"task": trial.task, "stage": trial.stage.name, "optimizer": trial.name}
    return own | {name: setting.get(name) for name in names} | {"seed": trial.seed}


def curves_parquet(rows: list[RunRow], names: list[str]) -> bytes:
    """``curves.parquet``: one row per line of a run's ``metrics.jsonl``, with the columns that identify the run."""
    kept = ("step", "epoch", "split", "loss", "accuracy")
    table = [_identity(row, names) | {name: point[name] for name in kept} for row in rows for point in row.curve]
    return parquet_bytes(table)


def parquet_bytes(rows: Iterable[dict[str, Any]]) -> bytes:
    """Rows as a parquet file."""
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def _drawn(results: list[Result], folder: Path) -> dict[str, list[tuple[str, Path]]]:
    """Draws all pictures. Returns names and files by task; the empty task holds pictures of all tasks."""
    found: dict[str, list[tuple[str, Path]]] = {}
    for result in results:
        prefix = f"{result.task}-" if len(results) > 1 else ""
        for name, draw in (
            ("test-accuracy", pictures.test_accuracy),
            ("learning-curves", pictures.learning_curves),
            ("learning-rate-sensitivity", pictures.learning_rate_sensitivity),
            ("budget", pictures.budget),
        ):
            file = folder / f"{prefix}{name}.png"
            draw(result, file)
            found.setdefault(result.task, []).append((name, file))
    if any(result.target for result in results):
        file = folder / "profile.png"
        file.unlink(missing_ok=True)  # it is not drawn if no run reaches a target
        pictures.profile(results, file)
        if file.exists():
            found[""] = [("profile", file)]
    return found
