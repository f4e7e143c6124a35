"""From the rows of a source to examples, which are cached."""

import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lstm_jax.config import DataConfig
from lstm_jax.data import cache, labels, readers
from lstm_jax.data import rows as row_module
from lstm_jax.data.cache import Facts, cached_table
from lstm_jax.data.labels import CLASS_NAMES_OF_MAP, Classes, find_classes, numbers_in_run
from lstm_jax.data.rows import examples_of
from lstm_jax.data.sources import SPLITS, UNLABELLED, Rows, Schema
from lstm_jax.data.sources.download import downloaded
from lstm_jax.data.sources.files import rows_of_path
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import code_digest, digest
from lstm_jax.registry import SOURCES
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)

NO_CLASS = -1  # The class number of an example without a label.
ROWS_PER_BATCH = 1000

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
      left_out: Numbers of rows that were left out while reading, by reason.
    """

    splits: dict[str, Examples]
    classes: Classes
    left_out: dict[str, int]


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
    given: Rows | None = None,
) -> SourceExamples:
    """The examples of a source.

    Args:
      config: The source, and how its rows are read.
      unlabelled: Whether to load the examples without labels too, as a split ``unsupervised``.
      classes: The classes of a trained run; by default those of the source.
      labelled: Whether to read labels at all.
      whole: Whether the source may lack the split ``train``.
      quiet: Whether to log nothing about rows that are left out.
      given: Rows to read in place of the source's, as one split.

    Raises:
      UserError: A file, a row or a label is invalid, or a download failed.
    """
    splits = (*SPLITS, UNLABELLED) if unlabelled else SPLITS
    found = {"train": given} if given else _rows_of_source(config, splits, whole)
    schema = schema_of(config)
    numbered = next((rows.class_names for rows in found.values() if rows.class_names), ())
    if any(rows.class_names not in ((), numbered) for rows in found.values()):
        raise UserError(f"the splits of {config.name or config.source} number their classes differently; use files")
    if numbered:
        schema = schema._replace(class_names=numbered, unlabelled=str(NO_CLASS))
    tables: dict[str, datasets.Dataset] = {}
    left_out: dict[str, int] = {}
    for split, rows in found.items():
        own = schema if labelled and split != UNLABELLED else schema._replace(classes="none")
        tables[split], facts = _table(rows, own, config, given.arguments["name"] if given else "")
        left_out |= {f"{split}: {reason}": count for reason, count in facts.items()}
    if not quiet:
        log_left_out(left_out)
    if config.path:
        _check_copies(tables)
    if not labelled:
        classes = Classes((), ())
    return SourceExamples(*_with_classes(tables, schema, config, classes, numbered), left_out)


def _rows_of_source(config: DataConfig, splits: tuple[str, ...], whole: bool) -> dict[str, Rows]:
    """The rows of a config's files or source, by split."""
    if config.path or config.url:
        path = Path(config.path) if config.path else downloaded(config)[0]
        return rows_of_path(path, splits, config, whole)
    fetch = SOURCES[config.source].fetch
    if fetch is None:
        raise ConfigError(
            f"config.data.source is {config.source!r} but config.data.path is empty; give a file or a folder"
        )
    found = fetch(config, splits)
    if ("train" not in found and not whole) or set(found) - set(splits):
        raise UserError(
            f"the source {config.source!r} returned the splits {', '.join(map(repr, found)) or 'none'}; it must return "
            f"'train', and may return {', '.join(map(repr, splits[1:]))}"
        )
    return found


def _check_copies(tables: dict[str, datasets.Dataset]) -> None:
    """Checks that no two files hold the same texts, in any order and form.

    Raises:
      UserError: Two files do.
    """
    contents: dict[bytes, str] = {}
    for table in tables.values():
        files = pc.dictionary_encode(table.data.column("file")).combine_chunks()
        digests = np.asarray(table.data.column("digest"))
        for number, name in enumerate(files.dictionary.to_pylist()):
            own = np.sort(digests[np.asarray(files.indices) == number])
            other = contents.setdefault(own.tobytes() if len(own) > 1 else name.encode(), name)
            if other != name:
                raise UserError(f"{other} and {name} hold the same {len(own):,} texts; remove one of them")


def _with_classes(
    tables: dict[str, datasets.Dataset],
    schema: Schema,
    config: DataConfig,
    classes: Classes | None,
    numbered: tuple[str, ...],
) -> tuple[dict[str, Examples], Classes]:
    """The examples of each split with their class numbers, and the classes."""
    encoded = {split: pc.dictionary_encode(table.data.column("label")) for split, table in tables.items()}
    counts: Counter[str] = Counter()
    for split, column in encoded.items():
        for chunk in column.chunks if split != UNLABELLED else ():
            numbers = np.bincount(chunk.indices, minlength=len(chunk.dictionary))
            counts.update(dict(zip(chunk.dictionary.to_pylist(), numbers.tolist(), strict=True)))
    del counts[""]  # The label of unlabelled examples.
    numbered = () if config.label_map else numbered
    if classes is not None:
        numbers_of = numbers_in_run(counts, classes, numbered)
    else:
        if schema.classes in CLASS_NAMES_OF_MAP:
            names = CLASS_NAMES_OF_MAP[schema.classes]
            classes = Classes(names, names)
        else:
            without_examples = {str(n): 0 for n in range(len(numbered))}
            classes = find_classes({**without_examples, **counts}, config, schema.class_names)
        numbers_of = {label: number for number, label in enumerate(classes.labels)}
    splits = {}
    for split, column in encoded.items():
        by_chunk = [np.zeros(0, np.int32)]
        for chunk in column.chunks:
            own = np.array([numbers_of.get(label, NO_CLASS) for label in chunk.dictionary.to_pylist()], np.int32)
            by_chunk.append(own[chunk.indices])
        splits[split] = Examples(tables[split], np.concatenate(by_chunk))
    return splits, classes


def _table(rows: Rows, schema: Schema, config: DataConfig, name: str) -> tuple[datasets.Dataset, Facts]:
    """The examples of one split, from the cache if it has them, and how many rows were left out for which reason.

    ``name`` is what the rows are read from, for error messages; by default their files or the source.
    """
    made_by = [sys.modules[__name__], row_module, cache, labels, *readers.MODULES, sys.modules[rows.read.__module__]]
    # Functions typed into a notebook belong to no file, so their results are cached by name alone.
    code = code_digest(*(module for module in made_by if getattr(module, "__file__", None)))
    arguments = datasets.fingerprint.Hasher.hash(rows.arguments)
    files = ", ".join(file for file, *_ in rows.arguments.get("files", ()))
    name = name or files or f"the source {config.source!r}"
    key = digest(rows.read.__qualname__, arguments, schema, config.bad_rows, config.label_map, code)

    def make(facts: Facts) -> Iterator[pa.RecordBatch]:
        examples = examples_of(rows.read(**rows.arguments), schema, config, facts, name)
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


def log_left_out(left_out: Mapping[str, int]) -> None:
    """Logs how many rows of which split were left out for which reason."""
    for reason, count in left_out.items():
        split, _, why = reason.partition(": ")
        _log.warning("%s: left out %s rows %s", split, f"{count:,}", why)
