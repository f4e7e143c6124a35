"""Labelled examples that a program holds in memory, as the rows of a source."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import datasets
import numpy as np

from lstm_jax.config import DataConfig
from lstm_jax.data.labels import parse_label_map
from lstm_jax.data.readers import Row
from lstm_jax.data.sources import Rows
from lstm_jax.data.sources.hub import dataset_rows
from lstm_jax.data.sources.hub_dataset import class_names_of
from lstm_jax.errors import UserError

CALLED = "the given examples"  # What stands for them in error messages.

_FORMS = "give a datasets.Dataset, a list of pairs (text, label), or a list of rows such as {'text': …, 'label': …}"


def given_rows(config: DataConfig, examples: Any, classes: Sequence[str]) -> tuple[DataConfig, Rows]:
    """The rows of examples in memory, and how they are read.

    Args:
      config: The data config of the run. Columns are named as in its data.
      examples: A ``datasets.Dataset``, rows as dicts by column, or pairs of a text and a label. The label is that of
        the run's data, or the name of a class.
      classes: The names of the run's classes.

    Raises:
      UserError: The examples have another form.
    """
    source = "files" if config.source in ("reviews", "hub") else config.source
    config = dataclasses.replace(config, source=source, name="", path="", url="", sha256="")
    if isinstance(examples, datasets.Dataset):
        return config, dataset_rows(examples, CALLED)._replace(class_names=class_names_of(examples, config))
    if isinstance(examples, datasets.DatasetDict):
        raise UserError(f"a DatasetDict has several splits, {', '.join(examples)}; give one of them")
    if not isinstance(examples, list | tuple) or not all(isinstance(each, dict | list | tuple) for each in examples):
        raise UserError(f"evaluate takes no {type(examples).__name__} of this form; {_FORMS}")
    if all(isinstance(each, dict) for each in examples):
        return config, Rows(_read, {"rows": list(examples), "name": CALLED})
    if any(isinstance(each, dict) or len(each) != 2 for each in examples):
        raise UserError(f"some of the given examples are no pairs; {_FORMS}")
    known = parse_label_map(config.label_map)
    names = tuple(f"{name}={name}" for name in classes if known and name not in known)
    config = dataclasses.replace(
        config,
        source="files",
        text_column="",
        label_column="",
        rating_column="",
        classes="label",
        label_map=config.label_map + names,
    )
    rows = [
        {"text": text, "label": label.item() if isinstance(label, np.generic) else label} for text, label in examples
    ]
    return config, Rows(_read, {"rows": rows, "name": CALLED})


def _read(rows: Iterable[dict[str, Any]], name: str) -> Iterator[Row]:
    for number, fields in enumerate(rows):
        yield Row(fields, name, number)
