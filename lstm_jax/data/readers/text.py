"""Decoded lines of text files, and the lines of fastText.

A line that cannot be decoded is a fault of its row alone. A file that is in another encoding altogether is an error.
"""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lstm_jax.characters import half_character
from lstm_jax.data.readers.compressed import count_lines, head_of, open_file
from lstm_jax.data.readers.rows import Options, Row
from lstm_jax.errors import UserError

HEAD_SIZE = 4096  # Number of bytes by which an encoding is recognised.
SPACES = " \t\r\n"  # What surrounds a line; other spaces may be part of a text.
LABEL_MARK = "__label__"
FEW_BYTES = 6  # Number of bytes below which a text of two bytes per character may be UTF-8 by chance.

_MARKS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
_WIDER = ("gb18030", "big5", "shift_jis", "euc-jp", "euc-kr")
_OTHER_FORMATS = {
    b"\x1f\x8b": ".gz",
    b"BZh91AY&SY": ".bz2",
    b"\xfd7zXZ\0": ".xz",
    b"PK\x03\x04": ".zip",
    b"PAR1": ".parquet",
}


class Line(NamedTuple):
    """A line of a text file.

    Attributes:
      number: Its number; the first is 1.
      text: The line with its line end. Bytes that are no text stand in it as lone surrogates.
      fault: Why it is no text; empty if it is.
    """

    number: int
    text: str
    fault: str = ""


def text_lines(path: Path, encoding: str) -> Iterator[Line]:
    """The lines of a plain or compressed text file, without its byte-order mark. A line ends with a line feed alone.

    Args:
      path: The file.
      encoding: One of the choices of ``config.data.encoding``.

    Raises:
      UserError: The file is truncated, damaged, or in another encoding.
    """
    codec = _codec(path, encoding)
    with open_file(path) as file:
        if codec.startswith("utf-16"):
            yield from _wide_lines(file, str(path), codec)
            return
        for number, content in count_lines(file, str(path)):
            line = content.removeprefix(codecs.BOM_UTF8) if number == 1 else content
            try:
                yield Line(number, line.decode(codec))
            except UnicodeDecodeError as error:
                yield Line(number, line.decode(codec, "surrogateescape"), _undecodable(line, encoding, error))


def _wide_lines(file: io.BufferedIOBase, name: str, codec: str) -> Iterator[Line]:
    decoded = io.TextIOWrapper(file, codec, errors="surrogatepass", newline="\n")  # type: ignore[type-var]
    try:
        for number, text in count_lines(decoded, name):
            line = text.removeprefix("\ufeff") if number == 1 else text
            position = half_character(line)
            broken = "" if position is None else f"holds half a character (a lone surrogate) at character {position}"
            yield Line(number, line, broken)
    finally:
        decoded.detach()  # The file is closed by its owner.


def _codec(path: Path, encoding: str) -> str:
    """The codec of a file, after a look at its first bytes."""
    head, flag = head_of(path, HEAD_SIZE), "--config.data.encoding"
    _check_is_text(path, head)
    marked = next((name for name, mark in _MARKS.items() if head.startswith(mark)), "")
    asked = marked if encoding == "utf-16" and marked.startswith("utf-16") else encoding
    if marked and marked != asked:
        right = "utf-16" if marked.startswith("utf-16") else marked
        raise UserError(f"{path} begins with the byte-order mark of {right.upper()}; read it with {flag}={right}")
    if asked == "utf-16":
        raise UserError(
            f"{path} has no byte-order mark; say which UTF-16 it is with {flag}=utf-16-le or {flag}=utf-16-be"
        )
    if asked.startswith("utf-16"):
        if b"\0" not in head:  # Commas, line ends and quotation marks have one.
            raise UserError(
                f"{path} is not in UTF-16, since its beginning has no zero byte; leave {flag}={encoding} out"
            )
        other = "utf-16-be" if asked == "utf-16-le" else "utf-16-le"
        if not marked and _wide_marks(head, other) > _wide_marks(head, asked):
            raise UserError(f"{path} is in {other.upper()} by the place of its zero bytes; read it with {flag}={other}")
    elif head.count(0) > len(head) / 4:
        likely = "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be"
        raise UserError(f"{path} holds zero bytes everywhere, as UTF-16 does; read it with {flag}={likely}")
    elif asked != "utf-8" and _is_utf8(head, FEW_BYTES if asked in _WIDER else 1):
        raise UserError(f"{path} is valid UTF-8, which {asked} would garble; leave {flag}={encoding} out")
    return asked


def _check_is_text(path: Path, head: bytes) -> None:
    """Raises an error if the beginning of a file is that of another format, or of an encoding that is not read."""
    for beginning, ending in _OTHER_FORMATS.items():
        if head.startswith(beginning):
            raise UserError(
                f"{path} is no text but has the form of {ending} files; rename it, so that it ends in {ending}"
            )
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise UserError(f"{path} begins with the byte-order mark of UTF-32, which is not read; convert it to UTF-8")


def _wide_marks(head: bytes, codec: str) -> int:
    """The number of line ends, spaces and marks of punctuation, by which the two orders of bytes are told apart."""
    text = head[: len(head) // 2 * 2].decode(codec, "replace")
    return sum(map(text.count, '\n\t ,:"'))


def _is_utf8(head: bytes, least: int) -> bool:
    """Whether the beginning of a file is UTF-8 with at least so many bytes outside of ASCII."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_SIZE)
    except UnicodeDecodeError:
        return False
    return sum(byte > 127 for byte in text.encode()) >= least


def _undecodable(line: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    fault = f"is not valid {encoding.upper() if encoding == 'utf-8' else encoding} at byte {error.start}"
    if encoding == "utf-8":
        try:
            line.decode("windows-1252")
        except UnicodeDecodeError:
            return fault
        fault += "; if the file is in Windows-1252, read it with --config.data.encoding=windows-1252"
    return fault


def read_fasttext(path: Path, options: Options) -> Iterator[Row]:
    """Lines ``__label__NAME text``, as rows with the columns ``label`` and ``text``."""
    written = (line for line in text_lines(path, options.encoding) if line.text.strip(SPACES))
    for number, line in enumerate(written):
        text = line.text.strip(SPACES)
        plain = (
            text.startswith(LABEL_MARK) and text.count(LABEL_MARK) == 1
        )  # Most lines; then their words need not be counted.
        fault = line.fault or _fasttext_fault(text.split(maxsplit=1) if plain else text.split())
        if fault:
            yield Row({}, str(path), number, line.number, fault)
        else:
            mark, text = text.split(maxsplit=1)
            yield Row({"label": mark.removeprefix(LABEL_MARK), "text": text}, str(path), number, line.number)


def _fasttext_fault(words: list[str]) -> str:
    labels = [word for word in words if word.startswith(LABEL_MARK)]
    if not labels:
        return f"does not begin with {LABEL_MARK} and the name of a class, such as {LABEL_MARK}1"
    names = sum(label.count(LABEL_MARK) for label in labels)  # Labels may be joined, as in __label__a,__label__b.
    if names > 1:
        return f"has {names} labels ({', '.join(labels[:5])}); an example has one class"
    if words[0] != labels[0]:
        return f"has the label {labels[0]} within or after the text; write it at the beginning of the line"
    if labels == [LABEL_MARK]:
        return f"has no name of a class after {LABEL_MARK}"
    return "" if len(words) > 1 else "has no text"
