"""Rows of csv and tsv files.

In a csv file, a field that begins with a quotation mark ends with the next single one, as in RFC 4180. Quotation marks
within other fields are text, as in pandas. In a tsv file, every line is a row and every quotation mark is text, as in
GLUE's files. ``config.data.quoting`` overrides both. A file of which both may be true is an error.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lstm_jax.data.readers.rows import Options, Row
from lstm_jax.data.readers.stray_quotes import Evidence, opening
from lstm_jax.data.readers.text import Line, text_lines
from lstm_jax.errors import UserError

QUOTE_HELP = (
    'write a quotation mark within a quoted field twice (""), or, if the file quotes no fields, read it with '
    "--config.data.quoting=none"
)
CARRIAGE_RETURN = r"holds a carriage return outside of quotation marks; end lines with \n or \r\n"


class _Record(NamedTuple):
    """A row as strings.

    Attributes:
      fields: The fields in their order.
      lines: The lines of the file that it takes up.
      fault: Why it cannot be read; empty if it can.
    """

    fields: list[str]
    lines: list[Line]
    fault: str = ""


def read_csv(path: Path, options: Options) -> Iterator[Row]:
    """The rows of a file whose fields are separated by commas; see ``read_table``."""
    return read_table(path, options, ",", "none" if options.quoting == "none" else "strict")


def read_tsv(path: Path, options: Options) -> Iterator[Row]:
    """The rows of a file whose fields are separated by tabs; see ``read_table``."""
    return read_table(path, options, "\t", options.quoting)


def read_table(path: Path, options: Options, delimiter: str, quoting: str) -> Iterator[Row]:
    """The rows of a table.

    Args:
      path: The file.
      options: Its encoding, and its columns if it has no header line.
      delimiter: What separates the fields.
      quoting: ``strict``: a field may be quoted and run over several lines. ``none``: every line is a row, and
        quotation marks are text. ``auto``: the same, but a file that seems to quote its fields is an error.

    Raises:
      UserError: The header is missing or ambiguous, or a quotation mark leaves open where a row ends.
    """
    records = (
        _quoted(path, options.encoding, delimiter) if quoting == "strict" else _plain(path, options.encoding, delimiter)
    )
    columns, first = _header(path, records, options, quoting)
    evidence, in_marks, before = Evidence(len(columns), delimiter), _InMarks(len(columns)), None
    named = "--config.data.columns" if options.columns else "the header"
    for number, record in enumerate(_joined(first, records)):
        line = record.lines[0].number
        if quoting == "auto":
            _check_unquoted(path, record, before, len(columns))
        before = record
        right = len(record.fields) == len(columns)
        repeated = right and (record.fields[0].removeprefix("\ufeff"), *record.fields[1:]) == columns
        if not right and len(record.lines) > 1:
            raise UserError(
                f"{path}, line {line}: the row that begins here runs on to line {record.lines[-1].number}, and its "
                f"number of fields is {len(record.fields)}, not the {len(columns)} of {named}; {QUOTE_HELP}"
            )
        if right and not repeated:
            evidence.add(record.fields, record.lines)
        if right:
            in_marks.add(record)
        fault = record.fault or ("repeats the header; remove the line" if repeated else "")
        if not right and not fault:
            fault = f"has {len(record.fields)} of the {len(columns)} fields of {named}"
            if len(record.fields) > len(columns):
                fault = f"has {len(record.fields)} fields, more than the {len(columns)} of {named}"
                fault += "; quote fields that hold the delimiter" if quoting == "strict" else ""
        yield Row({} if fault else dict(zip(columns, record.fields, strict=True)), str(path), number, line, fault)
    if quoting == "auto" and (marked := in_marks.found()):
        raise UserError(_may_be_quoted(path, marked))
    if options.quoting != "strict" and (found := evidence.merged_rows()):  # Who asks for strict has looked at the file.
        raise UserError(
            f"{path}, line {found[0]}: the quotation mark that opens a field here is closed in line {found[1]}, and "
            f"what stands between looks like rows of their own; {QUOTE_HELP}. If it is one text, say so with "
            "--config.data.quoting=strict"
        )


class _InMarks:
    """Takes note of columns whose values all stand in quotation marks."""

    def __init__(self, columns: int) -> None:
        self.columns = set(range(columns))
        self.first: _Record | None = None
        self.rows = 0

    def add(self, record: _Record) -> None:
        self.first = self.first or record
        self.rows += 1
        if self.columns:
            self.columns = {column for column in self.columns if _is_quoted(record.fields[column])}

    def found(self) -> _Record | None:
        """The first row, if there is such a column and more than one row."""
        return self.first if self.columns and self.rows > 1 else None


def _joined(first: _Record | None, records: Iterator[_Record]) -> Iterator[_Record]:
    if first is not None:
        yield first
    yield from records


def _header(
    path: Path, records: Iterator[_Record], options: Options, quoting: str
) -> tuple[tuple[str, ...], _Record | None]:
    """The columns of a file, and its first row if that has been read already."""
    first = next(records, None)
    if first is None:
        raise UserError(f"{path} holds only blank lines; give a file that holds reviews")
    place = f"{path}, line {first.lines[0].number}"
    if options.columns:
        _check_no_header(place, options.columns, first)
        return options.columns, first
    where = f"{place}: the header"
    if first.fault:
        raise UserError(f"{where} {first.fault}")
    _check_names(where, first)
    if quoting == "auto" and any(map(_is_quoted, first.fields)):
        raise UserError(_may_be_quoted(path, first))
    return tuple(first.fields), None


def _check_no_header(place: str, columns: tuple[str, ...], first: _Record) -> None:
    """Raises an error if the first row of a file without a header line seems to be one."""
    if sorted(map(_plain_name, columns)) == sorted(map(_plain_name, first.fields)):
        raise UserError(f"{place}: the file has a header line; leave --config.data.columns out")
    for column, field in zip(columns, first.fields, strict=False):
        if _plain_name(column) == _plain_name(field):
            raise UserError(
                f"{place}: the field {field!r} is the name of its column, as in a header line; leave "
                "--config.data.columns out, or remove the header line from the file"
            )


def _check_names(where: str, first: _Record) -> None:
    """Raises an error if the names in a header line are incomplete, repeated, or not separated."""
    help_text = "correct it, or name the columns with --config.data.columns if the file has no header line"
    if len(first.fields) == 1 and re.search("[,;|\t]", first.fields[0]):
        raise UserError(
            f"{where} has the single column {first.fields[0]!r}; fields are separated by commas in csv and by tabs in "
            "tsv files, so rename or convert the file"
        )
    unnamed = [number for number, name in enumerate(first.fields, start=1) if not name.strip()]
    if unnamed[:1] == [1]:
        raise UserError(
            f"{where} has no name for column 1, as pandas writes its index; {help_text}. pandas leaves the index out "
            "with to_csv(index=False)"
        )
    if unnamed:
        which = f"column{'s' if len(unnamed) > 1 else ''} {', '.join(map(str, unnamed))}"
        raise UserError(
            f"{where} has no name for {which}; name what the header leaves out in the file, or remove the delimiters "
            "at the line ends if they separate nothing"
        )
    for name in first.fields:
        if first.fields.count(name) > 1:
            raise UserError(f"{where} has several columns named {name!r}; {help_text}")


def _plain_name(name: str) -> str:
    return name.strip().strip('"').casefold()


def _quoted(path: Path, encoding: str, delimiter: str) -> Iterator[_Record]:
    csv.field_size_limit(2**31 - 1)  # A text may be longer than the module's default limit.
    taken: list[Line] = []

    def texts() -> Iterator[str]:
        for line in text_lines(path, encoding):
            taken.append(line)
            yield line.text

    reader = csv.reader(texts(), delimiter=delimiter, strict=True)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _Record([], taken.copy(), _carriage_return(path, taken, delimiter, error))
        else:
            if taken[0].text.strip(" \r\n"):
                yield _Record(fields, taken.copy(), _undecodable(taken))
        taken.clear()


def _carriage_return(path: Path, taken: list[Line], delimiter: str, error: csv.Error) -> str:
    """The fault of a row that holds a stray carriage return.

    Raises:
      UserError: It is another error of the csv module. Where the row ends is then unknown.
    """
    text = "".join(line.text for line in taken)
    position, closed = opening(text, delimiter)
    if position is None and len(taken) == 1 and "\r" in text:
        return CARRIAGE_RETURN
    if position is None:
        raise UserError(
            f"{path}, line {taken[0].number}: is not readable as csv ({error}); correct the file"
        ) from error
    line = taken[text.count("\n", 0, position)].number
    what = "is closed but followed by more text" if closed else "is never closed"
    if closed:
        what += f" in line {taken[-1].number}" if taken[-1].number != line else ""
    raise UserError(f"{path}, line {line}: the quotation mark that opens a field here {what}; {QUOTE_HELP}") from error


def _undecodable(taken: list[Line]) -> str:
    for line in taken:
        if line.fault:
            return line.fault if line is taken[0] else f"runs on to line {line.number}, which {line.fault}"
    return ""


def _plain(path: Path, encoding: str, delimiter: str) -> Iterator[_Record]:
    for line in text_lines(path, encoding):
        text = line.text.removesuffix("\n").removesuffix("\r")
        if text.strip(" "):
            yield _Record(text.split(delimiter), [line], line.fault or (CARRIAGE_RETURN if "\r" in text else ""))


def _check_unquoted(path: Path, record: _Record, before: _Record | None, columns: int) -> None:
    """Raises an error if a row seems to be quoted as in csv although quotation marks are read as text."""
    fields = record.fields
    doubled = any(
        _is_quoted(field) and '""' in field[1:-1] and '"' not in field[1:-1].replace('""', "") for field in fields
    )
    if doubled or (len(fields) > 1 and all(map(_is_quoted, fields))):
        raise UserError(_may_be_quoted(path, record))
    if len(fields) != columns:
        odd = [field for field in fields if field.count('"') % 2]
        broken = any(field.startswith('"') or field.endswith('"') for field in odd)
        if broken or (before is not None and _is_open(before.fields[-1])):
            raise UserError(_may_be_quoted(path, record))


def _is_quoted(field: str) -> bool:
    return re.fullmatch('".*"', field, re.DOTALL) is not None


def _is_open(field: str) -> bool:
    return field.startswith('"') and field.count('"') % 2 == 1


def _may_be_quoted(path: Path, record: _Record) -> str:
    return (
        f"{path}, line {record.lines[0].number}: the fields may be quoted as in csv files, or quotation marks may be "
        "part of the text; say which it is with --config.data.quoting=strict or --config.data.quoting=none"
    )
