"""Which fields define a run, which of them are traced, and access to fields by their dotted paths."""

import json
from typing import Any

from lstm_jax.config.fields import Config
from lstm_jax.config.tree import Group, Numbers, leaves, names, unknown_field_message, update_from_json
from lstm_jax.errors import ConfigError
from lstm_jax.registry import OBJECTIVES, OPTIMIZERS


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


def differences(theirs: Config, ours: Config, without: tuple[str, ...] = ()) -> list[tuple[str, Any, Any]]:
    """The defining fields that differ, as ``(path, their value, our value)``; ``None`` stands for a missing field."""
    one, other = definition(theirs, without), definition(ours, without)
    paths = dict.fromkeys([*one, *other])
    return [(path, one.get(path), other.get(path)) for path in paths if one.get(path) != other.get(path)]


def hparams(config: Config) -> dict[str, float]:
    """The traced hyper-parameters by dotted path, such as ``optimizer.learning_rate`` or ``optimizer.hparams.b1``.

    All hyper-parameters of the optimizer and of the objectives are included; those that the config does not set have
    their default values.
    """
    found = {path: float(value) for path, own, value in leaves(config) if own.metadata["kind"] == "traced"}
    found |= {f"optimizer.hparams.{name}": value for name, value in optimizer_hparams(config).items()}
    for name, given in config.objectives.items():
        for own, default in OBJECTIVES[name].hparams.items():
            found[f"objectives.{name}.{own}"] = float(given.get(own, default))
    return found


def optimizer_hparams(config: Config) -> dict[str, float]:
    """Hyper-parameters of the config's optimizer by name; those that the config does not set have their defaults."""
    values = {"weight_decay": 0.0, **OPTIMIZERS[config.optimizer.name].hparams, **config.optimizer.hparams}
    return {name: float(value) for name, value in values.items()}


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

    Raises:
      ConfigError: It does not. The message names the wrong part and the existing fields.
    """
    owner: Any = Config()
    parts = path.split(".")
    for n, name in enumerate(parts[1:], start=1):
        if isinstance(owner, Numbers):
            return
        if not isinstance(owner, Group):
            raise ConfigError(f"{'.'.join(parts[:n])} is a value and has no field {name!r}")
        if name not in names(owner):
            raise ConfigError(unknown_field_message(".".join(parts[:n]), name, owner))
        owner = getattr(owner, name)


def set_field(config: Config, path: str, value: Any) -> None:
    """Sets the field at a dotted path, such as ``model.hidden_size``, in a config that is not frozen yet."""
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


def from_json(text: str) -> Config:
    """The config that ``to_json`` wrote, not yet validated.

    Raises:
      ConfigError: A field is unknown or misplaced; the message names it.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ConfigError(f"a config is a JSON object, not {values!r}")
    return update_from_json(Config(), values, "config")


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
