"""User code: config files and plugins that register it, which later commands load again."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from lstm_jax.config.tree import leaves
from lstm_jax.errors import ConfigError
from lstm_jax.registry import OBJECTIVES, Registry

# Files that may be executed again by a later command, because a command has loaded them as a config or a plugin.
_loaded: dict[str, ModuleType] = {}
_digests: dict[str, str] = {}


def load_plugins(plugins: Iterable[str]) -> None:
    """Imports modules and Python files that register user code.

    Raises:
      ConfigError: A module or a file does not exist.
    """
    for plugin in plugins:
        if plugin.endswith(".py"):
            load_file(Path(plugin))
            continue
        try:
            module = importlib.import_module(plugin)
        except ModuleNotFoundError as error:
            if error.name is None or not plugin.startswith(error.name):
                raise  # The plugin exists, but something that it imports does not.
            raise ConfigError(f"config.plugins names {plugin!r}, but there is no such module or .py file") from None
        _loaded[str(module.__file__)] = module


def load_file(path: Path) -> ModuleType:
    """Executes a Python file as a module, once per process unless its content has changed.

    Raises:
      ConfigError: There is no such file.
    """
    name = str(path.resolve())
    if not path.is_file():
        raise ConfigError(f"{path} does not exist; give the path of a Python file, or restore it")
    digest = _digest(name)
    if _digests.get(name) != digest:
        spec = importlib.util.spec_from_file_location(f"{path.stem}_{digest}", name)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # Dataclasses and pickled functions look their module up there.
        spec.loader.exec_module(module)
        _loaded[name], _digests[name] = module, digest
    return _loaded[name]


def user_files(config: object) -> dict[str, str]:
    """The files of the config's plugins and of the registered names that it uses, with digests of their content."""
    plugins: tuple[str, ...] = config.plugins  # type: ignore[attr-defined]
    files = [str(Path(each).resolve()) for each in plugins if each.endswith(".py")]
    files += [str(sys.modules[each].__file__) for each in plugins if not each.endswith(".py")]
    for _, own, value in leaves(config):
        registries = [each for each in own.metadata["choices"] if isinstance(each, Registry)]
        files += [each.file_of(value) for each in registries if each.file_of(value)]
    files += [file for name in config.objectives if (file := OBJECTIVES.file_of(name))]  # type: ignore[attr-defined]
    return {file: _digest(file) for file in dict.fromkeys(files) if file in _loaded}


def changed_files(own: Mapping[str, str]) -> list[str]:
    """Loads the files that ``user_files`` returned, and returns those whose content has changed since.

    Raises:
      ConfigError: A file no longer exists.
    """
    load_plugins(own)
    return [file for file, digest in own.items() if _digest(file) != digest]


def _digest(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
