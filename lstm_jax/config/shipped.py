"""Config files, found by their path, or by their name if they come with the package."""

import inspect
import re
from pathlib import Path
from typing import Any

from lstm_jax.config.plugins import load_file
from lstm_jax.errors import ConfigError
from lstm_jax.registry import CONFIGS, nearest

_PATH = re.compile(r"(.*?\.py)(?::(.*))?", re.DOTALL)  # A path, and the argument after a colon.


def config_names() -> list[str]:
    """The names of the configs that come with the package: ``imdb`` and others, then ``studies/imdb`` and others."""
    folder = CONFIGS.resolve()
    files = [file for file in folder.rglob("*.py") if "\ndef get_config(" in file.read_text(encoding="utf-8")]
    found = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
    return sorted(found, key=lambda name: ("/" in name, name))


def load_config_file(asked: str) -> Any:
    """Loads a config file and returns the result of its ``get_config``.

    Args:
      asked: The path of a Python file, or the name of a config that comes with the package. It may be followed by a
        colon and the argument of ``get_config``. A file that exists takes precedence over a name.

    Raises:
      ConfigError: There is no such file or name, or no ``get_config`` that takes the argument.
    """
    path, argument = _found(asked)
    get_config = getattr(load_file(path), "get_config", None)
    if get_config is None:
        raise ConfigError(f"{path} has no function get_config(); a config file must define one")
    given = () if argument is None else (argument,)
    try:
        inspect.signature(get_config).bind(*given)
    except TypeError:
        remedy = f"takes no argument; leave out ':{argument}'" if given else "needs an argument; give it after a colon"
        raise ConfigError(f"get_config() of {path} {remedy}") from None
    return get_config(*given)


def _found(asked: str) -> tuple[Path, str | None]:
    """The file, and the argument if there is a colon."""
    match = _PATH.fullmatch(asked)
    if match and Path(match[1]).is_file():
        return Path(match[1]), match[2]
    name, colon, argument = asked.partition(":")
    if name in config_names():
        return CONFIGS.resolve() / f"{name}.py", argument if colon else None
    if not match:
        raise ConfigError(_unknown_name(name))
    parts = f"/{Path(match[1]).with_suffix('').as_posix()}"
    if alike := [each for each in config_names() if parts.endswith(f"/{each}")]:
        ours = max(alike, key=len)
        raise ConfigError(f"{match[1]} does not exist; the config that comes with lstm_jax is --config={ours}")
    return Path(match[1]), match[2]  # Loading it reports that it does not exist.


def _unknown_name(name: str) -> str:
    if Path(f"{name}.py").is_file():
        return f"there is no config {name!r}; the file of that name is --config={name}.py"
    known = config_names()
    alike = [each for each in known if each.rpartition("/")[2] == name]  # A study without its folder.
    likely = f"did you mean {alike[0]!r}? There are {', '.join(map(repr, known))}" if alike else nearest(name, known)
    return f"there is no config {name!r}; {likely}; a file of your own ends in .py, as in --config=mine.py"
