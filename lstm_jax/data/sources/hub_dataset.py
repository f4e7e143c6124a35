"""Any data set of the Hugging Face Hub, by its name: ``data.source=hub``, ``data.name=OWNER/NAME``."""

import logging
from collections.abc import Iterable
from typing import Any

import datasets
import pyarrow.compute as pc

from lstm_jax.config import DataConfig
from lstm_jax.data.sources.base import SPLITS, UNLABELLED, Rows, Schema, Source, register
from lstm_jax.data.sources.hub import dataset_rows, load_dataset
from lstm_jax.errors import UserError

_log = logging.getLogger(__name__)

# The usual names of splits on the Hub.
USUAL = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation"}
USUAL |= {"test": "test", UNLABELLED: UNLABELLED}
NO_LABEL = -1  # The Hub's label for examples without one, if the labels are numbers of named classes.


def fetch_hub(config: DataConfig, splits: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of the data set ``config.name``.

    Raises:
      UserError: The data set is not available, its splits cannot be told apart, or its training split has no labels.
    """
    found = load_dataset(config.name, config.subset)
    rows = {}
    for split, theirs in _split_names(config, list(found)).items():
        place = ", ".join(filter(None, (config.name, config.subset, f"split {theirs}")))
        names = class_names_of(found[theirs], config)
        if split in SPLITS and names and _has_no_labels(found[theirs], config):
            if split == "train":
                raise UserError(f"{place} has no labels: all are {NO_LABEL}; name another with --config.data.splits")
            _log.warning("%s has no labels: all are %d; the split is not used", place, NO_LABEL)
        elif split in splits:
            rows[split] = dataset_rows(found[theirs], place)._replace(class_names=names)
    return rows


def _split_names(config: DataConfig, there: list[str]) -> dict[str, str]:
    """The names of the data set's splits, by the names of a source's splits."""
    has = f"{config.name} has the splits {', '.join(map(repr, there))}"
    advice = "say which are which with --config.data.splits=train=NAME,validation=NAME,test=NAME"
    if config.splits:
        asked = parse_splits(config.splits)
        for theirs in asked.values():
            if theirs not in there:
                raise UserError(f"config.data.splits names the split {theirs!r}, but {has}; name one of these")
        if unused := [name for name in there if name not in asked.values()]:
            _log.info("%s; %s not used", has, ", ".join(map(repr, unused)) + (" is" if len(unused) == 1 else " are"))
        return asked
    names: dict[str, str] = {}
    for theirs in there:
        if theirs not in USUAL:
            raise UserError(f"{has}, and it is not clear what {theirs!r} is for; {advice}")
        if USUAL[theirs] in names:
            raise UserError(
                f"{has}, of which both {names[USUAL[theirs]]!r} and {theirs!r} are for validation; {advice}"
            )
        names[USUAL[theirs]] = theirs
    if "train" not in names:
        raise UserError(f"{has}, and none to train on; {advice}")
    return names


def parse_splits(entries: Iterable[str]) -> dict[str, str]:
    """The entries ``SPLIT=NAME`` of ``config.data.splits`` as a mapping."""
    pairs = (entry.partition("=") for entry in entries)
    return {split.strip(): name.strip() for split, _, name in pairs}


def class_names_of(dataset: Any, config: DataConfig) -> tuple[str, ...]:
    """The names of the classes, if the data set's labels are numbers of named classes and are read."""
    feature = dataset.features.get(_label_column(config))
    reads_labels = config.classes in ("", "label")
    return tuple(feature.names) if reads_labels and isinstance(feature, datasets.ClassLabel) else ()


def _has_no_labels(dataset: Any, config: DataConfig) -> bool:
    return len(dataset) > 0 and pc.max(dataset.data.column(_label_column(config))).as_py() in (NO_LABEL, None)


def _label_column(config: DataConfig) -> str:
    return config.label_column or Schema().label


register("hub", Source(fetch_hub))
