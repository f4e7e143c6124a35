"""Rows of JSON files: objects, one per line or as the list of one value, and Python dicts, one per line.

Files with an object per line are read as streams. The others are read as a whole.
"""

import ast
import bisect
import itertools
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.data.readers.compressed import first_line, split_name
from lstm_jax.data.readers.rows import Options, Row
from lstm_jax.data.readers.text import SPACES, Line, text_lines
from lstm_jax.errors import UserError

LONGEST_DICT = 2**20  # Number of characters of a Python dict; Python needs much memory for its syntax tree.

TEXT_KEYS = ("text", "review", "content", "reviewText")  # Usual names of the text of a row.

_SPACE = re.compile(f"[{SPACES}]*")
LINES_HELP = 'write one object per line; pandas does so with to_json(orient="records", lines=True)'


class _Decoder:
    """Decodes JSON, and takes note of a key that an object has twice."""

    def __init__(self) -> None:
        self.twice = ""
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            self.twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        return found

    def decode(self, text: str, start: int = 0) -> tuple[Any, int, str]:
        """The value that begins at a position, the position of its end, and a key that it has twice."""
        self.twice = ""
        value, end = self._decoder.raw_decode(text, start)
        return value, end, self.twice


def read_objects(path: Path, options: Options) -> Iterator[Row]:
    """The rows of a JSON file.

    Each line may hold an object, as JSON or as a Python dict. Or the whole file is a list of objects, or an object with
    such a list; the file may then be indented.

    Raises:
      UserError: The file is a whole but not valid JSON, or not a list of rows.
    """
    written = (line for line in text_lines(path, options.encoding) if line.text.strip(SPACES))
    first = list(itertools.islice(written, 2))
    decoder = _Decoder()
    if _is_whole(first, decoder):
        yield from _Whole(path, [*first, *written], decoder).rows()
        return
    for number, line in enumerate(itertools.chain(first, written)):
        fields, fault = ({}, line.fault) if line.fault else _object_of(line.text.strip(SPACES), decoder)
        yield Row({} if fault else fields, str(path), number, line.number, fault)


def _is_whole(first: list[Line], decoder: _Decoder) -> bool:
    """Whether the lines of a file belong together, judged by the first two that are not blank."""
    if not first or first[0].fault or not first[0].text.lstrip(SPACES).startswith(("{", "[")):
        return False
    text = first[0].text.strip(SPACES)
    try:
        _, end, _ = decoder.decode(text)
    except json.JSONDecodeError as error:
        if error.pos < len(text):  # The line is wrong in itself; otherwise it may go on in the next line.
            return False
        return len(first) == 1 or text[-1] in "[{:," or _object_of(first[1].text.strip(SPACES), decoder)[1] != ""
    except (ValueError, RecursionError):
        return False
    return len(first) == 1 and end == len(text)


def _object_of(text: str, decoder: _Decoder) -> tuple[dict[str, Any], str]:
    """The object that a line holds, and why it holds none."""
    try:
        fields, end, twice = decoder.decode(text)
    except json.JSONDecodeError as error:
        try:
            fields, twice = _python_dict(text)
        except ValueError as other:
            why = f"{error.msg} at column {error.pos + 1}"
            return {}, f"is neither valid JSON ({why}) nor a Python dict ({other})"
    except (ValueError, RecursionError) as error:  # Numbers of thousands of digits; brackets nested too deeply.
        return {}, f"is not readable JSON ({first_line(error)})"
    else:
        if text[end:].strip(SPACES) == ",":
            return {}, "ends in a comma; remove it, or make the file one list"
        if text[end:].strip(SPACES):
            return {}, f"goes on after its JSON value, at column {end + 1}; write one object per line"
    if not isinstance(fields, dict):
        return {}, "is JSON but not an object"
    return fields, f"has the key {twice!r} twice" if twice else ""


def _python_dict(text: str) -> tuple[dict[str, Any], str]:
    """The dict of literals that a text is in Python, such as a line of the Amazon reviews of 2014, and a doubled key.

    Nothing is executed.

    Raises:
      ValueError: It is none; the message says why.
    """
    if not text.startswith("{"):
        raise ValueError("it does not begin with a brace")
    if len(text) > LONGEST_DICT:
        raise ValueError(f"it has more than {LONGEST_DICT} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Texts with backslashes.
            tree = ast.parse(text, mode="eval")
        fields = ast.literal_eval(tree)
    except SyntaxError as error:
        raise ValueError(error.msg) from None
    except (ValueError, TypeError):
        raise ValueError("it holds more than literals") from None
    except (MemoryError, RecursionError):
        raise ValueError("it is nested too deeply") from None
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise ValueError("it is no dict with strings as keys")
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            counts = Counter(ast.literal_eval(key) for key in node.keys if key is not None)
            doubled = [key for key, count in counts.items() if count > 1]
            if doubled:
                return fields, str(doubled[0])
    return fields, ""


class _Whole:
    """A file that is one JSON value.

    Args:
      path: The file.
      lines: All its lines but blank ones.
      decoder: Decodes it.
    """

    def __init__(self, path: Path, lines: list[Line], decoder: _Decoder) -> None:
        self.path, self.decoder = path, decoder
        for line in lines:
            if line.fault:
                raise UserError(f"{path}, line {line.number}: {line.fault}")
        self.text = "".join(line.text for line in lines)
        self.numbers = [line.number for line in lines]
        self.starts = list(itertools.accumulate((len(line.text) for line in lines[:-1]), initial=0))

    def rows(self) -> Iterator[Row]:
        """The rows of its list."""
        start = self._skip(0)
        value = self._value(start)
        if isinstance(value, dict):
            lists = self._lists(value)
            if not lists:
                yield self._single(value, start)
                return
            self._check_members(value, lists)
            start = self._member(start, lists[0])
        for number, (position, row, twice) in enumerate(self._elements(start)):
            fault = f"has the key {twice!r} twice" if twice else ""
            fault = fault if isinstance(row, dict) else "is JSON but not an object"
            yield Row({} if fault else row, str(self.path), number, self._place(position).line, fault)

    def _lists(self, value: dict[str, Any]) -> list[str]:
        """The members of an object that are lists of objects."""
        found = [
            key for key, each in value.items() if isinstance(each, list) and any(isinstance(row, dict) for row in each)
        ]
        # A file of one line in JSON lines is one row, which may hold such a list, unless the list is all that it holds.
        row = len(self.numbers) == 1 and split_name(self.path.name)[1] != ".json" and len(value) > 1
        return [] if row else found

    def _check_members(self, value: dict[str, Any], lists: list[str]) -> None:
        """Raises an error if an object holds more than one list of rows and values that describe it."""
        if len(lists) > 1:
            raise UserError(
                f"{self.path} holds the lists of objects {', '.join(map(repr, lists))}; write each list to a file "
                "of its own, named after its split"
            )
        others = [key for key, each in value.items() if key not in lists and isinstance(each, dict | list)]
        if others:
            raise UserError(
                f"{self.path} holds the list of objects {lists[0]!r}, beside it {', '.join(map(repr, others[:5]))}, "
                "which may hold rows too; write each list of rows to a file of its own, without other values"
            )
        texts = [key for key in TEXT_KEYS if key in value and key not in lists]
        if texts:
            raise UserError(
                f"{self.path} holds one object with {', '.join(map(repr, itertools.islice(value, 5)))}, which may be a "
                f"row or hold the rows in {lists[0]!r}; write the rows alone, one object per line, to a .jsonl file"
            )

    def _value(self, start: int) -> Any:
        """The whole value, of which nothing is kept but its form."""
        try:
            value, end, _ = self.decoder.decode(self.text, start)
        except json.JSONDecodeError as error:
            raise self._invalid(error.msg, error.pos) from error
        except (ValueError, RecursionError) as error:
            raise UserError(f"{self.path} is not readable JSON ({first_line(error)}); {LINES_HELP}") from error
        if self._skip(end) < len(self.text):
            raise self._invalid("a second value begins", self._skip(end))
        return value

    def _single(self, value: dict[str, Any], start: int) -> Row:
        """The row of a file that holds one object.

        Raises:
          UserError: Its values are columns, or something else that is no row.
        """
        if value and all(isinstance(each, dict | list) for each in value.values()):
            raise UserError(
                f"{self.path} holds one object with {', '.join(map(repr, itertools.islice(value, 5)))}, whose values "
                f"are columns, or something else that is no list of rows; {LINES_HELP}"
            )
        _, _, twice = self.decoder.decode(self.text, start)
        fault = f"has the key {twice!r} twice" if twice else ""
        return Row({} if fault else value, str(self.path), 0, self._place(start).line, fault)

    def _member(self, start: int, name: str) -> int:
        """The position of the value of an object's member.

        Raises:
          UserError: The object has two members of one name.
        """
        found: dict[str, int] = {}
        position = self._skip(start + 1)
        while self.text[position] != "}":
            key, end, _ = self.decoder.decode(self.text, position)
            position = self._skip(self._skip(end) + 1)
            if key in found:
                raise UserError(f"{self.path} has the key {key!r} twice; write all rows into one list")
            found[key] = position
            position = self._skip(self.decoder.decode(self.text, position)[1])
            if self.text[position] == ",":
                position = self._skip(position + 1)
        return found[name]

    def _elements(self, start: int) -> Iterator[tuple[int, Any, str]]:
        """The position and value of each element of a list, and a key that it has twice."""
        position = self._skip(start + 1)
        while self.text[position] != "]":
            value, end, twice = self.decoder.decode(self.text, position)
            yield position, value, twice
            position = self._skip(end)
            if self.text[position] == ",":
                position = self._skip(position + 1)

    def _skip(self, position: int) -> int:
        found = _SPACE.match(self.text, position)
        return found.end() if found else position

    def _place(self, position: int) -> "_Place":
        n = bisect.bisect_right(self.starts, position) - 1
        return _Place(self.numbers[n], position - self.starts[n] + 1)

    def _invalid(self, reason: str, position: int) -> UserError:
        place = self._place(position)
        return UserError(
            f"{self.path}, line {place.line}: is not valid JSON ({reason} at column {place.column}); correct it, or "
            f"{LINES_HELP}"
        )


class _Place(NamedTuple):
    line: int
    column: int
