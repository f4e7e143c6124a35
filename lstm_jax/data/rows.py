"""From the rows of a source to the columns of examples; a bad row is an error, or left out on request and counted."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from lstm_jax.characters import half_character
from lstm_jax.config import DataConfig
from lstm_jax.data.cache import Facts
from lstm_jax.data.labels import CLASS_NAMES_OF_MAP, class_of_rating, label_text, parse_label_map
from lstm_jax.data.readers import Row
from lstm_jax.data.sources import Schema
from lstm_jax.errors import UserError

ROWS_JUDGED = 1000  # Number of rows after a bad one by which the advice is chosen.

CANNOT_BE_READ, NO_COLUMN = "that cannot be read", "that lack a column"
NO_TEXT, INVALID_LABEL = "without a text", "with an invalid label"


class BadRow(ValueError):
    """A row that gives no example."""

    def __init__(self, reason: str, message: str) -> None:
        """Creates the exception.

        Args:
          reason: One of the reasons above, which completes "rows …".
          message: What is wrong with this row.
        """
        super().__init__(message)
        self.reason = reason


def examples_of(
    rows: Iterable[Row], schema: Schema, config: DataConfig, facts: Facts, name: str
) -> Iterator[tuple[Any, ...]]:
    """Yields the columns of each example.

    Args:
      rows: The rows of one split.
      schema: Which columns of the rows hold what.
      config: The config of the source.
      facts: Filled with the numbers of rows that are left out, by reason.
      name: What the rows are read from, for error messages.

    Raises:
      UserError: A row is bad and bad rows are errors, or no row is usable.
    """
    label_map = parse_label_map(config.label_map)
    kept, bad = 0, Counter[str]()
    first: dict[str, str] = {}  # The first bad row, by reason.
    judged = 0
    for row in rows:
        judged += bool(first)
        if judged > ROWS_JUDGED and config.bad_rows == "error":
            break
        try:
            example = _example(row, schema, label_map)
        except BadRow as fault:
            bad[fault.reason] += 1
            first.setdefault(fault.reason, f"{row.place}: {fault}")
            continue
        if isinstance(example, str):
            facts[example] = facts.get(example, 0) + 1
            continue
        kept += 1
        if not first or config.bad_rows == "skip":
            yield example
    if first and (config.bad_rows == "error" or not kept):
        reason, message = next(iter(first.items()))
        raise UserError(f"{message}; {_advice(reason, bad.total(), kept)}")
    for reason, count in bad.items():
        facts[f"{reason} (the first: {first[reason]})"] = count
    if not kept and facts:
        reasons = ", ".join(f"{count} are {reason}" for reason, count in facts.items())
        raise UserError(f"{name}: no row is usable: {reasons}; see config.data.classes and config.data.label_map")
    if not kept:
        raise UserError(f"{name}: there are no rows; give data that have examples")


def _advice(reason: str, bad: int, kept: int) -> str:
    """What to do about a bad row, by its reason and by how many rows near it are bad."""
    share = "none of the {0} rows read is usable" if not kept else "{0} of the {1} rows read are not usable"
    said = share.format(bad, bad + kept)
    if kept >= bad * (10 if reason == NO_COLUMN else 1):
        return "fix it, or skip such rows with --config.data.bad_rows=skip"
    if reason == CANNOT_BE_READ:
        return f"{said}; correct the file"
    return (
        f"{said}; name the columns with --config.data.text_column and --config.data.label_column (or rating_column), "
        "name those of a file without a header line with --config.data.columns, or correct the file"
    )


def _example(row: Row, schema: Schema, label_map: dict[str, str]) -> tuple[Any, ...] | str:
    """The columns of a row's example, or the reason why it is left out.

    Raises:
      BadRow: The row gives no example.
    """
    if row.fault:
        raise BadRow(CANNOT_BE_READ, row.fault)
    text, body = _text(row.fields, schema)
    label = ""
    if schema.classes in CLASS_NAMES_OF_MAP:
        rating = _rating(row.fields[_column(row.fields, schema.rating)])
        name = class_of_rating(rating, schema.classes)
        if name is None:
            return f"of {rating} stars (config.data.classes={schema.classes})"
        label = name
    elif schema.classes != "none":
        label = _label(row.fields[_column(row.fields, (schema.label,))], label_map)
        if label == schema.unlabelled and label not in label_map:
            return f"without a label ({label})"
        if label_map:
            if label not in label_map:
                known = ", ".join(map(repr, label_map))
                raise BadRow(INVALID_LABEL, f"has the label {label!r}, and config.data.label_map names {known}")
            if not label_map[label]:
                return f"with the label {label!r} (config.data.label_map)"
            label = label_map[label]
    return text, label, len(body), _identity(body or text), row.file, row.number


def _identity(text: str) -> int:
    """64 bits that identify a text, whatever its case, its spaces and how Unicode writes its characters."""
    plain = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest())


def _label(value: Any, label_map: dict[str, str]) -> str:
    if isinstance(value, str | float) and str(value).strip() in label_map:
        return str(value).strip()
    try:
        label = label_text(value)
    except ValueError as fault:
        raise BadRow(INVALID_LABEL, str(fault)) from None
    if half_character(label) is not None:
        raise BadRow(INVALID_LABEL, f"has the label {label!r}, which holds half a character (a lone surrogate)")
    return label


def _text(fields: dict[str, Any], schema: Schema) -> tuple[str, str]:
    """The text of a row, with titles and without them."""
    values = {column: fields[column] for column in schema.text if fields.get(column)}
    if not values:
        _column(fields, schema.text)
    for column, value in values.items():
        if isinstance(value, bytes):
            raise BadRow(NO_TEXT, f"has bytes in the column {column!r}; convert the column to strings")
        if not isinstance(value, str):
            kind = type(value).__name__
            raise BadRow(NO_TEXT, f"has no text: the column {column!r} holds {value!r} of type {kind}"[:200])
    if not any(map(str.strip, values.values())):
        raise BadRow(NO_TEXT, "has no text")
    text = ": ".join(values.values())
    if (position := half_character(text)) is not None:
        raise BadRow(NO_TEXT, f"holds half a character (a lone surrogate) at character {position}")
    return text, ": ".join(value for column, value in values.items() if column not in schema.titles)


def _rating(value: Any) -> int:
    try:
        number = int(float(value))
        exact = float(value) == number and not isinstance(value, bool)
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact or not 1 <= number <= 5 or "_" in str(value):
        raise BadRow(INVALID_LABEL, f"has the rating {value!r}, which is not one of 1, 2, 3, 4, 5")
    return number


def _column(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    """The first of the named columns that a row has."""
    for name in names:
        if name in fields:
            return name
    has = ", ".join(map(repr, fields)) or "none"
    raise BadRow(NO_COLUMN, f"no column {' or '.join(map(repr, names))} among {has}")
