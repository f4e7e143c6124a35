"""Quotation marks in csv files that leave open where a row ends.

A stray quotation mark at the beginning of a field, and another one at the end of a later field, make one field of all
rows between them. The result is valid csv, so only the values tell it from a text of several lines.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lstm_jax.data.readers.text import Line

MOST_VALUES = 1000  # A column with more values is free text, or numbers.
LONGEST_VALUE = 100
ENOUGH_LINES = 5  # Number of lines of the form of rows that are no coincidence.

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FIELD = re.compile(r'"[^"]*(?:""[^"]*)*("?)')


class _Suspect(NamedTuple):
    """A field of several lines.

    Attributes:
      first: The number of its first line.
      last: The number of its last line.
      lines: For each line, the columns and values that it would have as a row; none if it has not the form of a row.
    """

    first: int
    last: int
    lines: list[list[tuple[int, str]]]


def opening(text: str, delimiter: str) -> tuple[int | None, bool]:
    """The quotation mark that makes a text invalid as csv.

    Args:
      text: Whole lines, from the beginning of a row.
      delimiter: What separates fields.

    Returns:
      The position of the quotation mark that opens the invalid field, and whether that field is closed. The position is
      ``None`` if all quoted fields are valid.
    """
    separator = re.compile(f"[{delimiter}\n]")
    position = 0
    while position < len(text):
        if text[position] == '"':
            found = _FIELD.match(text, position)
            assert found is not None
            end = found.end()
            if not found[1] or (end < len(text) and text[end] not in (delimiter, "\r", "\n")):
                return position, bool(found[1])
            position = end
        after = separator.search(text, position)
        position = after.end() if after else len(text)
    return None, False


class Evidence:
    """What the values of a file's columns tell about its fields of several lines.

    Such a field is suspect if its lines, split at the delimiter, have the number of fields of a row. They are taken for
    rows if at least half of them have a value that fits its column: an integer in the range of a column of integers, or
    a value that the column has in another row. Of the first and the last line, only those values count that are not
    values of the row anyway.

    Args:
      columns: The number of columns.
      delimiter: What separates fields.
    """

    def __init__(self, columns: int, delimiter: str) -> None:
        self.columns = columns
        self.delimiter = delimiter
        self.values: dict[int, set[str]] = {column: set() for column in range(columns)}
        self.ranges: dict[int, tuple[int, int] | None] = dict.fromkeys(range(columns))
        self.suspects: list[_Suspect] = []

    def add(self, fields: list[str], lines: list[Line]) -> None:
        """Takes note of a row with the right number of fields, and of the lines that it takes up."""
        for column in self.values.keys() | self.ranges.keys():
            value = fields[column]
            if value and "\n" not in value:
                self._note(column, value)
        if len(lines) > 1 and self.columns > 1:
            suspect = _Suspect(lines[0].number, lines[-1].number, list(self._as_rows(fields, lines)))
            if any(suspect.lines):
                self.suspects.append(suspect)

    def _note(self, column: int, value: str) -> None:
        if column in self.ranges:
            if _INTEGER.fullmatch(value):
                number = int(value)
                low, high = self.ranges[column] or (number, number)
                self.ranges[column] = min(low, number), max(high, number)
            else:
                del self.ranges[column]
        if column in self.values:
            self.values[column].add(value[: LONGEST_VALUE + 1])
            if len(self.values[column]) > MOST_VALUES:
                del self.values[column]

    def _as_rows(self, fields: list[str], lines: Iterable[Line]) -> Iterator[list[tuple[int, str]]]:
        spanning = [column for column, field in enumerate(fields) if "\n" in field]
        texts = [line.text.rstrip("\r\n") for line in lines]
        for n, text in enumerate(texts):
            columns = list(range(self.columns))
            if n == 0:
                columns = columns[spanning[0] + 1 :]
            elif n == len(texts) - 1:
                columns = columns[: spanning[-1]]
            if not columns or not text.strip():
                continue
            split = text.split(self.delimiter)
            ends = n in (
                0,
                len(texts) - 1,
            )  # What else the first and the last line hold may be quoted, or not be valid.
            formed = len(split) >= self.columns if ends else len(split) == self.columns
            values = split[-len(columns) :] if n == 0 else split[: len(columns)]
            pairs = zip(columns, values, strict=False)
            yield [(column, value) for column, value in pairs if len(value) <= LONGEST_VALUE] if formed else []

    def merged_rows(self) -> tuple[int, int] | None:
        """The first and the last line of the first field whose lines are taken for rows; ``None`` if there is none."""
        telling = [column for column in range(self.columns) if self.ranges.get(column) or self.values.get(column)]
        for suspect in self.suspects:
            fitting = sum(any(self._fits(column, value) for column, value in line) for line in suspect.lines)
            if fitting * 2 >= len(suspect.lines) and fitting:
                return suspect.first, suspect.last
            if not telling and len(suspect.lines) >= ENOUGH_LINES and all(suspect.lines):
                return suspect.first, suspect.last
        return None

    def _fits(self, column: int, value: str) -> bool:
        bounds = self.ranges.get(column)
        if bounds:
            return _INTEGER.fullmatch(value) is not None and bounds[0] <= int(value) <= bounds[1]
        return bool(value) and value in self.values.get(column, ())
