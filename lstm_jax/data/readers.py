"""Rows of files, one at a time, each with its place for error messages.

Files are read as streams. Text must be UTF-8. Errors name the file and line of the row.
"""

import bz2
import codecs
import csv
import gzip
import itertools
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lstm_jax.errors import UserError

OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open}


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


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of one file, by its suffix: parquet, csv, tsv, json, jsonl or fastText txt, plain, gz or bz2.

    Raises:
      UserError: The file is missing, empty, truncated, or of an unknown format.
    """
    return READERS[check_file(path)](path)


def check_file(path: Path) -> str:
    """The suffix that names a file's format.

    Raises:
      UserError: The file is missing, empty, or of an unknown format.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; give a file or a folder of reviews with --config.data.path")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty; give a file that holds reviews")
    kind = file_kind(path)
    if kind is None:
        known = ", ".join(sorted(READERS))
        raise UserError(f"{path} ends in none of {known} (or one of them with .gz or .bz2); rename or convert it")
    return kind


def file_kind(path: Path) -> str | None:
    """The suffix that names a file's format, without that of a compressor; ``None`` if the format is unknown."""
    suffixes = [suffix for suffix in path.suffixes[-2:] if suffix not in OPENERS]
    return suffixes[-1] if suffixes and suffixes[-1] in READERS else None


def _parquet(path: Path) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(path)
        rows = (fields for batch in file.iter_batches(batch_size=4096) for fields in batch.to_pylist())
        for number, fields in enumerate(rows):
            yield Row(fields, str(path), number)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as parquet ({_first_line(error)}); fetch it again") from error


def _objects(path: Path) -> Iterator[Row]:
    for row, (number, line) in enumerate(lines(path)):
        place = str(path), row, number
        try:
            fields = json.loads(line)
        except UnicodeDecodeError as error:
            yield Row({}, *place, f"is not valid UTF-8 at byte {error.start}")
        except json.JSONDecodeError as error:
            yield Row({}, *place, f"is not valid JSON ({error.msg} at column {error.colno})")
        except (ValueError, RecursionError) as error:  # Numbers of thousands of digits; brackets nested too deeply.
            yield Row({}, *place, f"is not readable JSON ({_first_line(error)})")
        else:
            yield Row(fields, *place) if isinstance(fields, dict) else Row({}, *place, "is JSON but not an object")


def _fasttext(path: Path) -> Iterator[Row]:
    """Lines ``__label__2 Title: text``. Files number the classes from 1, rows from 0."""
    for row, (number, line) in enumerate(lines(path)):
        place = str(path), row, number
        try:
            mark, _, text = line.decode().partition(" ")
        except UnicodeDecodeError as error:
            yield Row({}, *place, f"is not valid UTF-8 at byte {error.start}")
            continue
        name = mark.removeprefix("__label__")
        if name == mark or not name.isdecimal() or not 1 <= len(name.lstrip("0")) <= 9:
            yield Row({}, *place, "does not begin with __label__ and a number from 1 up")
        else:
            yield Row({"label": name, "text": text}, *place)


def _csv(path: Path, delimiter: str = ",") -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)  # A text may be longer than the module's default limit.
    number = 0

    def decoded() -> Iterator[str]:
        nonlocal number
        for number, line in lines(path, keep_blank=True):  # noqa: B007
            yield line.decode("utf-8", errors="surrogateescape")

    reader = csv.DictReader(decoded(), delimiter=delimiter)
    for row in itertools.count():
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row({}, str(path), row, number, f"is not readable as csv ({error})")
            continue
        place = str(path), row, number
        extra = fields.pop(None, None)
        if extra is not None:
            yield Row({}, *place, "has more fields than the header; quote fields that hold the delimiter")
        elif any(value is not None and not _is_utf8(value) for value in fields.values()):
            yield Row({}, *place, "is not valid UTF-8")
        else:
            yield Row(fields, *place)


def lines(path: Path, keep_blank: bool = False) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of a plain or compressed file, stripped and without blank lines unless ``keep_blank``.

    Raises:
      UserError: The file is truncated or damaged.
    """
    opener = OPENERS.get(path.suffix, lambda path: path.open("rb"))
    with opener(path) as file:
        yield from numbered(file, str(path), keep_blank)


def numbered(file: Iterable[bytes], name: str, keep_blank: bool = False) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of an open file, as from ``lines``; ``name`` stands for the file in error messages."""
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if keep_blank or line.strip():
                yield number, line if keep_blank else line.strip()
    except (EOFError, zlib.error, OSError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{name} breaks off after line {number} ({_first_line(error)}); it is truncated or damaged, fetch it again"
        ) from error


def _is_utf8(text: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in text)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".tsv": lambda path: _csv(path, delimiter="\t"),
    ".json": _objects,
    ".jsonl": _objects,
    ".txt": _fasttext,
}
