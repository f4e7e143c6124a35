"""Trees of typed dataclasses whose fields declare their allowed values."""

import copy
import dataclasses
import difflib
import json
import math
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Literal

from lstm_jax.errors import ConfigError
from lstm_jax.registry import Registry

# How a field takes part in a run. A ``traced`` field is a leaf of the training state, so lanes of one program may
# differ in it. A ``static`` field shapes the program or the data. An ``incidental`` field says where files are, how
# often a run logs or how many devices it uses; a later command on the run may change it.
Kind = Literal["traced", "static", "incidental"]


def field(
    default: Any,
    text: str,
    *,
    kind: Kind = "static",
    choices: Sequence[str | Registry[Any]] = (),
    low: float = 0,
    high: float = math.inf,
    off: float | None = None,
    example: Mapping[str, Any] | None = None,
) -> Any:
    """A field of a config.

    Args:
      default: The default value.
      text: What the field does, for ``--help`` and docs/configuration.md.
      kind: How the field takes part in a run.
      choices: Allowed strings, and registries whose names are allowed. If empty, every string is allowed.
      low: Smallest allowed number.
      high: Largest allowed number.
      off: Value at which a traced field leaves its part out of the program. Lanes may differ in such a field only if
        none of them has this value.
      example: An entry, if the field is a mapping. It shows how many names stand above a number.
    """
    metadata = {"text": text, "kind": kind, "choices": tuple(choices), "low": low, "high": high, "off": off}
    metadata["example"] = example
    if isinstance(default, Numbers):
        return dataclasses.field(default_factory=lambda: copy.deepcopy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def group(kind: type, text: str = "") -> Any:
    """A field that is itself a group of fields."""
    return dataclasses.field(default_factory=kind, metadata={"text": text})


class Numbers(MutableMapping[str, Any]):
    """A mapping from names to numbers or to further such mappings, such as ``optimizer.hparams``."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = {}
        self._frozen = False
        self.update(values or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._refuse_if_frozen(name)
        self._values[name] = Numbers(value) if isinstance(value, Mapping) else value

    def __delitem__(self, name: str) -> None:
        self._refuse_if_frozen(name)
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def freeze(self) -> None:
        """Forbids later changes."""
        self._frozen = True
        for value in self._values.values():
            if isinstance(value, Numbers):
                value.freeze()

    def _refuse_if_frozen(self, name: str) -> None:
        if self._frozen:
            raise dataclasses.FrozenInstanceError(f"the config is frozen; {name} cannot be changed")


class Group:
    """A dataclass of fields and further groups that is frozen once it is validated."""

    def __setattr__(self, name: str, value: Any) -> None:
        if getattr(self, "_frozen", False):
            raise dataclasses.FrozenInstanceError(f"the config is frozen; {name} cannot be set to {value!r}")
        fields = self.__dataclass_fields__  # type: ignore[attr-defined]
        if name not in fields:
            raise ConfigError(unknown_field_message(type(self).__name__, name, self))
        super().__setattr__(name, Numbers(value) if isinstance(value, Mapping) else value)


def names(group: Any) -> list[str]:
    """Names of a group's own fields."""
    return [each.name for each in dataclasses.fields(group)]


def field_of(group: Any, name: str) -> dataclasses.Field:
    """A group's own field of a name."""
    return {each.name: each for each in dataclasses.fields(group)}[name]


def unknown_field_message(where: str, name: str, group: Any) -> str:
    """The error message about a field that a group does not have, with its new or most similar name."""
    if name in RENAMED:
        return f"{where} has no field {name!r}; it is called {RENAMED[name]!r} now"
    elsewhere = [path for path, *_ in leaves(group) if path.endswith(f".{name}")]
    close = elsewhere[:1] or difflib.get_close_matches(name, names(group), 1)
    hint = f"did you mean {close[0]!r}? It" if close else "it"
    return f"{where} has no field {name!r}; {hint} has {', '.join(names(group))}"


# Fields of version 0.1.0 that were renamed, for the error message.
RENAMED = {
    "alpha": "optimizer.hparams.alpha",
    "b1": "optimizer.hparams.b1",
    "b2": "optimizer.hparams.b2",
    "b3": "optimizer.hparams.b3",
    "cell": "model.layer",
    "cut": "data.tokens.truncation",
    "drop_unknown": "data.tokens.remove_unknown",
    "embedding_rate": "optimizer.embedding_lr_scale",
    "eps": "optimizer.hparams.eps",
    "gamma": "optimizer.hparams.gamma",
    "momentum": "optimizer.hparams.momentum",
    "pad_front": "data.tokens.pad_left",
    "published": "reference_accuracy",
    "start_from": "model.init_from",
    "weight_decay": "optimizer.hparams.weight_decay",
}


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Yields the dotted path, field and value of everything that is neither a group nor a mapping."""
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if isinstance(value, Group):
            yield from leaves(value, f"{prefix}{each.name}.")
        elif isinstance(value, Numbers):
            yield from _numbers(value, each, f"{prefix}{each.name}.")
        else:
            yield f"{prefix}{each.name}", each, value


def _numbers(values: Numbers, own: dataclasses.Field, prefix: str) -> Iterator[tuple[str, dataclasses.Field, Any]]:
    for name, value in values.items():
        if isinstance(value, Numbers):
            yield from _numbers(value, own, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", own, value


def options(own: dataclasses.Field) -> list[str]:
    """The strings that a field with choices may hold."""
    found: list[str] = []
    for choice in own.metadata["choices"]:
        found += [choice] if isinstance(choice, str) else list(choice)
    return found


def check_form(group: Group, path: str = "config") -> None:
    """Checks that groups, mappings and values are where a config has them.

    Raises:
      ConfigError: One of them is not. The message names it and shows the form that it must have.
    """
    for own in dataclasses.fields(group):  # type: ignore[arg-type]
        where, value = f"{path}.{own.name}", getattr(group, own.name)
        if isinstance(own.type, type) and issubclass(own.type, Group):
            if not isinstance(value, own.type):
                raise ConfigError(f"{where} is {value!r}; it must be a group of fields, {own.type.__name__}")
            check_form(value, where)
        else:
            _check_mapping(where, value, own.metadata["example"])


def _check_mapping(where: str, value: Any, example: Any) -> None:
    if isinstance(value, Numbers) != isinstance(example, Mapping):
        wanted = f"a mapping, such as {example}" if isinstance(example, Mapping) else "a value, not a mapping"
        raise ConfigError(f"{where} is {value!r}; it must be {wanted}")
    if isinstance(value, Numbers):
        (inner,) = example.values()
        for name, each in value.items():
            _check_mapping(f"{where}.{name}", each, inner)


def freeze(group: Group) -> None:
    """Forbids later changes of a group and of the groups inside it."""
    for name in names(group):
        value = getattr(group, name)
        if isinstance(value, Group):
            freeze(value)
        elif isinstance(value, Numbers):
            value.freeze()
    object.__setattr__(group, "_frozen", True)


def unfrozen(value: Any) -> Any:
    """A copy of a tree that may be changed, whether the tree itself is frozen or not."""
    if isinstance(value, Group):
        return type(value)(**{name: unfrozen(getattr(value, name)) for name in names(value)})
    return Numbers({name: unfrozen(each) for name, each in value.items()}) if isinstance(value, Numbers) else value


def to_json(config: Any) -> str:
    """A tree as JSON text, equal for equal trees."""
    return json.dumps(_plain(config), indent=2) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Group):
        return {name: _plain(getattr(value, name)) for name in names(value)}
    return {name: _plain(each) for name, each in value.items()} if isinstance(value, Numbers) else value


def update_from_json(group: Any, values: dict[str, Any], path: str) -> Any:
    """Sets the fields of a group from parsed JSON and returns the group.

    Raises:
      ConfigError: A field is unknown or misplaced; the message names it.
    """
    for name, value in values.items():
        if name not in names(group):
            raise ConfigError(unknown_field_message(path, name, group))
        current = getattr(group, name)
        if isinstance(current, Group) and isinstance(value, dict):
            update_from_json(current, value, f"{path}.{name}")
        else:
            setattr(group, name, tuple(value) if isinstance(value, list) else value)
    return group
