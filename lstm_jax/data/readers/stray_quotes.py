"""Quotation marks in csv files that leave open where a row ends.

A stray quotation mark at the beginning of a field, and another one at the end of a later field, make one field of all
rows between them. The result is valid csv, so only the values tell it from a text of several lines.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lstm_jax.data.readers.text import Line

MOST_VALUES = 1000  # A column with more values is free text, or numbers.
LONGEST_VALUE = 40  # Number of characters beyond which a value is no label.
FEW_LINES = 3  # Number of lines with a fitting value below which a text may have them by chance.
TEXTS_PER_COINCIDENCE = 100  # Number of texts of several lines of which one may look like rows by chance.
ENOUGH_LINES = 5  # Number of lines of the form of rows that are no coincidence.

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_THOUSANDS = re.compile(r"-?[0-9]{1,3},[0-9]{3}(?![0-9])")
_FIELD = re.compile(r'"[^"]*(?:""[^"]*)*("?)')


class _Suspect(NamedTuple):
    """A field of several lines.

    Attributes:
      first: The number of its first line.
      last: The number of its last line.
      lines: For each line, those values by column that may be values of a row; ``None`` if it has not the form of one.
    """

    first: int
    last: int
    lines: list[dict[int, str] | None]

    def is_formed(self) -> bool:
        """Whether these are many lines, all in the form of rows."""
        return len(self.lines) >= ENOUGH_LINES and None not in self.lines

    def repeats_values(self) -> bool:
        """Whether at least half of the lines have the form of rows, and these have few values in one of the columns."""
        formed = [line for line in self.lines if line is not None]
        if len(formed) < ENOUGH_LINES or len(formed) * 2 < len(self.lines):
            return False
        columns = set[int]().union(*formed)
        values = [[line[column] for line in formed if line.get(column)] for column in columns]
        return any(len(own) * 2 > len(formed) and len(set(own)) * 2 <= len(own) for own in values)


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
    values of the row anyway. Since there may be few other rows, at least five lines are taken for rows too if at least
    half of them have the form of rows and a column of these has few different values, as labels have.

    One or two fitting lines may be chance where a file has many texts of several lines. They are taken for rows only if
    more than one such field in a hundred has them.

    Args:
      columns: The number of columns.
      delimiter: What separates fields.
    """

    def __init__(self, columns: int, delimiter: str) -> None:
        self.columns = columns
        self.delimiter = delimiter
        self.rows = 0
        self.spanning = 0
        self.values: dict[int, set[str]] = {column: set() for column in range(columns)}
        self.ranges: dict[int, tuple[int, int] | None] = dict.fromkeys(range(columns))
        self.suspects: list[_Suspect] = []

    def add(self, fields: list[str], lines: list[Line]) -> None:
        """Takes note of a row with the right number of fields, and of the lines that it takes up."""
        self.rows += 1
        for column in self.values.keys() | self.ranges.keys():
            value = fields[column]
            if value and "\n" not in value:
                self._note(column, value)
        if len(lines) > 1 and self.columns > 1:
            self.spanning += 1
            suspect = _Suspect(lines[0].number, lines[-1].number, list(self._as_rows(fields, lines)))
            if any(suspect.lines) or suspect.is_formed():
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

    def _as_rows(self, fields: list[str], lines: Iterable[Line]) -> Iterator[dict[int, str] | None]:
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
            more = len(split) - self.columns
            if more < 0 or (more and 0 < n < len(texts) - 1):  # The text on the first and the last line may hold more.
                yield None
            else:
                own = split[more:] if n == 0 else split
                yield {column: own[column] for column in columns if self._may_be_value(own, column)}

    def _may_be_value(self, split: list[str], column: int) -> bool:
        pair = self.delimiter.join(split[column : column + 2])
        if column + 1 not in self.ranges and _THOUSANDS.match(pair):  # A number in a text, such as 1,000.
            return False
        if column in self.ranges:
            return _INTEGER.fullmatch(split[column]) is not None
        return column in self.values and len(split[column]) <= LONGEST_VALUE

    def merged_rows(self) -> tuple[int, int] | None:
        """The first and the last line of the first field whose lines are taken for rows; ``None`` if there is none."""
        blind = not any(self.ranges.get(column) or self.values.get(column) for column in range(self.columns))
        weak = []
        for suspect in self.suspects:
            lines = [line or {} for line in suspect.lines]
            fitting = sum(any(self._fits(column, value) for column, value in line.items()) for line in lines)
            fits = 0 < len(suspect.lines) <= fitting * 2
            if (fits and fitting >= FEW_LINES) or suspect.repeats_values() or (blind and suspect.is_formed()):
                return suspect.first, suspect.last
            if fits:
                weak.append(suspect)
        if weak and len(weak) * TEXTS_PER_COINCIDENCE >= self.spanning:
            return weak[0].first, weak[0].last
        return None

    def _fits(self, column: int, value: str) -> bool:
        bounds = self.ranges.get(column)
        if bounds:
            few = self.rows < ENOUGH_LINES  # Too few rows to know the range.
            return _INTEGER.fullmatch(value) is not None and (few or bounds[0] <= int(value) <= bounds[1])
        return bool(value) and value in self.values.get(column, ())
