"""Config files, found by their path, or by their name if they come with the package."""

from pathlib import Path
from typing import Any

from lstm_jax.config.plugins import load_file
from lstm_jax.errors import ConfigError
from lstm_jax.registry import nearest

CONFIGS = Path(__file__).parents[2] / "configs"


def load_config_file(asked: str) -> Any:
    """Loads a config file and returns the result of its ``get_config``.

    Args:
      asked: The path of a Python file, or the name of a config that comes with the package. It may be followed by a
        colon and the argument of ``get_config``.

    Raises:
      ConfigError: There is no such file or name, or no ``get_config`` in the file.
    """
    name, colon, argument = asked.partition(":")
    path = Path(name)
    if path.suffix != ".py":
        known = {
            file.relative_to(CONFIGS).with_suffix("").as_posix(): file for file in sorted(CONFIGS.rglob("[!_]*.py"))
        }
        if name not in known:
            raise ConfigError(f"there is no config {name!r}; {nearest(name, known)}; a file of your own ends in .py")
        path = known[name]
    get_config = getattr(load_file(path), "get_config", None)
    if get_config is None:
        raise ConfigError(f"{path} has no function get_config(); a config file must define one")
    return get_config(argument) if colon else get_config()
