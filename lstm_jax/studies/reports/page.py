"""``report.html``: a single file that needs no other file and no network."""

import base64
import html
from pathlib import Path
from string import Template

from lstm_jax.files import write_text
from lstm_jax.studies.reports import tables
from lstm_jax.studies.reports.tables import Table
from lstm_jax.studies.results import Result

TEMPLATE = Path(__file__).with_name("page.html")

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
        parts.append(f"<section><h2>{html.escape(result.task)}</h2>{_lead(result)}")
        parts.append(_table(tables.ranking(result), "ranking"))
        parts += [f'<p class="note">{html.escape(note)}</p>' for note in result.notes()]
        shown = ("test-accuracy", "learning-curves", "learning-rate-sensitivity")
        parts += [_figure(name, own[name]) for name in shown if name in own]
        if result.pairs:
            parts.append("<h3>Pairwise outcomes</h3>" + _table(tables.outcomes(result), "outcomes"))
            parts.append(f"<details><summary>All differences</summary>{_table(tables.pairs(result))}</details>")
        parts += [_figure(name, own[name]) for name in ("budget",) if name in own]
        parts.append(
            f"<details><summary>All settings tried</summary>{_table(tables.tried(result))}</details></section>"
        )
    parts += [_figure(name, file) for name, file in pictures.get("", [])]
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(f"Optimizers on {', '.join(result.task for result in results)}"), body="\n".join(parts)
    )
    write_text(path, page)


def _lead(result: Result) -> str:
    best = result.entries[0]
    ties = [pair.second for pair in result.pairs if pair.first == best.optimizer and pair.outcome == "tie"]
    lead = f"<b>{html.escape(best.name)}</b> at {best.learning_rate:g} reaches {best.test.mean:.2%} on test reviews"
    if ties:
        lead += f"; no significant difference to {html.escape(', '.join(ties))}"
    return f"<p>{lead}. {len(result.entries)} optimizers, {len(best.best.runs)} seeds per setting in the search.</p>"


def _table(table: Table, kind: str = "") -> str:
    sortable = kind != "outcomes"
    button = '<button type="button">{}</button>' if sortable else "{}"
    head = "".join(f'<th scope="col">{button.format(html.escape(name))}</th>' for name in table.columns)
    rows = []
    for row in table.rows:
        cells = "".join(_cell(cell.text, cell.value, n == 0) for n, cell in enumerate(row))
        rows.append(f"<tr>{cells}</tr>")
    name = f"{'sortable ' if sortable else ''}{kind}".strip()
    inside = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    caption = f'<p class="caption">{html.escape(table.caption)}.</p>'
    return f'{caption}<div class="wide"><table class="{name}">{inside}</table></div>'


def _cell(text: str, value: float | str, first: bool) -> str:
    mark = {"W": ' class="win"', "L": ' class="loss"'}.get(text, "")
    tag = 'th scope="row"' if first else "td"
    return f'<{tag}{mark} data-value="{html.escape(str(value))}">{html.escape(text)}</{tag.split()[0]}>'


def _figure(name: str, file: Path) -> str:
    content = base64.b64encode(file.read_bytes()).decode()
    caption = html.escape(CAPTIONS[name])
    image = f'<img alt="{caption}" src="data:image/png;base64,{content}">'
    if name in PANELS:  # wide pictures scroll sideways on a narrow screen
        image = f'<div class="wide panels">{image}</div>'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
