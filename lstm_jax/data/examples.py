"""From the rows of a source to examples: text, label and length, which ``datasets`` caches."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import datasets

from lstm_jax.config import DataConfig
from lstm_jax.data import readers
from lstm_jax.data.readers import Row
from lstm_jax.data.sources import SPLITS, UNLABELLED, Rows, Schema
from lstm_jax.data.sources.files import rows_of_path
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import code_digest
from lstm_jax.registry import SOURCES

CLASS_COUNTS = {"stars": 5, "binary": 2, "polarity": 2}  # Number of classes, if the class map fixes it.
CLASS_NAMES = {2: ("negative", "positive"), 5: ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")}
NO_LABEL = -1  # The label of an example without a class.


def class_names(count: int) -> tuple[str, ...]:
    """The names of the classes of a problem with ``count`` classes."""
    return CLASS_NAMES.get(count, tuple(f"class {n}" for n in range(count)))


def class_of(rating: int, classes: str) -> int | None:
    """The class of a rating of 1 to 5 stars under a class map; ``None`` leaves the example out."""
    if classes == "stars":
        return rating - 1
    if classes == "polarity" and rating == 3:
        return None
    return int(rating > 3)


def schema_of(config: DataConfig) -> Schema:
    """The schema of a config's source, with the config's changes."""
    schema = SOURCES[config.source].schema
    if config.text_column:
        schema = schema._replace(text=(config.text_column,), titles=())
    elif not config.titles:
        schema = schema._replace(text=tuple(name for name in schema.text if name not in schema.titles), titles=())
    return schema._replace(
        label=config.label_column or schema.label,
        rating=(config.rating_column,) if config.rating_column else schema.rating,
        classes=config.classes or schema.classes,
    )


def load_examples(config: DataConfig, unlabelled: bool = False) -> datasets.DatasetDict:
    """The examples of a source: ``text``, ``label`` (int) and ``characters``, the length without titles.

    Args:
      config: The source, and how its rows are read.
      unlabelled: Whether to load the examples without labels too, as a split ``unsupervised`` with the label −1.

    Returns:
      The split ``train``, and the other splits that the source has.

    Raises:
      UserError: A file or a row is invalid, or a download failed.
    """
    splits = (*SPLITS, UNLABELLED) if unlabelled else SPLITS
    if config.path:
        found = rows_of_path(Path(config.path), splits)
    elif fetch := SOURCES[config.source].fetch:
        found = fetch(config, splits)
    else:
        raise ConfigError(
            f"config.data.source is {config.source!r} but config.data.path is empty; give a file or a folder"
        )
    if "train" not in found or set(found) - set(splits):
        raise UserError(
            f"the source {config.source!r} returned the splits {', '.join(map(repr, found)) or 'none'}; it must return "
            f"'train', and may return {', '.join(map(repr, splits[1:]))}"
        )
    schema = schema_of(config)
    return datasets.DatasetDict(
        {
            split: _dataset(rows, schema._replace(classes="none") if split == UNLABELLED else schema, config.bad_rows)
            for split, rows in found.items()
        }
    )


def _dataset(rows: Rows, schema: Schema, bad_rows: str) -> datasets.Dataset:
    text, integer = datasets.Value("large_string"), datasets.Value("int32")
    made_by = [sys.modules[__name__], readers, sys.modules[rows.read.__module__]]
    try:
        return datasets.Dataset.from_generator(
            _examples,
            features=datasets.Features({"text": text, "label": integer, "characters": integer}),
            gen_kwargs={
                "read": rows.read,
                "arguments": rows.arguments,
                "schema": schema,
                "bad_rows": bad_rows,
                # Functions typed into a notebook belong to no file; they are pickled with their code.
                "code": code_digest(*(module for module in made_by if getattr(module, "__file__", None))),
            },
        )
    except datasets.exceptions.DatasetGenerationError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (UserError, OSError)):
            cause = cause.__cause__
        raise (cause or error.__cause__ or error) from None


def _examples(
    read: Callable[..., Iterable[Row]], arguments: dict[str, Any], schema: Schema, bad_rows: str, code: str
) -> Iterator[dict[str, Any]]:
    del code  # It is only part of the key of cached examples.
    kept, left_out, place = 0, 0, "the end of the source"
    for row in read(**arguments):
        place = row.place
        try:
            example = _example(row, schema)
        except ValueError as fault:
            if bad_rows == "error":
                advice = "fix it, or skip such rows with --config.data.bad_rows=skip"
                raise UserError(f"{place}: {fault}; {advice}") from None
            left_out += 1
            continue
        if example is not None:
            kept += 1
            yield example
    if left_out:
        logging.getLogger(__name__).warning("skipped %d rows without text or with an invalid label", left_out)
    if not kept:
        raise UserError(f"no row up to {place} has a usable label; see config.data.classes")


def _example(row: Row, schema: Schema) -> dict[str, Any] | None:
    """The example of a row; ``None`` if it has no label or the class map leaves it out.

    Raises:
      ValueError: The row is bad; the message says why.
    """
    if row.fault:
        raise ValueError(row.fault)
    text, characters = _text(row.fields, schema)
    label = NO_LABEL if schema.classes == "none" else _label(row.fields, schema)
    return None if label is None else {"text": text, "label": label, "characters": characters}


def _text(fields: dict[str, Any], schema: Schema) -> tuple[str, int]:
    """The text of a row, and its number of characters without those of titles."""
    values = [fields[column] for column in schema.text if fields.get(column)]
    if not values or not all(isinstance(value, str) for value in values) or not any(map(str.strip, values)):
        _column(fields, schema.text)
        raise ValueError("has no text")
    text = ": ".join(values)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds half a character (a lone surrogate) at character {error.start}") from None
    titles = sum(len(fields[column]) + len(": ") for column in schema.titles if fields.get(column))
    return text, max(len(text) - titles, 0)


def _label(fields: dict[str, Any], schema: Schema) -> int | None:
    """The class of a row; ``None`` if it has none or the class map leaves it out."""
    by_rating = schema.classes in CLASS_COUNTS
    value = fields[_column(fields, schema.rating if by_rating else (schema.label,))]
    try:
        number = int(float(value))
        exact = float(value) == number
    except (TypeError, ValueError, OverflowError):
        exact = False
    if by_rating:
        if not exact or not 1 <= number <= 5:
            raise ValueError(f"has the rating {value!r}, which is not one of 1, 2, 3, 4, 5")
        return class_of(number, schema.classes)
    if not exact or not NO_LABEL <= number < 2**31:
        raise ValueError(f"has the label {value!r}, which is not one of 0, 1, 2, …")
    return None if number == NO_LABEL else number


def _column(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    """The first of the named columns that a row has."""
    for name in names:
        if name in fields:
            return name
    has = ", ".join(map(repr, fields)) or "none"
    raise ValueError(f"no column {' or '.join(map(repr, names))} among {has}")
