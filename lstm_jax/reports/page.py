"""What all HTML reports share: a single file that needs no other file and no network."""

import base64
import html
import itertools
from pathlib import Path
from string import Template

from lstm_jax.characters import printable
from lstm_jax.reports.tables import Table, TableCell

TEMPLATE = Path(__file__).with_name("page.html")


def escaped(text: object) -> str:
    """A text for a page. Markup, control characters and marks of direction are shown, not obeyed."""
    return html.escape(printable(str(text)))


def html_page(title: str, body: str, style: str = "") -> str:
    """A whole page.

    Args:
      title: The title as text.
      body: What follows the heading, as HTML.
      style: CSS beside that of all reports.
    """
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(title=escaped(title), body=body, style=style)


def html_table(table: Table, kind: str = "", sortable: bool = True) -> str:
    """A table as HTML. Wide tables scroll sideways by themselves.

    Args:
      table: The table.
      kind: CSS class of the table.
      sortable: Whether a click on the head of a column sorts the rows.
    """
    button = '<button type="button">{}</button>' if sortable else "{}"
    left = [' class="text"' if cell.mark == "text" else "" for cell in (table.rows or [[]])[0]]
    heads = itertools.zip_longest(table.columns, left[: len(table.columns)], fillvalue="")
    head = "".join(f'<th scope="col"{side}>{button.format(escaped(name))}</th>' for name, side in heads)
    rows = ["".join(_cell(cell, n == 0) for n, cell in enumerate(row)) for row in table.rows]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    name = f"{'sortable ' if sortable else ''}{kind}".strip()
    caption = f'<p class="caption">{escaped(table.caption)}.</p>' if table.caption else ""
    inside = (f"<thead><tr>{head}</tr></thead>" if head else "") + f"<tbody>{body}</tbody>"
    return f'{caption}<div class="wide"><table class="{name}">{inside}</table></div>'


def _cell(cell: TableCell, first: bool) -> str:
    mark = f' class="{cell.mark}"' if cell.mark else ""
    value = f' data-value="{escaped(cell.value)}"' if cell.value != "" else ""
    value += f' style="--share: {cell.shade:.2f}"' if cell.shade else ""
    tag = 'th scope="row"' if first else "td"
    return f"<{tag}{mark}{value}>{escaped(cell.text)}{cell.drawn}</{tag.split()[0]}>"


def html_figure(file: Path, caption: str, panels: bool = False) -> str:
    """A PNG file with its caption.

    Args:
      file: The picture, which the page then holds.
      caption: The caption, which is also the text for those who do not see the picture.
      panels: Whether the picture has panels side by side; it then scrolls sideways on a narrow screen.
    """
    content = base64.b64encode(file.read_bytes()).decode()
    image = f'<img alt="{escaped(caption)}" src="data:image/png;base64,{content}">'
    if panels:
        image = f'<div class="wide panels">{image}</div>'
    return f"<figure>{image}<figcaption>{escaped(caption)}</figcaption></figure>"
