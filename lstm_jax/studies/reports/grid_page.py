"""``report.html`` of a grid."""

import base64
import html
from pathlib import Path
from string import Template

from lstm_jax.characters import printable
from lstm_jax.files import write_text
from lstm_jax.studies.grid_results import GridResult
from lstm_jax.studies.reports import page
from lstm_jax.studies.reports.tables import Table


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
    parts = [f"<p>{_escaped(said)}</p>"]
    if flags:
        parts.append(f'<div class="wide"><pre style="margin: .75rem">{_escaped(flags.strip())}</pre></div>')
    parts += [f'<p class="note">{_escaped(note)}</p>' for note in result.notes()]
    file, caption = picture
    if file.exists():
        parts.append(_figure(file, caption))
    parts.append(page._table(ranking, "ranking"))
    title = f"Grid over {', '.join(result.labels.values())}"
    template = Template(page.TEMPLATE.read_text(encoding="utf-8"))
    write_text(path, template.substitute(title=_escaped(title), body="\n".join(parts)))


def _escaped(text: str) -> str:
    return html.escape(printable(text))


def _figure(file: Path, caption: str) -> str:
    content = base64.b64encode(file.read_bytes()).decode()
    image = f'<img alt="{_escaped(caption)}" src="data:image/png;base64,{content}">'
    return f'<figure><div class="wide panels">{image}</div><figcaption>{_escaped(caption)}</figcaption></figure>'
