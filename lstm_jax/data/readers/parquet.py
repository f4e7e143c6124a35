"""Rows of parquet files."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lstm_jax.data.readers.compressed import DAMAGE, first_line, open_file, split_name
from lstm_jax.data.readers.rows import Options, Row
from lstm_jax.errors import UserError

_ROWS_AT_ONCE = 4096

# What values raise that have no counterpart in Python, such as strings that are not UTF-8 and days after the year 9999.
UNREADABLE = (ValueError, OverflowError, TypeError, pa.ArrowException)


def read_parquet(path: Path, _: Options) -> Iterator[Row]:
    """The rows of a parquet file. Columns may be nested; their values are those of ``as_py``.

    Raises:
      UserError: The file is damaged, or two of its columns have one name.
    """
    with contextlib.ExitStack() as stack:
        try:
            source: Any = path
            if split_name(path.name)[2]:  # Parquet is read from its end, so a compressed file is unpacked first.
                source = pa.BufferReader(stack.enter_context(open_file(path)).read())
            file = stack.enter_context(pq.ParquetFile(source))
            _check_columns(path, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                for fields, fault in _values(batch):
                    yield Row(fields, str(path), number, 0, fault)
                    number += 1
        except (pa.ArrowException, *DAMAGE) as error:
            raise UserError(f"{path} cannot be read as parquet ({first_line(error)}); fetch it again") from error


def _check_columns(path: Path, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"{path} has several columns named {twice[0]!r}; rename all but one of them")


def _values(batch: pa.RecordBatch) -> Iterator[tuple[dict[str, Any], str]]:
    """The fields of each row, or why it has a value that cannot be read."""
    try:
        rows = batch.to_pylist()
    except UNREADABLE:
        yield from (_fields(batch, row) for row in range(batch.num_rows))
    else:
        yield from ((fields, "") for fields in rows)


def _fields(batch: pa.RecordBatch, row: int) -> tuple[dict[str, Any], str]:
    fields = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            fields[name] = column[row].as_py()
        except UNREADABLE as error:
            return {}, f"has an unreadable value in the column {name!r} ({first_line(error)})"
    return fields, ""
