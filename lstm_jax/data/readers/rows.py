"""What readers return, and what they are asked for."""

from typing import Any, NamedTuple


class Row(NamedTuple):
    """A row of a source, not yet interpreted.

    Attributes:
      fields: The values by column.
      file: The file, or another name of what holds the row.
      number: The number of the row there; the first has number 0.
      line: The line of the file at which the row begins; the first is 1. 0 if there are no lines.
      fault: Why the row cannot be read; empty if it can. A row with a fault has no fields.
    """

    fields: dict[str, Any]
    file: str
    number: int
    line: int = 0
    fault: str = ""

    @property
    def place(self) -> str:
        """Where the row is, for error messages, such as ``reviews.csv, line 7``."""
        return f"{self.file}, line {self.line}" if self.line else f"{self.file}, row {self.number}"


class Options(NamedTuple):
    """How files are read; the fields of the same names in ``config.data``.

    Attributes:
      encoding: The encoding of text files.
      columns: The columns of csv and tsv files without a header line; empty if they have one.
      quoting: Whether csv and tsv files quote their fields: ``auto``, ``strict`` or ``none``.
    """

    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()
    quoting: str = "auto"
