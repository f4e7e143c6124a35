"""Which fields define a run, which of them are traced, and access to fields by their dotted paths."""

import json
import keyword
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from lstm_jax.config.fields import Config
from lstm_jax.config.tree import (
    Group,
    Numbers,
    check_form,
    field_of,
    leaves,
    names,
    unfrozen,
    unknown_field_message,
    update_from_json,
)
from lstm_jax.errors import ConfigError
from lstm_jax.registry import CELLS, LAYERS, OBJECTIVES, OPTIMIZERS, layer_options


def definition(config: Config, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that define a run, by dotted path: all but incidental ones. No other function decides this.

    Args:
      config: The run's config.
      without: Paths of fields and groups to leave out, such as ``("seed", "data")``.
    """
    return {
        path: value
        for path, own, value in leaves(config)
        if own.metadata["kind"] != "incidental" and not any(f"{path}.".startswith(f"{each}.") for each in without)
    }


def canonical(config: Config, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """``definition``, equal for configs that say the same in different words.

    An int in a field of floats is a float. Hyper-parameters that have their default values, and objectives of weight 0,
    are left out.
    """
    kept, defaults = definition(config, without), _defaults(config)
    floats = {path for path, own, _ in leaves(config) if own.type in (float, Numbers)}
    return {
        path: float(value) if path in floats else value
        for path, value in kept.items()
        if not path.startswith(_left_out(config)) and (path not in defaults or defaults[path] != value)
    }


def differences(theirs: Config, ours: Config, without: tuple[str, ...] = ()) -> list[tuple[str, Any, Any]]:
    """The defining fields that differ, as ``(path, their value, our value)``; ``None`` stands for a missing field.

    Hyper-parameters that a config does not set have their default values; an objective that it leaves out has weight 0.
    """
    set_there, set_here = (
        {path: value for path, value in definition(each, without).items() if not path.startswith(_left_out(each))}
        for each in (theirs, ours)
    )
    there, here = {**_defaults(theirs), **set_there}, {**_defaults(ours), **set_here}
    paths = dict.fromkeys([*set_there, *set_here])
    return [(path, there.get(path), here.get(path)) for path in paths if there.get(path) != here.get(path)]


def _defaults(config: Config) -> dict[str, float]:
    """Default values of what the config's optimizer and layer take, if they are known, and of all objectives."""
    known = default_hparams(config.optimizer.name) if config.optimizer.name in OPTIMIZERS else {}
    found = {f"optimizer.hparams.{name}": value for name, value in known.items()}
    if config.model.layer in LAYERS or config.model.layer in CELLS:
        options = layer_options(config.model.layer)
        found |= {f"model.layer_options.{name}": float(value) for name, value in options.items()}
    for name, objective in OBJECTIVES.items():
        found |= {f"objectives.{name}.{own}": value for own, value in {**objective.hparams, "weight": 0.0}.items()}
    return found


def _left_out(config: Config) -> tuple[str, ...]:
    """The beginnings of the paths of objectives with weight 0."""
    return tuple(f"objectives.{name}." for name, given in config.objectives.items() if not given.get("weight"))


def hparams(config: Config) -> dict[str, float]:
    """The traced hyper-parameters by dotted path, such as ``optimizer.learning_rate`` or ``optimizer.hparams.b1``.

    All hyper-parameters of the optimizer and of the objectives are included; those that the config does not set have
    their default values. Objectives with weight 0 are left out.
    """
    traced = {path: value for path, own, value in leaves(config) if own.metadata["kind"] == "traced"}
    found = {path: float(value) for path, value in traced.items() if not path.startswith(_left_out(config))}
    found |= {f"optimizer.hparams.{name}": value for name, value in optimizer_hparams(config).items()}
    for name, given in config.objectives.items():
        for own, default in OBJECTIVES[name].hparams.items():
            if given.get("weight"):
                found[f"objectives.{name}.{own}"] = float(given.get(own, default))
    return found


def optimizer_hparams(config: Config) -> dict[str, float]:
    """Hyper-parameters of the config's optimizer by name; those that the config does not set have their defaults."""
    values = {**default_hparams(config.optimizer.name), **config.optimizer.hparams}
    return {name: float(value) for name, value in values.items()}


def default_hparams(optimizer: str) -> dict[str, float]:
    """Default hyper-parameters of an optimizer by name, including ``weight_decay``, which every optimizer has."""
    return {"weight_decay": 0.0, **OPTIMIZERS[optimizer].hparams}


def is_off(config: Config, path: str, value: float) -> bool:
    """Whether a traced field with this value leaves its part out of the program."""
    if path == "optimizer.hparams.weight_decay":
        return value == 0 and "weight_decay" not in OPTIMIZERS[config.optimizer.name].hparams
    if path.startswith("objectives.") and path.endswith(".weight"):
        return value == 0
    off = {known: own.metadata["off"] for known, own, _ in leaves(config)}.get(path)
    return off is not None and value == off


def epoch_name(config: Config, epoch: int) -> str:
    """The name under which the weights of an epoch are kept, by the template ``train.keep_epochs``."""
    return config.train.keep_epochs.format(
        epoch=epoch,
        seed=config.seed,
        layer=config.model.layer,
        hidden_size=config.model.hidden_size,
        learning_rate=f"{config.optimizer.learning_rate:g}",
    )


def check_path(path: str) -> None:
    """Checks that a dotted path, such as ``config.model.layer``, names a field of a config.

    Args:
      path: The path, beginning with ``config``.

    Raises:
      ConfigError: It does not. The message names the wrong part and the existing fields.
    """
    owner: Any = Config()
    parts = path.split(".")
    for n, name in enumerate(parts[1:], start=1):
        if isinstance(owner, Mapping):
            if not name.isidentifier() or keyword.iskeyword(name):
                raise ConfigError(f"{'.'.join(parts[:n])} has the name {name!r}; a name must be a Python identifier")
            (owner,) = owner.values()  # The example shows what any name stands for.
            continue
        if not isinstance(owner, Group):
            raise ConfigError(f"{'.'.join(parts[:n])} is a value and has no field {name!r}")
        if name not in names(owner):
            raise ConfigError(unknown_field_message(".".join(parts[:n]), name, owner))
        owner = field_of(owner, name).metadata.get("example") or getattr(owner, name)
    if isinstance(owner, Group):
        raise ConfigError(f"{path} is a group of fields; set one of them: {', '.join(names(owner))}")
    if isinstance(owner, Mapping):
        wanted = path
        while isinstance(owner, Mapping):
            ((name, owner),) = owner.items()
            wanted += f".{name}"
        raise ConfigError(f"{path} is a mapping; set one of its numbers, such as {wanted}={owner}")


def set_field(config: Config, path: str, value: Any) -> None:
    """Sets the field at a dotted path, such as ``model.hidden_size``, in a config that is not frozen yet.

    Raises:
      ConfigError: The config has a group, a mapping or a value where it must have another of them.
    """
    check_form(config)
    *groups, name = path.split(".")
    owner: Any = config
    for each in groups:
        if isinstance(owner, Numbers):
            owner.setdefault(each, Numbers())
        owner = owner[each] if isinstance(owner, Numbers) else getattr(owner, each)
    if isinstance(owner, Numbers):
        owner[name] = value
    else:
        setattr(owner, name, value)


def with_fields(config: Config, changes: Mapping[str, Any]) -> Config:
    """A copy of a config with other values of some fields, not yet validated.

    Args:
      config: The config, which stays as it is.
      changes: New values by dotted path, such as ``model.hidden_size``. Where a path holds no dot, ``__`` stands for
        one, so that it can be a Python keyword: ``model__hidden_size``.

    Raises:
      ConfigError: A path names no field, or two paths name the same one.
    """
    changed, seen = unfrozen(config), set()
    for given, value in changes.items():
        path = given if "." in given else given.replace("__", ".")
        check_path(f"config.{path}")
        if path in seen:
            raise ConfigError(f"config.{path} is given twice; give one value")
        seen.add(path)
        if isinstance(value, list):
            value = tuple(value)
        set_field(changed, path, str(value) if isinstance(value, PurePath) else value)
    return changed


def from_json(text: str) -> Config:
    """The config that ``to_json`` wrote, not yet validated.

    Raises:
      ConfigError: A field is unknown or misplaced; the message names it.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ConfigError(f"a config is a JSON object, not {values!r}")
    data = values.get("data")
    if isinstance(data, dict) and "url" not in data and data.get("data_ratio") == 0:
        data["data_ratio"] = -1.0  # Files from before ``data.url`` have 0 for a ratio that is not used.
    config: Config = update_from_json(Config(), values, "config")
    check_form(config)
    return config


def variants(asked: str, *kinds: str, beside: tuple[str, ...] = ()) -> set[str]:
    """The variants in ``--config=FILE.py:VARIANTS``, separated by commas.

    Args:
      asked: The part after the colon.
      *kinds: Variants that exclude each other. The first is the default.
      beside: Variants that may be combined with any of those.

    Raises:
      ConfigError: A variant is unknown, or two exclude each other.
    """
    found = set(asked.split(","))
    for name in sorted(found - {*kinds, *beside}):
        raise ConfigError(f"the config has no variant {name!r}; it has {', '.join((*kinds, *beside))}")
    chosen = sorted(found & set(kinds))
    if len(chosen) > 1:
        raise ConfigError(f"the config's variants {' and '.join(chosen)} exclude each other; name one of them")
    return found if chosen else {kinds[0], *found}
