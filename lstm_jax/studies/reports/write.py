"""All that a comparison leaves behind: tables, pictures, the page, and every figure for one's own analysis."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from lstm_jax.files import write_bytes, write_text
from lstm_jax.studies.reports import page, pictures, tables
from lstm_jax.studies.results import Result, Row

FIGURES = (
    "seed",
    "status",
    "best_validation_accuracy",
    "best_step",
    "final_train_loss",
    "test_accuracy",
    "steps_to_target",
    "seconds_to_target",
)


def everything(results: list[Result], rows: list[Row], workdir: Path) -> str:
    """Writes ``runs.csv``, ``curves.parquet``, ``table.md``, ``table.tex``, ``plots/`` and ``report.html``.

    Returns:
      The tables of ``table.md``.
    """
    names = list(dict.fromkeys(name for row in rows for name, _ in row.trial.setting))
    write_text(workdir / "runs.csv", runs(rows, names))
    write_bytes(workdir / "curves.parquet", curves(rows, names))
    text = "\n".join(map(_section, results))
    write_text(workdir / "table.md", text)
    write_text(workdir / "table.tex", "\n".join(tables.latex(tables.ranking(result)) for result in results))
    page.write(results, _drawn(results, workdir / "plots"), workdir / "report.html")
    return text


def _section(result: Result) -> str:
    ranking = tables.ranking(result)
    parts = [ranking.caption + ".", tables.markdown(ranking), "\n".join(f"- {note}" for note in result.notes())]
    if any(pair.verdict for pair in result.pairs):
        verdicts = tables.verdicts(result)
        parts += [verdicts.caption + ".", tables.markdown(verdicts)]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def runs(rows: list[Row], names: list[str]) -> str:
    """``runs.csv``: a row a run; seconds are those that the steps take by themselves, outside of lanes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["task", "stage", "optimizer", *names, *FIGURES])
    for row in rows:
        trial, end, steps = row.trial, row.finished, row.steps
        setting = dict(trial.setting)
        reached = math.isfinite(steps)
        writer.writerow(
            [
                trial.task,
                trial.stage,
                trial.optimizer,
                *(setting.get(name, "") for name in names),
                trial.seed,
                end.status,
                *map(_empty, (end.best_validation_accuracy, end.best_step, end.final_train_loss, end.test_accuracy)),
                int(steps) if reached else "",
                round(steps * row.step_ms / 1e3, 3) if reached else "",
            ]
        )
    return text.getvalue()


def _empty(value: Any) -> Any:
    return "" if value is None else value


def curves(rows: list[Row], names: list[str]) -> bytes:
    """``curves.parquet``: a row a line of a run's ``metrics.jsonl``, beside what tells the run."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        trial, setting = row.trial, dict(row.trial.setting)
        same: dict[str, Any] = {"task": trial.task, "stage": trial.stage, "optimizer": trial.optimizer}
        same |= {name: setting.get(name) for name in names} | {"seed": trial.seed}
        for point in row.curve:
            own = {name: point[name] for name in ("step", "epoch", "split", "loss", "accuracy")}
            for name, value in (same | own).items():
                columns.setdefault(name, []).append(value)
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _drawn(results: list[Result], folder: Path) -> dict[str, list[tuple[str, Path]]]:
    """Draws all pictures; task → name and file, those of all tasks under no name."""
    found: dict[str, list[tuple[str, Path]]] = {}
    for result in results:
        prefix = f"{result.task}-" if len(results) > 1 else ""
        for name, draw in (
            ("test-accuracy", pictures.test_accuracy),
            ("learning-curves", pictures.learning_curves),
            ("rate-sensitivity", pictures.rate_sensitivity),
            ("budget", pictures.budget),
        ):
            file = folder / f"{prefix}{name}.png"
            draw(result, file)
            found.setdefault(result.task, []).append((name, file))
    if any(result.target for result in results):
        file = folder / "profile.png"
        file.unlink(missing_ok=True)  # there is none where no run reaches a target
        pictures.profile(results, file)
        if file.exists():
            found[""] = [("profile", file)]
    return found
