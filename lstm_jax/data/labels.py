"""From the labels of rows to numbered classes with names.

A label keeps its own spelling. Numbers are compared as numbers, so ``1``, ``1.0`` and ``"1"`` are one label. Classes
are numbered in the order of their labels: numbers by value, other labels alphabetically. Nothing is merged or renamed
unless ``config.data.label_map`` or ``config.data.class_names`` says so.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from lstm_jax.config import DataConfig
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.registry import nearest

_FRACTION = re.compile(r"\s*[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?\s*")
_MISSING = {"nan", "none", "null", "na", "n/a", "?", "-", "missing", "unknown"}  # Marks of a missing value.
_INTEGER = re.compile(r"\s*(-?(?:0|[1-9][0-9]*))(?:\.0+)?\s*")

FORMS = "a label is an integer, a boolean or a string; name other numbers with config.data.label_map"

CLASS_NAMES_OF_MAP = {  # The classes of ratings, by ``config.data.classes``.
    "stars": ("1 star", "2 stars", "3 stars", "4 stars", "5 stars"),
    "binary": ("negative", "positive"),
    "polarity": ("negative", "positive"),
}


class Classes(NamedTuple):
    """The classes of a run, in the order of their numbers.

    Attributes:
      names: The name of each class.
      labels: The label of each class in the source.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]


def label_text(value: Any) -> str:
    """The label that a value stands for, as text.

    Raises:
      ValueError: The value is no label; the message says why.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("has no label")
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float | Decimal):
        if math.isnan(value):
            raise ValueError("has no label")
        if not math.isfinite(value) or value != int(value):
            raise ValueError(f"has the label {value}; {FORMS}")
        return str(int(value))
    if isinstance(value, str):
        number = _INTEGER.fullmatch(value)
        if not number and _FRACTION.fullmatch(value):
            raise ValueError(f"has the label {value.strip()}; {FORMS}")
        return str(int(number[1])) if number else value
    if isinstance(value, list | tuple):
        if len(value) > 1:
            raise ValueError(f"has {len(value)} labels ({value!r}); an example has one class")
        raise ValueError(f"has the label {value!r}, a list; write the label itself")
    raise ValueError(f"has the label {value!r}; {FORMS}")


def parse_label_map(entries: Iterable[str]) -> dict[str, str]:
    """The entries ``LABEL=NAME`` of ``config.data.label_map`` as a mapping; an empty name leaves the label out.

    Raises:
      ConfigError: An entry has another form, or two have the same label.
    """
    found: dict[str, str] = {}
    for entry in entries:
        label, _, name = entry.rpartition("=")
        fraction = _FRACTION.fullmatch(label) and not _INTEGER.fullmatch(label)
        try:
            label = label.strip() if fraction else label_text(label)
        except ValueError:
            raise ConfigError(f"config.data.label_map has {entry!r}; write LABEL=NAME, such as 1=good") from None
        if label in found:
            raise ConfigError(f"config.data.label_map names the label {label!r} twice; name it once")
        found[label] = name.strip()
    return found


def class_of_rating(rating: int, classes: str) -> str | None:
    """The name of the class of one to five stars under a class map; ``None`` leaves the example out."""
    names = CLASS_NAMES_OF_MAP[classes]
    if classes == "stars":
        return names[rating - 1]
    if classes == "polarity" and rating == 3:
        return None
    return names[int(rating > 3)]


def find_classes(labels: Mapping[str, int], config: DataConfig, known_names: Sequence[str] = ()) -> Classes:
    """The classes of a source.

    Args:
      labels: All labels, after ``config.data.label_map``, with the number of examples of each.
      config: The source's config.
      known_names: The names that the source itself gives to the labels, in their order.

    Raises:
      UserError: The classes are ambiguous, or the labels are none.
    """
    if config.label_map:
        found = tuple(dict.fromkeys(name for name in parse_label_map(config.label_map).values() if name))
    else:
        found = tuple(sorted(labels, key=_order(labels)))
        _check_similar(found)
    names = _named(found, tuple(config.class_names), tuple(known_names))
    if len(found) > max(sum(labels.values()) / 2, 20) and not (config.class_names or known_names):
        raise UserError(
            f"{sum(labels.values())} examples have {len(found)} different labels, such as {found[0]!r} and "
            f"{found[-1]!r}; name the column of the classes with --config.data.label_column"
        )
    given = next((each for each in (found, tuple(known_names)) if set(each) == set(names)), names)
    return Classes(names, tuple(found[given.index(name)] for name in names))


def _order(labels: Iterable[str]) -> Any:
    return int if all(_INTEGER.fullmatch(label) for label in labels) else None


def _named(found: tuple[str, ...], asked: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    integers = _order(found) is int
    counted = [tuple(map(str, range(first, first + len(found)))) for first in (0, 1)]
    if not asked:
        return known if found in counted and len(known) == len(found) else found
    if integers and set(asked) == set(found) and asked != found:
        raise UserError(
            f"config.data.class_names is {asked}, which are the labels themselves in another order; give names to them "
            "with --config.data.label_map=LABEL=NAME,…"
        )
    if set(asked) == set(found) or (integers and len(asked) == len(found)):
        return asked
    listed = ", ".join(map(repr, found[:20])) + (", …" if len(found) > 20 else "")
    raise UserError(
        f"config.data.class_names has {len(asked)} names, and the {len(found)} labels are {listed}; name integer "
        "labels in their order, put other labels in the order you want, or rename them with "
        "--config.data.label_map=LABEL=NAME,…"
    )


def _check_similar(labels: Iterable[str]) -> None:
    """Raises an error if two labels look alike, since they may or may not be one class.

    Labels look alike if they differ in case, in spaces, in how Unicode writes a character, or in how a number is
    written. A mark of a missing value among numbers is an error too.
    """
    seen: dict[str, str] = {}
    labels = list(labels)
    for label in labels:
        if label.strip().casefold() in _MISSING and all(_INTEGER.fullmatch(each) for each in labels if each != label):
            raise UserError(
                f"the label {label!r} stands among numbers and may mean that there is none; say what it is with "
                f"--config.data.label_map={label}=NAME,… or leave it out with {label}=, with an entry for every label"
            )
        plain = _plain(label)
        if plain in seen:
            a, b = seen[plain], label
            raise UserError(
                f"the labels {a!r} and {b!r} may be one class, since they differ in spelling alone; say whether they "
                f"are, such as --config.data.label_map='{a}={a.strip()},{b}={a.strip()},…', with an entry for "
                "every label"
            )
        seen[plain] = label


def _plain(label: str) -> str:
    """What labels that look alike have in common: equal numbers, or equal letters without case and invisible signs."""
    visible = "".join(sign for sign in unicodedata.normalize("NFKC", label) if unicodedata.category(sign) != "Cf")
    plain = " ".join(visible.split()).casefold()
    try:
        number = Decimal({"true": "1", "false": "0"}.get(plain, plain))
    except InvalidOperation:
        return plain
    return str(number.normalize()) if number.is_finite() else plain


def numbers_in_run(labels: Iterable[str], classes: Classes, numbered: Sequence[str] = ()) -> dict[str, int]:
    """The class numbers that the labels of a source have in a trained run.

    Args:
      labels: The labels of the source.
      classes: The classes of the run. A label may be one of the run's labels, or the name of a class.
      numbered: The names that the source gives to the labels 0, 1, … If the run has such classes, names decide.

    Raises:
      UserError: The run does not know a label.
    """
    names = {name: number for number, name in enumerate(classes.names)}
    if set(numbered) & set(names):
        spelled = {str(n): name for n, name in enumerate(numbered)}
        found = {label: names[name] for label, name in spelled.items() if name in names}
    else:
        spelled = {}
        found = names | {label: number for number, label in enumerate(classes.labels)}  # A label counts before a name.
    for label in sorted(set(labels) - set(found)):
        unknown = spelled.get(label, label)
        hint = nearest(unknown, classes.names)
        raise UserError(
            f"the source has the label {unknown!r}, which the run was not trained on; {hint}. "
            "Rename it with --config.data.label_map, or leave it out with --config.data.label_map=LABEL=,…"
        )
    return found
