"""User code: config files and plugins that register it, which later commands load again."""

import hashlib
import importlib
import importlib.util
import linecache
import sys
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from lstm_jax.config.tree import leaves
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.registry import OBJECTIVES, Registry, executing, incomplete

TRAINING_ONLY = ("optimizer.", "objectives.", "train.tracker")  # Fields that an evaluation does not need.
_loaded: dict[str, tuple[str, ModuleType]] = {}  # Executed files by path, each with the digest of its content.


class UserFile(NamedTuple):
    """A file with user code that a run uses.

    Attributes:
      path: The path of the file.
      plugin: What later commands load to register the code, in the form of ``config.plugins``. It is the file itself,
        or a file or module that imports it.
      entries: The registered names that the config uses, each after its kind, such as ``cell mgu``.
      digests: Digests of the file's contents with which the run was trained, the first one first.
    """

    path: str
    plugin: str
    entries: Sequence[str]
    digests: Sequence[str]


def load_plugins(plugins: str | Iterable[str]) -> tuple[str, ...]:
    """Imports modules and Python files that register user code.

    Args:
      plugins: Names of modules and paths of files. One string may hold several, with commas between them.

    Returns:
      The names of the modules and the absolute paths of the files.

    Raises:
      ConfigError: A module or a file does not exist.
    """
    separate = _separate(plugins)
    for plugin in separate:
        if plugin.endswith(".py"):
            load_file(Path(plugin))
            continue
        with executing(plugin):  # Looking for a module of a package executes the package.
            if not _exists(plugin):
                raise ConfigError(
                    f"the plugin {plugin!r} is neither a module nor a .py file; correct it, or add the module's folder "
                    "to PYTHONPATH"
                )
            importlib.import_module(plugin)
    return separate


def _separate(plugins: str | Iterable[str]) -> tuple[str, ...]:
    """The names of modules and the absolute paths of files, one in each string."""
    plugins = [plugins] if isinstance(plugins, str) else plugins
    parts = [part for each in plugins for part in ([each] if Path(each).is_file() else each.split(",")) if part]
    return tuple(dict.fromkeys(map(_resolved, parts)))


def load_file(path: Path) -> ModuleType:
    """Executes a Python file as a module, once per process unless it has changed or lost a registered name.

    Raises:
      ConfigError: There is no such file.
    """
    name = str(path.resolve())
    if not path.is_file():
        raise ConfigError(f"{path} does not exist; give the path of a Python file, or restore it")
    digest = _digest(name)
    if name not in _loaded or _loaded[name][0] != digest or name in incomplete:
        spec = importlib.util.spec_from_file_location(f"{path.stem}_{digest}", name)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # Dataclasses and pickled functions look their module up there.
        linecache.checkcache(name)  # The identity of code is read from these lines.
        with executing(name):
            spec.loader.exec_module(module)
        _loaded[name] = digest, module
        incomplete.discard(name)
    return _loaded[name][1]


def own_entries(config: Any) -> list[tuple[Registry[Any], str]]:
    """The registries and names of the user's own code that a config uses."""
    return [(registry, name) for registry, name in _named(config) if registry.file_of(name)]


def user_files(config: Any) -> list[UserFile]:
    """The files of the config's plugins and of the registered names that it uses, if a later command can load them."""
    found: dict[tuple[str, str], list[str]] = {(_path(plugin), plugin): [] for plugin in config.plugins}
    for registry, name in own_entries(config):
        if plugin := _plugin(config, registry, name):
            place = _resolved(registry.file_of(name)), plugin
            found.setdefault(place, []).append(_entry(registry, name))
    return [
        UserFile(path, plugin, entries, [_digest(path)])
        for (path, plugin), entries in found.items()
        if Path(path).is_file()
    ]


def lost_entries(config: Any) -> list[str]:
    """The user's own entries that a config uses and no later command can load, each with the file that holds it."""
    return [
        f"{_entry(registry, name)} ({registry.file_of(name)})"
        for registry, name in own_entries(config)
        if not _plugin(config, registry, name)
    ]


def load_recorded(
    config: Any, recorded: Sequence[UserFile], named: str | Iterable[str] = (), trusted: Container[str] = ()
) -> tuple[str, ...]:
    """Loads the code that an evaluation of a run needs.

    The code of optimizers, and of objectives without parameters, may be missing.

    Args:
      config: The run's config. The plugins that it names, and those of ``recorded``, are the run's own.
      recorded: What ``user_files`` returned when the run was trained.
      named: Plugins that the command itself names. They are loaded first. What is registered already, by them or by
        other files, replaces the run's own.
      trusted: The run's own plugins that may be executed. Those that this process has loaded already may be used too.

    Returns:
      The named plugins and the config's, without those that are missing and not needed.

    Raises:
      ConfigError: A module or a file that is needed does not exist.
      UserError: Code that is needed is not trusted.
    """
    given = load_plugins(named)
    asked = [plugin for plugin in _separate(config.plugins) if plugin not in given]
    entries: dict[str, set[str]] = {plugin: set() for plugin in asked}
    for each in recorded:
        if each.plugin not in given:
            entries.setdefault(each.plugin, set()).update(each.entries)
    registered = {_entry(registry, name): registry.plugin_of(name) for registry, name in own_entries(config)}
    needed = {_entry(registry, name) for registry, name in _named(config, trains=False)}
    loaded: list[str] = []
    refused: list[str] = []
    for plugin, names in entries.items():
        elsewhere = {name for name in names if registered.get(name, plugin) != plugin}
        if not names - elsewhere and (names or plugin not in asked):
            continue
        needs = not names or bool(names & needed)
        gone = plugin.endswith(".py") and not Path(plugin).is_file()
        if not (gone or plugin in trusted or _is_loaded(plugin)):  # Looking for a module may execute its package.
            refused += [plugin] if needs else []
        elif not gone and _exists(plugin):
            loaded += load_plugins([plugin])
        elif needs:
            raise ConfigError(_missing_message(plugin, names, recorded))
    if refused:
        raise UserError(_untrusted_message(refused, recorded))
    return given + tuple(plugin for plugin in loaded if plugin in asked)


def changed_files(config: Any, recorded: Sequence[UserFile]) -> list[str]:
    """The loaded files whose content differs from any with which the run was trained.

    A file is compared with the recorded one of the same path, or with the one that registered the same name.
    """
    return [
        new.path
        for new in user_files(config)
        if any(len({*old.digests, *new.digests}) > 1 for old in recorded if _are_versions(old, new))
    ]


def merged(recorded: Sequence[UserFile], now: Sequence[UserFile]) -> list[UserFile]:
    """The files of a resumed run, each with the digests of all contents that the run was trained with."""
    found = [old for old in recorded if not any(_are_versions(old, new) for new in now)]
    for new in now:
        before = [digest for old in recorded if _are_versions(old, new) for digest in old.digests]
        found.append(new._replace(digests=list(dict.fromkeys([*before, *new.digests]))))
    return found


def _missing_message(plugin: str, names: set[str], recorded: Sequence[UserFile]) -> str:
    if plugin.endswith(".py"):
        what, remedy = plugin, "restore it, or give its new path by --config.plugins"
    else:
        what = f"the module {plugin} ({next(each.path for each in recorded if each.plugin == plugin)})"
        remedy = "add the folder of its package to PYTHONPATH, or give its new name by --config.plugins"
    role = f"registers the {' and the '.join(sorted(names))}" if names else "is one of its plugins"
    return f"the run needs {what}, which {role}, but it cannot be found; {remedy}"


def _untrusted_message(plugins: Sequence[str], recorded: Sequence[UserFile]) -> str:
    places = {each.plugin: f"the module {each.plugin} ({each.path})" for each in recorded}
    named = [plugin if plugin.endswith(".py") else places.get(plugin, f"the module {plugin}") for plugin in plugins]
    return (
        f"the run would execute {' and '.join(named)}, but you have not trained it with that code in this folder: it "
        "was downloaded, moved or copied, or the cache was deleted. Read that code first. Then allow it by "
        "--trust_code, or trust_code=True of lstm_jax.load, or name it yourself by --config.plugins"
    )


def _is_loaded(plugin: str) -> bool:
    """Whether loading a plugin would execute nothing new."""
    if not plugin.endswith(".py"):
        return plugin in sys.modules
    path = _resolved(plugin)
    return path in _loaded and path not in incomplete and _loaded[path][0] == _digest(path)


def _are_versions(old: UserFile, new: UserFile) -> bool:
    return old.path == new.path or bool({*old.entries} & {*new.entries})


def _named(config: Any, trains: bool = True) -> list[tuple[Registry[Any], str]]:
    """The registries and names of what a config asks for by name, without ``trains`` only what an evaluation needs."""
    found = [
        (choices, value)
        for path, own, value in leaves(config)
        for choices in own.metadata["choices"]
        if isinstance(choices, Registry) and (trains or not path.startswith(TRAINING_ONLY))
    ]
    return found + [(OBJECTIVES, name) for name in config.objectives if trains]


def _entry(registry: Registry[Any], name: str) -> str:
    return f"{registry.kind} {name}"


def _plugin(config: Any, registry: Registry[Any], name: str) -> str:
    """What registers a name when it is loaded: a file, or a module, which may have been imported before."""
    modules = [each for each in config.plugins if _path(each) == _resolved(registry.file_of(name))]
    return registry.plugin_of(name) or next(iter(modules), "")


def _exists(plugin: str) -> bool:
    if plugin.endswith(".py"):
        return Path(plugin).is_file()
    if not all(part.isidentifier() for part in plugin.split(".")):
        return False
    try:
        return importlib.util.find_spec(plugin) is not None
    except ModuleNotFoundError as error:
        if f"{plugin}.".startswith(f"{error.name}."):
            return False
        raise  # The plugin exists, but something that its package imports does not.


def _resolved(plugin: str) -> str:
    return str(Path(plugin).resolve()) if plugin.endswith(".py") else plugin


def _path(plugin: str) -> str:
    """The file of a loaded plugin."""
    return _resolved(plugin if plugin.endswith(".py") else str(getattr(sys.modules.get(plugin), "__file__", "")))


def _digest(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
