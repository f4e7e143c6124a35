"""``report.html`` of a comparison."""

from pathlib import Path

from lstm_jax.files import write_text
from lstm_jax.reports.page import escaped, html_figure, html_page, html_table
from lstm_jax.studies.reports import tables
from lstm_jax.studies.results import Result

# Captions by picture.
CAPTIONS = {
    "test-accuracy": "Test accuracy of the held-out seeds: mean, 95 % interval and single runs.",
    "learning-curves": "Validation accuracy over steps of the held-out seeds: mean and 95 % band; the others in grey. "
    "A run that ended early keeps its last value.",
    "learning-rate-sensitivity": "Validation accuracy over the learning rate in the search: mean and range of "
    "the seeds. The ring is the chosen learning rate; ✕ marks those at which a seed diverged.",
    "budget": "Expected best validation accuracy over the number of settings, drawn from those of the search.",
    "profile": "The share of runs that reach the target within a factor of the steps of the fastest optimizer.",
}

PANELS = ("learning-curves", "learning-rate-sensitivity")  # Pictures with many panels side by side.


def write_page(results: list[Result], pictures: dict[str, list[tuple[str, Path]]], path: Path) -> None:
    """Writes the page.

    Args:
      results: One per task.
      pictures: Names in ``CAPTIONS`` and their files, by task. The empty task holds pictures of all tasks.
      path: The file of the page.
    """
    parts = []
    for result in results:
        own = dict(pictures.get(result.task, []))
        parts.append(f"<section><h2>{escaped(result.task)}</h2>{_lead(result)}")
        parts.append(html_table(tables.ranking(result), "ranking"))
        parts += [f'<p class="note">{escaped(note)}</p>' for note in result.notes()]
        shown = ("test-accuracy", "learning-curves", "learning-rate-sensitivity")
        parts += [_figure(name, own[name]) for name in shown if name in own]
        if result.pairs:
            parts.append("<h3>Pairwise outcomes</h3>" + html_table(tables.outcomes(result), "outcomes", sortable=False))
            parts.append(f"<details><summary>All differences</summary>{html_table(tables.pairs(result))}</details>")
        parts += [_figure(name, own[name]) for name in ("budget",) if name in own]
        parts.append(
            f"<details><summary>All settings tried</summary>{html_table(tables.tried(result))}</details></section>"
        )
    parts += [_figure(name, file) for name, file in pictures.get("", [])]
    title = f"Optimizers on {', '.join(result.task for result in results)}"
    write_text(path, html_page(title, "\n".join(parts)))


def _lead(result: Result) -> str:
    best = result.entries[0]
    ties = [pair.second for pair in result.pairs if pair.first == best.optimizer and pair.outcome == "tie"]
    lead = f"<b>{escaped(best.name)}</b> at {best.learning_rate:g} reaches {best.test.mean:.2%} on test reviews"
    if ties:
        lead += f"; no significant difference to {escaped(', '.join(ties))}"
    return f"<p>{lead}. {len(result.entries)} optimizers, {len(best.best.runs)} seeds per setting in the search.</p>"


def _figure(name: str, file: Path) -> str:
    return html_figure(file, CAPTIONS[name], panels=name in PANELS)
