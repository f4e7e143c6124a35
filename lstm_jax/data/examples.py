"""From the rows of a source to examples, which are cached."""

import hashlib
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lstm_jax.config import DataConfig
from lstm_jax.data import cache, labels, readers
from lstm_jax.data.cache import Facts, cached_table
from lstm_jax.data.labels import (
    CLASS_NAMES_OF_MAP,
    Classes,
    check_known,
    check_names,
    class_of_rating,
    find_classes,
    label_text,
)
from lstm_jax.data.readers import Row
from lstm_jax.data.sources import SPLITS, UNLABELLED, Rows, Schema
from lstm_jax.data.sources.files import rows_of_path
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import code_digest, digest
from lstm_jax.registry import SOURCES
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)

NO_CLASS = -1  # The class number of an example without a label.
ROWS_PER_BATCH = 1000
FAULTY_ROWS = 1000  # Number of faulty rows at the beginning of a source after which no usable one is looked for.

EXAMPLE_COLUMNS = pa.schema(
    [
        ("text", pa.large_string()),
        ("label", pa.large_string()),  # After ``config.data.label_map``; empty if the example has none.
        ("characters", pa.int32()),  # Length of the text without titles.
        ("digest", pa.uint64()),  # Identifies the text without titles.
        ("file", pa.large_string()),
        ("row", pa.int64()),  # The first row of a file has number 0.
    ]
)


class Examples(NamedTuple):
    """The examples of one split of a source.

    Attributes:
      dataset: The columns ``EXAMPLE_COLUMNS``.
      classes: Class numbers ``[N]``, int32.
    """

    dataset: datasets.Dataset
    classes: HostArray

    def column(self, name: str) -> HostArray:
        """A column of numbers."""
        return np.asarray(self.dataset.select_columns(name).with_format("arrow")[:].column(name))


class SourceExamples(NamedTuple):
    """The examples of a source.

    Attributes:
      splits: The split ``train``, and the other splits that the source has.
      classes: The classes.
    """

    splits: dict[str, Examples]
    classes: Classes


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


def load_examples(
    config: DataConfig,
    unlabelled: bool = False,
    classes: Classes | None = None,
    labelled: bool = True,
    whole: bool = False,
    quiet: bool = False,
) -> SourceExamples:
    """The examples of a source.

    Args:
      config: The source, and how its rows are read.
      unlabelled: Whether to load the examples without labels too, as a split ``unsupervised``.
      classes: The classes of a trained run; by default those of the source.
      labelled: Whether to read labels at all.
      whole: Whether the source may lack the split ``train``.
      quiet: Whether to log nothing about rows that are left out.

    Raises:
      UserError: A file, a row or a label is invalid, or a download failed.
    """
    splits = (*SPLITS, UNLABELLED) if unlabelled else SPLITS
    if config.path:
        found = rows_of_path(Path(config.path), splits, config, whole)
    elif fetch := SOURCES[config.source].fetch:
        found = fetch(config, splits)
    else:
        raise ConfigError(
            f"config.data.source is {config.source!r} but config.data.path is empty; give a file or a folder"
        )
    if ("train" not in found and not whole) or set(found) - set(splits):
        raise UserError(
            f"the source {config.source!r} returned the splits {', '.join(map(repr, found)) or 'none'}; it must return "
            f"'train', and may return {', '.join(map(repr, splits[1:]))}"
        )
    schema = schema_of(config)
    numbered = next((rows.class_names for rows in found.values() if rows.class_names), ())
    if numbered:
        schema = schema._replace(class_names=numbered, unlabelled=str(NO_CLASS))
        check_names(numbered, classes, config)
    tables = {}
    for split, rows in found.items():
        own = schema if labelled and split != UNLABELLED else schema._replace(classes="none")
        tables[split], facts = _table(rows, own, config)
        if not quiet:
            _log_left_out(split, facts)
    if not labelled:
        classes = Classes((), ())
    return _with_classes(tables, schema, config, classes, numbered)


def _with_classes(
    tables: dict[str, datasets.Dataset],
    schema: Schema,
    config: DataConfig,
    classes: Classes | None,
    numbered: tuple[str, ...],
) -> SourceExamples:
    encoded = {split: pc.dictionary_encode(table.data.column("label")) for split, table in tables.items()}
    counts: Counter[str] = Counter()
    for split, column in encoded.items():
        for chunk in column.chunks if split != UNLABELLED else ():
            numbers = np.bincount(chunk.indices, minlength=len(chunk.dictionary))
            counts.update(dict(zip(chunk.dictionary.to_pylist(), numbers.tolist(), strict=True)))
    del counts[""]  # The label of unlabelled examples.
    if classes is not None:
        check_known(counts, classes)
    elif schema.classes in CLASS_NAMES_OF_MAP:
        names = CLASS_NAMES_OF_MAP[schema.classes]
        classes = Classes(names, names)
    else:
        without_examples = {} if config.label_map else {str(n): 0 for n in range(len(numbered))}
        classes = find_classes({**without_examples, **counts}, config, schema.class_names)
    numbers_of = {name: number for number, name in enumerate(classes.names)}
    numbers_of |= {label: number for number, label in enumerate(classes.labels)}  # A label counts before a name.
    splits = {}
    for split, column in encoded.items():
        by_chunk = [np.zeros(0, np.int32)]
        for chunk in column.chunks:
            own = np.array([numbers_of.get(label, NO_CLASS) for label in chunk.dictionary.to_pylist()], np.int32)
            by_chunk.append(own[chunk.indices])
        splits[split] = Examples(tables[split], np.concatenate(by_chunk))
    return SourceExamples(splits, classes)


def _table(rows: Rows, schema: Schema, config: DataConfig) -> tuple[datasets.Dataset, Facts]:
    """The examples of one split, from the cache if it has them, and how many rows were left out for which reason."""
    made_by = [sys.modules[__name__], cache, labels, *readers.MODULES, sys.modules[rows.read.__module__]]
    # Functions typed into a notebook belong to no file, so their results are cached by name alone.
    code = code_digest(*(module for module in made_by if getattr(module, "__file__", None)))
    arguments = datasets.fingerprint.Hasher.hash(rows.arguments)
    key = digest(rows.read.__qualname__, arguments, schema, config.bad_rows, config.label_map, code)

    def make(facts: Facts) -> Iterator[pa.RecordBatch]:
        examples = _examples(rows.read(**rows.arguments), schema, config, facts)
        batch: list[tuple[Any, ...]] = []
        for example in examples:
            batch.append(example)
            if len(batch) == ROWS_PER_BATCH:
                yield _record_batch(batch)
                batch = []
        if batch:
            yield _record_batch(batch)

    return cached_table(f"examples/{key}", EXAMPLE_COLUMNS, make)


def _record_batch(examples: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = zip(*examples, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, EXAMPLE_COLUMNS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=EXAMPLE_COLUMNS)


def _examples(rows: Iterable[Row], schema: Schema, config: DataConfig, facts: Facts) -> Iterator[tuple[Any, ...]]:
    """Yields the columns of each example; counts in ``facts`` the rows that are left out, by reason."""
    names = labels.parse_label_map(config.label_map)
    kept, faulty, first_fault, readable, place = 0, 0, "", False, "the end of the source"
    for row in rows:
        place = row.place
        try:
            example = _example(row, schema, names)
        except ValueError as fault:
            faulty += 1
            readable = readable or not row.fault
            first_fault = first_fault or f"{place}: {fault}"
            if config.bad_rows == "error" and (kept or faulty == FAULTY_ROWS):
                break
            continue
        if isinstance(example, str):
            facts[example] = facts.get(example, 0) + 1
            continue
        kept += 1
        if first_fault and config.bad_rows == "error":
            break
        yield example
    if first_fault and config.bad_rows == "error":
        raise UserError(f"{first_fault}; {_advice(faulty, kept, readable)}")
    if faulty:
        facts["without text or with an invalid label"] = faulty
    if not (kept or faulty or facts):
        raise UserError("the source has no rows; give one that has examples")
    if not kept:
        reasons = ", ".join(f"{count} are {reason}" for reason, count in facts.items())
        raise UserError(f"nothing up to {place} is usable: {first_fault or reasons}; {_advice(faulty, kept, readable)}")


def _advice(faulty: int, kept: int, readable: bool) -> str:
    """What to do about a bad row, which depends on whether others are usable, or can at least be read."""
    if kept:
        return "fix it, or skip such rows with --config.data.bad_rows=skip"
    if not faulty:
        return "see config.data.classes and config.data.label_map"
    if not readable:
        return f"none of the {faulty} rows read is usable; correct the file"
    return (
        f"none of the {faulty} rows read is usable; name the columns with --config.data.text_column and "
        "--config.data.label_column (or rating_column), name those of a file without a header line with "
        "--config.data.columns, or correct the file"
    )


def _example(row: Row, schema: Schema, label_map: dict[str, str]) -> tuple[Any, ...] | str:
    """The columns of a row's example, or the reason why it is left out.

    Raises:
      ValueError: The row is bad; the message says why.
    """
    if row.fault:
        raise ValueError(row.fault)
    text, body = _text(row.fields, schema)
    label = ""
    if schema.classes in CLASS_NAMES_OF_MAP:
        rating = _rating(row.fields, schema)
        name = class_of_rating(rating, schema.classes)
        if name is None:
            return f"of {rating} stars (config.data.classes={schema.classes})"
        label = name
    elif schema.classes != "none":
        label = label_text(row.fields[_column(row.fields, (schema.label,))])
        if not _is_encodable(label):
            raise ValueError(f"has the label {label!r}, which holds half a character (a lone surrogate)")
        if label == schema.unlabelled:
            return f"without a label ({label})"
        if label_map:
            if label not in label_map:
                raise ValueError(f"has the label {label!r}, which config.data.label_map does not name")
            if not label_map[label]:
                return f"with the label {label!r} (config.data.label_map)"
            label = label_map[label]
    identity = int.from_bytes(hashlib.blake2b((body or text).encode(), digest_size=8).digest())
    return text, label, len(body), identity, row.file, row.number


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(fields: dict[str, Any], schema: Schema) -> tuple[str, str]:
    """The text of a row, with titles and without them."""
    values = {column: fields[column] for column in schema.text if fields.get(column)}
    if not all(isinstance(value, str) for value in values.values()) or not any(map(str.strip, values.values())):
        _column(fields, schema.text)
        for column, value in values.items():
            if isinstance(value, bytes):
                raise ValueError(f"has bytes in the column {column!r}; convert the column to strings")
        raise ValueError("has no text")
    text = ": ".join(values.values())
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds half a character (a lone surrogate) at character {error.start}") from None
    return text, ": ".join(value for column, value in values.items() if column not in schema.titles)


def _rating(fields: dict[str, Any], schema: Schema) -> int:
    value = fields[_column(fields, schema.rating)]
    try:
        number = int(float(value))
        exact = float(value) == number
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact or not 1 <= number <= 5:
        raise ValueError(f"has the rating {value!r}, which is not one of 1, 2, 3, 4, 5")
    return number


def _column(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    """The first of the named columns that a row has."""
    for name in names:
        if name in fields:
            return name
    has = ", ".join(map(repr, fields)) or "none"
    raise ValueError(f"no column {' or '.join(map(repr, names))} among {has}")


def _log_left_out(split: str, facts: Facts) -> None:
    for reason, count in facts.items():
        _log.warning("%s: left out %s rows %s", split, f"{count:,}", reason)
