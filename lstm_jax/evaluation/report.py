"""``report.html`` of a run: one page about its newest evaluation, its curves, and how it was trained."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from lstm_jax import runtime
from lstm_jax.config import differences
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.corpus import Part
from lstm_jax.data.tokenizer import tokens_of
from lstm_jax.evaluation.attribution import attributions, pooling_shares
from lstm_jax.evaluation.figures import evaluation_figures, losses_of
from lstm_jax.evaluation.predictions import lane_probabilities
from lstm_jax.files import write_text
from lstm_jax.reports import calibration, evaluation_tables, plots, run_tables, shaded
from lstm_jax.reports.page import escaped, html_figure, html_page, html_table
from lstm_jax.reports.tables import Table
from lstm_jax.training.logging import read_metrics
from lstm_jax.training.restore import Trained, load_run
from lstm_jax.training.workdir import (
    command_line,
    evaluation_config,
    read_config,
    read_environments,
    read_json,
    read_summary,
)
from lstm_jax.types import HostArray

REPORT = Path("report.html")
PLACE_COLUMNS = ("file", "row")  # Where an example stands in the data.
SHOWN_EXAMPLES = 10  # The number of mistakes, and of uncertain examples, that are shown.


class Evaluated(NamedTuple):
    """An evaluation that a report shows.

    Attributes:
      title: What was evaluated, such as ``test split``.
      part: The examples, ``[N]``.
      rows: Their rows in the source, with the columns ``PLACE_COLUMNS``.
      by_lane: Class probabilities of each lane, ``[L, N, C]``.
    """

    title: str
    part: Part
    rows: pa.Table
    by_lane: HostArray


def write_run_report(workdir: Path) -> Path:
    """Evaluates a trained run on its validation split and writes ``report.html``, unless a newer one is there.

    Args:
      workdir: Folder of a run that has ended. A report is newer if it was written after ``summary.json``.

    Returns:
      The page.

    Raises:
      UserError: The folder holds no trained run, or its data cannot be read.
    """
    page, summary = workdir / REPORT, workdir / "summary.json"
    if page.exists() and summary.exists() and page.stat().st_mtime_ns >= summary.stat().st_mtime_ns:
        return page
    trained = load_run(workdir, evaluation_config(workdir))
    data = trained.config.data
    part = corpus.prepare(data, trained.tokenizer, trained.classes, quiet=True).part("validation")
    rows = corpus.rows_of(data, "validation", trained.classes, PLACE_COLUMNS)
    by_lane = lane_probabilities(trained, part.examples)
    return write_report(trained, Evaluated("validation split", part, rows, by_lane))


def write_report(trained: Trained, evaluated: Evaluated) -> Path:
    """Writes ``report.html`` about an evaluation into the folder of the run, in place of an earlier one."""
    summary = read_summary(trained.workdir)
    title = f"{trained.workdir.resolve().name}: {evaluated.title}"
    sections = [
        *_notes(trained, summary),
        *_figures(trained, evaluated),
        *_curves(trained.workdir, trained.config.train.best_by),
        *_examples(trained, evaluated),
        *_groups(evaluated),
        *_about(trained, summary),
    ]
    page = trained.workdir / f"{trained.named(REPORT.stem)}{REPORT.suffix}"
    write_text(page, html_page(title, "\n".join(sections), shaded.SHADING_STYLE + evaluation_tables.TABLE_STYLE))
    return page


def _notes(trained: Trained, summary: dict[str, Any] | None) -> list[str]:
    notes, chosen = [], "weights of that epoch" if trained.epoch else "best weights so far"
    if trained.epoch:
        notes.append(f"These are the weights that were kept after epoch {trained.epoch:,}, not the best ones.")
    if (status := run_tables.status_of(summary)) != "done":
        notes.append(f"Status of the run: {status}. These are its {chosen}, of step {trained.step:,}.")
    if changed := differences(read_config(trained.workdir), trained.config):
        listed = ", ".join(f"config.{path} is {ours!r} instead of {theirs!r}" for path, theirs, ours in changed)
        notes.append(f"For this evaluation, {listed}.")
    return [f'<p class="note">{escaped(note)}</p>' for note in notes]


def _figures(trained: Trained, evaluated: Evaluated) -> list[str]:
    """Headline figures, classes, confusion and calibration."""
    labels, names = evaluated.part.examples.labels, trained.classes.names
    figures = evaluation_figures(evaluated.by_lane, labels, trained.step)
    predicted, confusion = evaluated.by_lane.mean(axis=0), np.array(figures.confusion)
    losses, bins = losses_of(predicted, labels), calibration.bins(predicted, labels)
    reference, unknown = trained.config.reference_accuracy, evaluated.part.unknown_share
    parts = [
        f"<p>{figures.n:,} examples, weights of step {figures.checkpoint_step:,}.</p>",
        _plain_table(evaluation_tables.headline(figures, losses, unknown, reference)),
        "<h2>Classes</h2>",
        html_table(evaluation_tables.class_table(confusion, names)),
    ]
    if len(names) > 2:
        parts.append(html_table(evaluation_tables.confused_pairs(confusion, names)))
    if len(names) <= evaluation_tables.MOST_CLASSES:
        parts.append(_plain_table(evaluation_tables.confusion_table(confusion, names), "confusion"))
    parts.append("<h2>Calibration</h2>")
    caption = "Accuracy of predictions over their probability, and the share of predictions with that probability."
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "calibration.png"
        calibration.draw_calibration(bins, file)
        picture = html_figure(file, caption)
    table = _plain_table(evaluation_tables.calibration_table(bins, figures.n, len(names)))
    return [*parts, f'<div class="pair"><div>{table}</div>{picture}</div>']


def _curves(workdir: Path, best_by: str) -> list[str]:
    rows = read_metrics(workdir / "metrics.jsonl") if (workdir / "metrics.jsonl").exists() else []
    if not any(row["split"] == "validation" for row in rows):
        return []
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        plots.draw_curves(rows, best_by, Path(folder))
        for name, words in (("accuracy", "Accuracy"), ("loss", "Cross-entropy in nats")):
            caption = f"{words} over steps, in training and validation. The weights kept are marked."
            figures.append(html_figure(Path(folder) / f"{name}.png", caption))
    return [f'<h2>Curves</h2><div class="pair">{"".join(figures)}</div>']


def _examples(trained: Trained, evaluated: Evaluated) -> list[str]:
    """The most confident mistakes and the least certain examples, with their tokens shaded."""
    predicted, labels = evaluated.by_lane.mean(axis=0), evaluated.part.examples.labels
    confidence, classes = predicted.max(axis=1), predicted.argmax(axis=1)
    wrong = np.flatnonzero(classes != labels)
    mistakes = wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN_EXAMPLES]
    uncertain = np.argsort(confidence, kind="stable")[:SHOWN_EXAMPLES]
    chosen = np.unique(np.concatenate([mistakes, uncertain]))
    shown = dict(zip(chosen.tolist(), _shown(trained, evaluated, chosen, predicted), strict=True))
    parts = ["<h2>Examples</h2>", shaded.KEY]
    if incomplete := sum(not each.complete for each in shown.values()):
        parts.append(f'<p class="note">The scores of {incomplete} of these {len(shown)} examples do not add up.</p>')
    for heading, own in (("Most confident mistakes", mistakes), ("Least certain predictions", uncertain)):
        parts.append(f"<h3>{heading}</h3>")
        parts += [shaded.shaded_example(shown[int(n)]) for n in own] or ["<p>There are none.</p>"]
    return parts


def _shown(
    trained: Trained, evaluated: Evaluated, chosen: HostArray, predicted: HostArray
) -> Sequence[shaded.ShownExample]:
    examples, names = flat_corpus.take(evaluated.part.examples, chosen), trained.classes.names
    found = attributions(trained, examples, predicted[chosen].argmax(axis=1))
    shares = pooling_shares(trained, examples)
    rows = evaluated.rows.take(chosen).to_pylist()
    shown = []
    for n, (start, end) in enumerate(zip(examples.offsets[:-1], examples.offsets[1:], strict=True)):
        file = f" of {rows[n]['file']}" if rows[n]["file"] else ""
        shown.append(
            shaded.ShownExample(
                place=f"row {rows[n]['row']}{file}",
                true=names[examples.labels[n]],
                predicted=names[found.classes[n]],
                probability=float(predicted[chosen[n]].max()),
                tokens=tokens_of(trained.tokenizer, examples.tokens[start:end]),
                scores=found.scores[start:end],
                change=float(found.output[n] - found.baseline[n]),
                error=float(found.error[n]),
                points=int(found.points[n]),
                complete=bool(found.complete[n]),
                shares=None if shares is None else shares[start:end],
            )
        )
    return shown


def _groups(evaluated: Evaluated) -> list[str]:
    right = evaluated.by_lane.mean(axis=0).argmax(axis=1) == evaluated.part.examples.labels
    unknown, tokens = evaluated.part.unknown.T
    by_length = "By the number of tokens before truncation: accuracy of groups of about equal size, with 95 % intervals"
    by_unknown = "By the share of unknown tokens: accuracy of groups of about equal size, with 95 % intervals"
    shares = unknown / np.maximum(tokens, 1)
    tables = (
        evaluation_tables.group_table(by_length, "tokens", tokens, right),
        evaluation_tables.group_table(by_unknown, "unknown", shares, right, percent=True),
    )
    sides = "".join(f"<div>{_plain_table(table)}</div>" for table in tables)
    return [f'<h2>Length and unknown tokens</h2><div class="pair">{sides}</div>']


def _about(trained: Trained, summary: dict[str, Any] | None) -> list[str]:
    """The run, its data and its settings."""
    workdir, config = trained.workdir, trained.config
    evaluation = {"evaluated on": runtime.machine(), "evaluated by": command_line() or run_tables.NOT_RECORDED}
    return [
        "<h2>Run</h2>",
        _plain_table(run_tables.run_table(summary, read_environments(workdir), evaluation), "facts"),
        "<h2>Data</h2>",
        _plain_table(run_tables.data_table(config), "facts"),
        _plain_table(run_tables.splits_table(read_json(workdir / "data.json", dict))),
        "<h2>Settings</h2>",
        _plain_table(run_tables.settings_table(read_config(workdir)), "facts"),
    ]


def _plain_table(table: Table, kind: str = "") -> str:
    return html_table(table, kind, sortable=False)
