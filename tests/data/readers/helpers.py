"""Helpers for the tests of the readers: the rows of a file, their texts, lines and faults."""

import gzip
from pathlib import Path

from lstm_jax.data import readers
from lstm_jax.data.readers import Options, Row


def read(path: Path, content: bytes | str | None = None, **options) -> list[Row]:
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(readers.read_rows(path, Options(**options)))


def texts(rows: list[Row]) -> list[str]:
    assert [row.fault for row in rows if row.fault] == []
    return [row.fields["text"] for row in rows]


def lines_of(rows: list[Row]) -> list[int]:
    return [row.line for row in rows]


def faults(rows: list[Row]) -> list[str]:
    assert all((row.fields == {}) == bool(row.fault) for row in rows)
    return [row.fault for row in rows]


def stored(name: str, content: bytes) -> bytes:
    """The content of a file of this name, compressed if the name says so."""
    return gzip.compress(content) if name.endswith(".gz") else content
