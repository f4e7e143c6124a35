"""How a study writes the fields of a config and their values: plain values, labels, flags, names of files."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config, Numbers
from lstm_jax.files import digest

# Last parts of paths that say nothing without the group before them.
VAGUE = ("name", "source", "path")
LONGEST_NAME = 120  # Bytes of a file's name. File systems allow 255, and an ending is added.


def plain_value(path: str, value: Any) -> Any:
    """A value in the type of its field: no NumPy scalars, no lists, no int where the field holds a float."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list):
        value = tuple(value)
    types = {known: own.type for known, own, _ in configs.leaves(Config())}
    holds_float = types.get(path, Numbers) in (float, Numbers)  # Only hyper-parameters have no field of their own.
    return float(value) if type(value) is int and holds_float else value


def labels_of(paths: Sequence[str]) -> dict[str, str]:
    """A label for each field: the end of its path that tells it apart, such as ``hidden size``."""
    short = {path: _end_of(path) for path in paths}
    unclear = {label for label in short.values() if list(short.values()).count(label) > 1}
    return {path: path if label in unclear else label.replace("_", " ") for path, label in short.items()}


def _end_of(path: str) -> str:
    *groups, last = path.split(".")
    if groups and (last in VAGUE or (len(groups) > 1 and groups != ["optimizer", "hparams"])):
        return f"{groups[-1]}.{last}"
    return last


def written(value: Any) -> str:
    """A value as text. Different values have different texts."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return '""' if value == "" else str(value)


def written_setting(labels: Mapping[str, str], setting: Iterable[tuple[str, Any]]) -> str:
    """A setting as text, such as ``hidden size 64, learning rate 0.01``."""
    return ", ".join(f"{labels[path]} {written(value)}" for path, value in setting)


def flags_of(setting: Iterable[tuple[str, Any]]) -> str:
    """The flags of ``train.py`` for a setting, quoted for a shell."""
    texts = ((path, repr(value) if isinstance(value, tuple | float) else str(value)) for path, value in setting)
    return " ".join(f"--config.{path}={shlex.quote(text)}" for path, text in texts)


def file_name(text: str) -> str:
    """A text as the name of a file or folder, with a digest if letters had to be replaced or left out."""
    safe = re.sub(r"^\.|[^\w.,=+ -]", "_", text)
    if safe == text and len(text.encode()) <= LONGEST_NAME:
        return text
    return f"{safe.encode()[:LONGEST_NAME].decode(errors='ignore')}-{digest(text)[:8]}"
