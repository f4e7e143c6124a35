"""Several runs on one page: their curves, and a table of their figures."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import write_text
from lstm_jax.reports.page import escaped, html_figure, html_page, html_table
from lstm_jax.reports.run_curves import RunCurves, draw_runs, run_curves_table
from lstm_jax.reports.tables import Table
from lstm_jax.training.logging import read_metrics
from lstm_jax.training.workdir import read_config, read_digests, read_summary

CAPTION = (
    "Validation (thick) and training (thin) over steps. Rings mark the weights that each run keeps. "
    "The lanes of an ensemble have a line each."
)


def read_runs(folders: Sequence[Path]) -> list[RunCurves]:
    """The runs in folders, finished or not.

    Raises:
      ConfigError: A run is named twice.
      UserError: A folder is not a run's.
    """
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"--workdir names the run {folder} more than once; name each run once")
    short = [place.name for place in places]
    above = Path(os.path.commonpath(places)) if len(set(short)) < len(short) else None
    names = [str(place.relative_to(above)) if above else place.name for place in places]
    runs = []
    for folder, name in zip(folders, names, strict=True):
        config, metrics = read_config(folder), folder / "metrics.jsonl"
        rows = read_metrics(metrics) if metrics.exists() else []
        runs.append(RunCurves(name, config, read_summary(folder), rows))
    return runs


def write_side_by_side(folders: Sequence[Path], path: Path) -> Table:
    """Writes a page with the curves and the figures of several runs; returns the table of the figures.

    Raises:
      ConfigError: A run is named twice.
      UserError: A folder is not a run's.
    """
    runs = read_runs(folders)
    table = run_curves_table(runs)
    parts = [f'<p class="note">{escaped(note)}</p>' for note in notes_of(folders, runs)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "curves.png"
        draw_runs(runs, file)
        parts.append(html_figure(file, CAPTION, panels=True))
    parts.append(html_table(table))
    write_text(path, html_page(f"Curves of {', '.join(run.name for run in runs)}", "\n".join(parts)))
    return table


def notes_of(folders: Sequence[Path], runs: Sequence[RunCurves]) -> list[str]:
    """What a reader should know before the figures of runs are compared."""
    notes = []
    if empty := [run.name for run in runs if not run.rows]:
        notes.append(f"No metrics have been logged yet by {', '.join(empty)}.")
    validated = []
    for folder in folders:
        try:
            validated.append(np.sort(read_digests(folder)["validation"]))
        except UserError as error:
            notes.append(f"{error}.")
    if any(not np.array_equal(validated[0], other) for other in validated[1:]):
        notes.append("The runs were validated on different examples, so their accuracies are not comparable.")
    return notes
