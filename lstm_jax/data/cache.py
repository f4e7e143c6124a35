"""The cache of examples, token ids, vocabularies, vectors and measurements.

A file's name is a digest of everything that determines its content, so an edited source has another name. A digest of
the content stands beside the file and is compared whenever the file is read. A file that does not match is made again.
"""

import contextlib
import errno
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.table import MemoryMappedTable

from lstm_jax.files import digest, file_digest, write_text
from lstm_jax.runtime import cache_dir, temporary_cache

_log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)  # System errors that another folder would not help against.

Facts = dict[str, Any]  # What is kept beside a cached file, as JSON.

_renewed: ContextVar[set[Path] | None] = ContextVar("renewed", default=None)  # Files made anew; None: none need be.


@contextlib.contextmanager
def renewing(rebuild: bool) -> Iterator[None]:
    """A context in which every cached file is made anew when it is first asked for, if ``rebuild`` says so."""
    token = _renewed.set(set() if rebuild else None)
    try:
        yield
    finally:
        _renewed.reset(token)


def cached_file(name: str, write: Callable[[Path], Facts]) -> tuple[Path, Facts]:
    """A file of the cache, made if it is missing or damaged.

    Args:
      name: The path of the file in the cache.
      write: Called with the path to write to; returns the facts to keep beside the file.

    Returns:
      The path of the file, and its facts.
    """
    try:
        return _cached_in(cache_dir(), name, write)
    except OSError as error:
        if error.errno in FULL:
            raise
        _log.warning("the cached file %s cannot be used (%s), so it is made anew", cache_dir() / name, error.strerror)
        return _cached_in(temporary_cache(), name, write)


def _cached_in(folder: Path, name: str, write: Callable[[Path], Facts]) -> tuple[Path, Facts]:
    file = folder / name
    note = file.with_name(f"{file.name}.json")
    renewed = _renewed.get()
    if (renewed is None or file in renewed) and (facts := _verified(file, note)) is not None:
        return file, facts
    if file.is_dir() or note.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder stands in its place")
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        facts = write(part)
        content = _content(part, facts)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    write_text(note, json.dumps({"digest": content, "facts": facts}))
    if renewed is not None:
        renewed.add(file)
    return file, facts


def _content(file: Path, facts: Facts) -> str:
    return digest(file_digest(file), json.dumps(facts))


def _verified(file: Path, note: Path) -> Facts | None:
    """The facts beside a file; ``None`` if the file must be made."""
    if not (file.is_file() and note.is_file()):  # The note is written last, so an interrupted write leaves none.
        return None
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        if found["digest"] == _content(file, found["facts"]):
            return dict(found["facts"])
    except (ValueError, KeyError, TypeError, OSError):
        pass
    _log.warning("the cached file %s is damaged; it is made again", file)
    return None


def cached_table(
    name: str, schema: pa.Schema, make: Callable[[Facts], Iterator[pa.RecordBatch]]
) -> tuple[datasets.Dataset, Facts]:
    """A table of the cache, mapped into memory.

    Args:
      name: The path of the table in the cache, without a suffix. Its last part becomes the dataset's fingerprint.
      schema: The columns.
      make: Called if the table must be made. It yields the rows in batches and fills the facts that it is given.

    Returns:
      The table, and its facts.
    """

    def write(part: Path) -> Facts:
        facts: Facts = {}
        with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for batch in make(facts):
                writer.write_batch(batch)
        return facts

    file, facts = cached_file(f"{name}.arrow", write)
    return datasets.Dataset(MemoryMappedTable.from_file(str(file)), fingerprint=Path(name).name), facts
