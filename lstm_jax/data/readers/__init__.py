"""Rows of files, one at a time, each with its place for error messages.

Files are read as streams, but for JSON files of a single value. Nothing is left out, merged or guessed: a row that
cannot be read has a fault, and a file that can be read in two ways is an error that says how to choose.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from lstm_jax.data.readers import compressed, objects, parquet, rows, stray_quotes, tables, text
from lstm_jax.data.readers.compressed import (
    COMPRESSORS,
    content_digest,
    file_kind,
    head_of,
    lines,
    numbered,
    split_name,
)
from lstm_jax.data.readers.objects import read_objects
from lstm_jax.data.readers.parquet import read_parquet
from lstm_jax.data.readers.rows import Options, Row
from lstm_jax.data.readers.tables import read_csv, read_tsv
from lstm_jax.data.readers.text import read_fasttext
from lstm_jax.errors import UserError

__all__ = [
    "MODULES",
    "Options",
    "Row",
    "check_file",
    "content_digest",
    "file_kind",
    "head_of",
    "lines",
    "numbered",
    "read_rows",
    "split_name",
]

MODULES = (compressed, objects, parquet, rows, stray_quotes, tables, text)  # Their code determines what is read.

READERS: dict[str, Callable[[Path, Options], Iterator[Row]]] = {
    ".csv": read_csv,
    ".json": read_objects,
    ".jsonl": read_objects,
    ".ndjson": read_objects,
    ".parquet": read_parquet,
    ".tsv": read_tsv,
    ".txt": read_fasttext,
}


def read_rows(path: Path, options: Options | None = None) -> Iterator[Row]:
    """The rows of one file, by the ending of its name.

    Args:
      path: The file: csv, tsv, JSON, parquet, or fastText's txt; plain, or compressed as gz, bz2, xz or zip.
      options: How it is read; by default as UTF-8 with a header.

    Raises:
      UserError: The file is missing, empty, truncated, of an unknown format, or ambiguous.
    """
    options = options or Options()
    return READERS[check_file(path, options)](path, options)


def check_file(path: Path, options: Options | None = None) -> str:
    """The ending that names a file's format.

    Raises:
      UserError: The file is missing, empty, of an unknown format, or of one that the options do not fit.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; give a file or a folder of reviews with --config.data.path")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty; give a file that holds reviews")
    kind = file_kind(path)
    if not kind:
        raise UserError(
            f"{path} ends in none of {', '.join(READERS)} (or one of them with {', '.join(COMPRESSORS)}); rename or "
            "convert it"
        )
    if options and options.columns and kind not in (".csv", ".tsv"):
        raise UserError(
            f"--config.data.columns names the columns of csv and tsv files without a header line, but {path} names its "
            "own; leave it out"
        )
    return kind
