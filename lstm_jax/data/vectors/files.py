"""Pretrained vectors, read from the text format of GloVe, fastText and word2vec."""

import dataclasses
import logging
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lstm_jax.characters import wide_encoding
from lstm_jax.config import Config
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.readers import lines, numbered
from lstm_jax.data.vectors.base import Vectors, register
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)

_HEADER = re.compile(rb"(\d{1,18}) +(\d{1,9})")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")
_FASTTEXT_MODEL = b"\xba\x16\x4f\x2f"  # The first bytes of a fastText model.


@dataclasses.dataclass
class _Content:
    """What is known about a file while it is read."""

    header: tuple[int, int] | None = None  # The number of vectors and their size, if the first line states them.
    entries: int = 0  # Number of lines with vectors so far.
    first: str = ""  # The first of these lines.
    last_number: int = 0  # The number of the last one, and the number of fields after its token.
    last_fields: int = 0
    undecodable: list[int] = dataclasses.field(default_factory=list)  # Numbers of lines that are not UTF-8.
    repeated: list[int] = dataclasses.field(default_factory=list)  # Numbers of lines whose token was read before.


def read_vectors(path: Path, ids: Mapping[str, int], size: int, missing: str, seed: int) -> tuple[HostArray, int]:
    """Reads the vectors of a vocabulary. The file is streamed, and only vectors of the vocabulary are kept.

    Of several vectors of a token, the first is kept. What else is unusual about the file is logged.

    Args:
      path: File with a token and ``size`` numbers per line, separated by spaces, plain, gz, bz2 or zip. The first line
        may state the number of vectors and their size. Of several files in a zip, the one named ``…{size}d…`` is read.
      ids: The row of the table for each token.
      size: Size of the vectors, D.
      missing: Vectors of tokens that the file lacks: ``zeros``, or ``random`` for normal values with the standard
        deviation of the file's vectors.
      seed: Seed of the random values.

    Returns:
      The table ``[V, D]``, float32, and the number of tokens found.

    Raises:
      UserError: The file is missing or damaged, has another format, holds vectors of another size, numbers that are not
        finite, or no known token.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; give a file of word vectors with --config.data.vectors.path")
    table = np.zeros((len(ids), size), np.float32)
    found = np.zeros(len(ids), bool)
    content = _Content()
    for number, token, rest in _entries(path, size, content):
        if token not in ids:
            if _NOT_FINITE.search(rest):
                _vector(f"{path}, line {number}", token, rest, size)
            continue
        if found[ids[token]]:
            content.repeated.append(number)
            continue
        vector = _vector(f"{path}, line {number}", token, rest, size)
        if vector is not None:
            table[ids[token]] = vector
            found[ids[token]] = True
    if not found.any():
        if content.first:
            token, _, rest = content.first.partition(" ")
            _vector(f"{path}, the first vector", token, rest, size)
        raise UserError(f"{path} holds none of the vocabulary's {len(ids)} words; is it a file of word vectors?")
    _check_end(path, size, content)
    if missing == "random":
        rest_of_table = np.random.default_rng(seed).normal(size=(len(ids), size)) * table[found].std()
        table = np.where(found[:, None], table, rest_of_table).astype(np.float32)
    return table, int(found.sum())


def _entries(path: Path, size: int, content: _Content) -> Iterator[tuple[int, str, str]]:
    """The number, the token and the rest of each line that holds a vector; fills ``content``."""
    for number, line in _zip_lines(path, size) if path.suffix == ".zip" else lines(path):
        if number == 1:
            _check_kind(path, line)
            stated = _HEADER.fullmatch(line)
            if stated and (size != 1 or stated[2] == b"1"):  # Otherwise ``7 2`` is a token and a vector of one number.
                content.header = int(stated[1]), int(stated[2])
                continue
        if not content.entries:
            _check_first(path, number, line, size, content.header)
        if b"\t" in line:
            raise UserError(
                f"{path}, line {number}: the fields are separated by tabs; separate them by spaces, such as by "
                "tr '\\t' ' '"
            )
        content.entries += 1
        content.last_number, content.last_fields = number, line.count(b" ")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            content.undecodable.append(number)
            continue
        content.first = content.first or text
        token, _, rest = text.partition(" ")
        yield number, token, rest


def _check_kind(path: Path, line: bytes) -> None:
    """Checks by the beginning of a file that it is text in UTF-8."""
    if encoding := wide_encoding(line):
        raise UserError(f"{path} is {encoding}, not UTF-8; convert it, such as by iconv -f {encoding} -t UTF-8")
    if line.startswith(_FASTTEXT_MODEL):
        raise UserError(f"{path} is a fastText model in binary form; give its vectors as text, the file .vec")
    if b"\0" in line:
        raise UserError(f"{path} is a binary file, not text; give word vectors as text, such as GloVe's")


def _check_first(path: Path, number: int, line: bytes, size: int, header: tuple[int, int] | None) -> None:
    """Checks the first line with a vector, whose numbers are ASCII if the file is text."""
    numbers = line.partition(b" ")[2]
    if header and (_CONTROL.search(line) or not numbers.isascii()):
        raise UserError(
            f"{path} is a word2vec file in binary form; write it as text by gensim: "
            "KeyedVectors.load_word2vec_format(FILE, binary=True).save_word2vec_format('vectors.txt')"
        )
    if b"\0" in line:
        raise UserError(f"{path}, line {number}: the line holds binary data; give word vectors as text")
    if header and header[1] != size:
        raise UserError(
            f"{path}, line 1: the file says that its vectors have {header[1]} numbers, not the {size} numbers of "
            "config.model.embedding_size; set that to the size of the vectors"
        )


_NOT_FINITE = re.compile(r"\b(?:nan|inf)", re.IGNORECASE)


def _vector(where: str, token: str, text: str, size: int) -> HostArray | None:
    """The vector of a line; ``None`` if the line's entry is of several words, as in GloVe 840B.

    Raises:
      UserError: The line holds no such vector.
    """
    fields = text.split()
    vector = _numbers(fields)
    if vector is None and len(fields) > size and _numbers(fields[:1]) is None and _numbers(fields[-size:]) is not None:
        return None
    if vector is None or not fields:
        _check_separators(where, f"{token} {text}", fields, size)
    if vector is None or len(vector) != size:
        raise UserError(
            f"{where}: {len(fields)} fields follow {token!r}, not the {size} numbers of "
            "config.model.embedding_size; set that to the size of the vectors"
        )
    for number, own in zip(vector, fields, strict=True):
        if not np.isfinite(number):
            raise UserError(
                f"{where}: the vector of {token!r} holds {own}, which is not a finite number; correct the line"
            )
    return vector


def _check_separators(where: str, line: str, fields: list[str], size: int) -> None:
    """Raises an error if a line that cannot be read has commas or semicolons where it should have others."""
    commas = [field for field in fields if _DECIMAL_COMMA.fullmatch(field)]
    if (
        commas
        and (len(fields) > 1 or size == 1)
        and all(_INTEGER.fullmatch(each) for each in set(fields) - set(commas))
    ):
        raise UserError(f"{where}: the numbers have decimal commas, such as {commas[0]}; write them with points")
    for separator, name in ((";", "semicolons"), (",", "commas")):
        if line.count(separator) >= size:
            raise UserError(f"{where}: the fields are separated by {name}; separate them by spaces")


def _numbers(fields: list[str]) -> HostArray | None:
    """Numbers in float32; ``None`` if a field is not a number. Python's underscores between digits are no numbers."""
    try:
        with np.errstate(over="ignore"):
            return None if any("_" in field for field in fields) else np.array(fields, np.float32)
    except ValueError:
        return None


def _check_end(path: Path, size: int, content: _Content) -> None:
    """Logs what is unusual about a file that was read to its end.

    Raises:
      UserError: The last line is not whole.
    """
    if content.last_fields < size:
        raise UserError(
            f"{path} breaks off in line {content.last_number}, where {content.last_fields} of {size} numbers follow "
            "the token; it is truncated, fetch it again"
        )
    if content.header and content.header[0] != content.entries:
        _log.warning(
            "%s says that it holds %s vectors, but it holds %s; if you did not shorten it, fetch it again",
            path,
            f"{content.header[0]:,}",
            f"{content.entries:,}",
        )
    for numbers, what in (
        (content.undecodable, "are not valid UTF-8 and were left out"),
        (content.repeated, "repeat a word; its first vector was kept"),
    ):
        if numbers:
            _log.warning("%s: %s lines %s (the first is line %d)", path, f"{len(numbers):,}", what, numbers[0])


def _zip_lines(path: Path, size: int) -> Iterator[tuple[int, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            fitting = [name for name in names if re.search(rf"(?<!\d){size}d", name)] if len(names) > 1 else names
            if len(fitting) != 1:
                raise UserError(f"{path} holds {', '.join(names) or 'no file'}; unpack it and give the file itself")
            with archive.open(fitting[0]) as file:
                yield from numbered(file, f"{path}/{fitting[0]}")
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is not a readable zip file ({error}); fetch it again") from error


def _make(config: Config, corpora: Corpora) -> HostArray:
    asked, vocabulary = config.data.vectors, corpora.tokenizer.get_vocab()
    size, seed = config.model.embedding_size, config.data.seed
    table, found = read_vectors(Path(asked.path), vocabulary, size, asked.missing, seed)
    lacking = len(vocabulary) - found
    _log.info("word vectors for %d of %d words; %d are not in the file", found, len(vocabulary), lacking)
    return table


register("file", Vectors(_make, reads_file=True))
