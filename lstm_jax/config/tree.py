"""What every tree of dataclasses can do: refuse unknown fields, be walked, frozen, and written as JSON."""

import dataclasses
import difflib
import json
from collections.abc import Iterator
from typing import Any

from lstm_jax.errors import ConfigError


class Group:
    """A dataclass of fields and further groups that can be frozen once it is validated."""

    def __setattr__(self, name: str, value: Any) -> None:
        if getattr(self, "_frozen", False):
            raise dataclasses.FrozenInstanceError(f"the config is frozen; {name} cannot be set to {value!r}")
        if name not in self.__dataclass_fields__:  # type: ignore[attr-defined]
            raise ConfigError(no_field(type(self).__name__, name, self))
        super().__setattr__(name, value)


def names(group: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(group)]


def no_field(where: str, name: str, group: Any) -> str:
    close = difflib.get_close_matches(name, names(group), 1)
    hint = f"did you mean {close[0]!r}? It" if close else "it"
    return f"{where} has no field {name!r}; {hint} has {', '.join(names(group))}"


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Every field that is not a group: its dotted path, the field, its value."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, Group):
            yield from leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field, value


def freeze(group: Group) -> None:
    for name in names(group):
        if isinstance(getattr(group, name), Group):
            freeze(getattr(group, name))
    object.__setattr__(group, "_frozen", True)


def to_json(config: Any) -> str:
    """A tree as JSON text, equal for equal trees."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def fill(group: Any, values: dict[str, Any], path: str) -> Any:
    """Sets the fields that JSON text gave.

    Raises:
      ConfigError: names an unknown or misplaced field.
    """
    for name, value in values.items():
        if name not in names(group):
            raise ConfigError(no_field(path, name, group))
        current = getattr(group, name)
        if isinstance(current, Group):
            if not isinstance(value, dict):
                raise ConfigError(f"{path}.{name} is {value!r}; it must be a group of fields")
            fill(current, value, f"{path}.{name}")
        else:
            setattr(group, name, tuple(value) if isinstance(value, list) else value)
    return group
