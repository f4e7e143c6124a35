"""Files by the endings of their names, plain or compressed, as streams of bytes and of lines."""

import bz2
import codecs
import contextlib
import functools
import gzip
import hashlib
import io
import logging
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any, TypeVar

from lstm_jax.errors import UserError

Content = TypeVar("Content", str, bytes)

_log = logging.getLogger(__name__)

ENDINGS = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".tsv", ".txt")
MAGIC = {".bz2": b"BZh", ".xz": b"\xfd7zXZ\0"}  # How each stream of a file begins.
CHUNK_SIZE = 2**16


class _Streams(io.RawIOBase):
    """The decompressed bytes of a bz2 or xz file.

    Unlike with the openers of the standard library, what follows the end of a stream must be another stream. Zero bytes
    may fill up the file.
    """

    def __init__(self, path: Path, ending: str) -> None:
        self._file = path.open("rb")
        self._magic = MAGIC[ending]
        self._new: Callable[[], Any] = bz2.BZ2Decompressor if ending == ".bz2" else lzma.LZMADecompressor
        self._stream: Any = None  # None: between streams.
        self._left = b""  # What follows a stream, as far as it has been read.
        self._begun = False

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._stream is None and not self._next_stream():
                return 0
            given, self._left = self._left, b""
            if not given and self._stream.needs_input:
                given = self._file.read(CHUNK_SIZE)
                if not given:
                    raise EOFError("the compressed data has no end")
            content = self._stream.decompress(given, len(buffer))
            if self._stream.eof:
                self._left, self._stream = self._stream.unused_data, None
            if content:
                buffer[: len(content)] = content
                return len(content)

    def _next_stream(self) -> bool:
        """Begins the next stream, if there is one."""
        if self._begun:
            self._left = self._left.lstrip(b"\0")
            while len(self._left) < len(self._magic) and (more := self._file.read(CHUNK_SIZE)):
                self._left = (self._left + more).lstrip(b"\0")
            if not self._left:
                return False
            if not self._left.startswith(self._magic):
                raise OSError("other data follows the compressed data")
        self._begun, self._stream = True, self._new()
        return True


def _open_streams(path: Path) -> io.BufferedReader:
    return io.BufferedReader(_Streams(path, path.suffix.lower()), CHUNK_SIZE)


OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": _open_streams, ".xz": _open_streams}
COMPRESSORS = (*OPENERS, ".zip")
LISTED_MEMBERS = 20  # Number of members of a zip file that a message names.

# What a truncated or damaged file raises while it is read.
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, UnicodeDecodeError)


def split_name(name: str) -> tuple[str, str, str]:
    """A file's name without its endings, its format and its compressor, such as ``("train", ".csv", ".gz")``.

    The endings are in lower case. They are empty if the name has none that is known.
    """
    rest, compressor, kind = PurePath(name), "", ""
    if rest.suffix.lower() in COMPRESSORS:
        rest, compressor = rest.with_suffix(""), rest.suffix.lower()
    if rest.suffix.lower() in ENDINGS:
        rest, kind = rest.with_suffix(""), rest.suffix.lower()
    return rest.name, kind, compressor


def file_kind(path: Path) -> str:
    """The ending that names a file's format; empty if the format is unknown.

    The name of the file tells it, or the name of the member of a zip file.

    Raises:
      UserError: It is a zip file without exactly one member of a known format.
    """
    _, kind, compressor = split_name(path.name)
    return _member(path)[1] if compressor == ".zip" else kind


def _member(path: Path) -> tuple[str, str]:
    """The member of a zip file that holds the reviews, and its format."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path} is not a readable zip file ({first_line(error)}); fetch it again") from error
    # The Finder of macOS adds hidden files and the folder __MACOSX.
    seen = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))]
    reviews = [name for name in seen if any(split_name(name)[1:])]  # Compressed ones count too.
    outer = split_name(path.name)[1]
    if not reviews and len(seen) == 1 and outer:
        return seen[0], outer
    if len(reviews) != 1 or split_name(reviews[0])[2]:
        listed = ", ".join(seen[:LISTED_MEMBERS]) + (", …" if len(seen) > LISTED_MEMBERS else "")
        raise UserError(
            f"{path} holds {listed or 'no file'}; a zip file must hold exactly one file of reviews, which ends in "
            f"{', '.join(ENDINGS)} and is not compressed again. Unpack it and give the file or the folder itself"
        )
    if len(seen) > 1:
        _warn_unused(path, reviews[0], tuple(name for name in seen if name != reviews[0]))
    return reviews[0], split_name(reviews[0])[1]


@functools.cache  # A file is opened several times.
def _warn_unused(path: Path, used: str, unused: tuple[str, ...]) -> None:
    listed = ", ".join(unused[:LISTED_MEMBERS]) + (", …" if len(unused) > LISTED_MEMBERS else "")
    _log.warning("%s: only %s is read; not used: %s", path, used, listed)


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[Any]:
    """Opens a plain or compressed file as a stream of its decompressed bytes.

    Raises:
      UserError: It is a zip file that has no single file of reviews, or an encrypted one.
    """
    compressor = path.suffix.lower()
    if compressor != ".zip":
        with OPENERS[compressor](path) if compressor in OPENERS else path.open("rb") as file:
            yield file
        return
    name, _ = _member(path)
    with zipfile.ZipFile(path) as archive:
        try:
            file = archive.open(name)
        except RuntimeError as error:  # Encrypted, or compressed by an unknown method.
            raise UserError(f"{path} cannot be unpacked ({first_line(error)}); unpack it yourself") from error
        with file:
            yield file


def head_of(path: Path, size: int) -> bytes:
    """The first bytes of a plain or compressed file, at most ``size``.

    Raises:
      UserError: The file is damaged.
    """
    try:
        with open_file(path) as file:
            return bytes(file.read(size))
    except DAMAGE as error:
        raise UserError(_breaks_off(str(path), 0, error)) from error


def content_digest(path: Path) -> str:
    """The SHA-256 of a plain or compressed file's decompressed content, in hexadecimal digits.

    Raises:
      UserError: The file is damaged.
    """
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except DAMAGE as error:
        raise UserError(_breaks_off(str(path), 0, error)) from error


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of a plain or compressed file, stripped and without blank ones.

    Raises:
      UserError: The file is truncated or damaged.
    """
    with open_file(path) as file:
        yield from numbered(file, str(path))


def numbered(file: Iterable[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of an open file, as from ``lines``; ``name`` stands for the file in error messages."""
    for number, line in count_lines(file, name):
        line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if line.strip():
            yield number, line.strip()


def count_lines(file: Iterable[Content], name: str) -> Iterator[tuple[int, Content]]:
    """All lines of an open file with their numbers, as they are.

    Raises:
      UserError: The file, which is called ``name``, is truncated or damaged.
    """
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            yield number, line
    except DAMAGE as error:
        raise UserError(_breaks_off(name, number, error)) from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message, without the full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _breaks_off(name: str, number: int, error: BaseException) -> str:
    return f"{name} breaks off after line {number} ({first_line(error)}); it is truncated or damaged, fetch it again"
