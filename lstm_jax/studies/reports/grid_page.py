"""``report.html`` of a grid."""

from pathlib import Path

from lstm_jax.files import write_text
from lstm_jax.reports.page import escaped, html_figure, html_page, html_table
from lstm_jax.reports.tables import Table
from lstm_jax.studies.grid_results import GridResult


def write_grid_page(result: GridResult, ranking: Table, command: str, picture: tuple[Path, str], path: Path) -> None:
    """Writes the page.

    Args:
      result: The grid.
      ranking: The table of its settings.
      command: What the best setting is as flags.
      picture: The file of the picture, which need not exist, and its caption.
      path: The file of the page.
    """
    said, _, flags = command.partition("\n")
    parts = [f"<p>{escaped(said)}</p>"]
    if flags:
        parts.append(f'<div class="wide"><pre style="margin: .75rem">{escaped(flags.strip())}</pre></div>')
    parts += [f'<p class="note">{escaped(note)}</p>' for note in result.notes()]
    file, caption = picture
    if file.exists():
        parts.append(html_figure(file, caption, panels=True))
    parts.append(html_table(ranking, "ranking"))
    title = f"Grid over {', '.join(result.labels.values())}"
    write_text(path, html_page(title, "\n".join(parts)))
