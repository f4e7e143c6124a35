"""The registries: every name that a config may use for a piece of code, and the code behind it.

This module imports none of the packages, so ``lstm_jax.config`` can use it without importing data or models. Each
package fills its own registry when it is imported; a registry imports its package when it is first used.
"""

import contextlib
import difflib
import importlib
import inspect
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from lstm_jax.errors import ConfigError

_Entry = TypeVar("_Entry")

PACKAGE = Path(__file__).parent
CONFIGS = PACKAGE / "configs"  # In a clone this is a link to the folder beside the package.
PLUGIN_HINT = "if a file of yours registers it, name that file by --config.plugins, or by --plugins for a study"


class Execution(NamedTuple):
    """One execution of user code that later commands can repeat."""

    plugin: str  # The path of a Python file, or the name of a module.
    number: int  # Tells apart executions of the same plugin.


class Origin(NamedTuple):
    """Where an entry was registered."""

    file: str  # The file that called ``register``; empty if it belongs to the project.
    execution: Execution | None  # The execution during which it was called; ``None`` if there was none.


_executions: list[Execution] = []  # Those in progress, the innermost one last.
_numbers = itertools.count()
incomplete: set[str] = set()  # Files of which an entry was unregistered; loading them executes them again.


@contextlib.contextmanager
def executing(plugin: str) -> Iterator[None]:
    """A context in which a plugin is executed; what is registered in it is known to come from that plugin."""
    _executions.append(Execution(plugin, next(_numbers)))
    try:
        yield
    finally:
        _executions.pop()


class Registry(Generic[_Entry]):
    """Names and the code behind them, in the order of registration."""

    def __init__(self, kind: str, package: str) -> None:
        """Creates an empty registry.

        Args:
          kind: What an entry is, in the singular, for error messages, such as ``optimizer``.
          package: The module that registers the project's own entries when it is imported.
        """
        self.kind = kind
        self._package = package
        self.rival: Registry[Any] | None = None  # Another registry, whose names it may not use.
        self._entries: dict[str, _Entry] = {}
        self._origins: dict[str, Origin] = {}

    def register(self, name: str, entry: _Entry) -> _Entry:
        """Registers an entry under a name and returns the entry.

        The calling file is kept with the entry, so that a later command can load it again. A name may be registered
        again by the same file, by a copy of it, and after interactive code, such as a cell of a notebook.

        Raises:
          ConfigError: The project, another file or the same execution of the file has registered the name already, or
            a user's file registers a name that an entry of the rival has.
        """
        origin = Origin(_calling_file(), _executions[-1] if _executions else None)
        if origin.file and self.rival is not None and name in self.rival:
            raise ConfigError(
                f"there is a {self.rival.kind} {name!r}, which a {self.kind} of that name would replace; "
                "register yours under another name"
            )
        if name in self._entries:
            self._check_replaceable(name, origin)
        self._entries[name], self._origins[name] = entry, origin
        return entry

    def _check_replaceable(self, name: str, new: Origin) -> None:
        old = self._origins[name]
        if not old.file:
            raise ConfigError(
                f"lstm_jax has registered the {self.kind} {name!r} already; register yours under another name"
            )
        once = new.execution is None or new.execution != old.execution
        if not (once and (old.file == new.file or _is_interactive(old.file) or _are_copies(old.file, new.file))):
            raise ConfigError(
                f"{old.file} has registered the {self.kind} {name!r} already; register yours under another name, or "
                f"call unregister({name!r}) of its registry in lstm_jax.registry first"
            )

    def unregister(self, name: str) -> None:
        """Removes an entry; for tests and notebooks.

        Raises:
          ConfigError: There is no such entry.
        """
        self[name]  # It raises the error.
        incomplete.add(self.plugin_of(name))
        del self._entries[name], self._origins[name]

    def file_of(self, name: str) -> str:
        """The file outside the project that registered a name; empty for the project's own entries."""
        return self._origins[name].file if name in self._origins else ""

    def plugin_of(self, name: str) -> str:
        """The plugin whose execution registered a name; empty if there was none."""
        execution = self._origins[name].execution if name in self._origins else None
        return execution.plugin if execution else ""

    def __getitem__(self, name: str) -> _Entry:
        self._fill()
        if name not in self._entries:
            raise ConfigError(f"there is no {self.kind} {name!r}; {nearest(name, self)}")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._fill()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return iter(list(self._entries))

    def __len__(self) -> int:
        self._fill()
        return len(self._entries)

    def items(self) -> list[tuple[str, _Entry]]:
        """All names with their entries."""
        self._fill()
        return list(self._entries.items())

    def _fill(self) -> None:
        if self._package not in sys.modules:
            importlib.import_module(self._package)


def nearest(name: object, known: Iterable[str], introduction: str = "there are") -> str:
    """The end of a message about an unknown name: the most similar known names, if there are any, then all.

    For names of a registry the message ends with a hint to load the file that registers the name.
    """
    names = list(known)
    near = difflib.get_close_matches(str(name), names, 3)
    if near:
        introduction = f"did you mean {' or '.join(map(repr, near))}? {introduction[0].upper()}{introduction[1:]}"
    hint = f"; {PLUGIN_HINT}" if isinstance(known, Registry) else ""
    return f"{introduction} {', '.join(map(repr, names))}{hint}"


def _calling_file() -> str:
    """The file whose code called ``register``; empty if it belongs to the project.

    What a config registers does not count as the project's, wherever the config is. No package imports the config, so
    a later command has to load it again.
    """
    frame = sys._getframe(2)
    # The tests check arguments by jaxtyping, whose wrappers call the functions of the packages.
    while frame.f_back is not None and (
        frame.f_code.co_name == "register" or frame.f_globals.get("__name__") == "jaxtyping._decorator"
    ):
        frame = frame.f_back
    file = frame.f_code.co_filename
    return "" if Path(file).is_relative_to(PACKAGE) and not Path(file).is_relative_to(CONFIGS) else file


def _is_interactive(file: str) -> bool:
    """Whether code was typed into Python, IPython or a notebook, which invent a file name for each input."""
    return file.startswith("<") or "ipykernel" in file


def _are_copies(*files: str) -> bool:
    return all(map(os.path.isfile, files)) and len({Path(file).read_bytes() for file in files}) == 1


CELLS: Registry[Any] = Registry("cell", "lstm_jax.cells")
LAYERS: Registry[Any] = Registry("layer", "lstm_jax.layers")
CELLS.rival, LAYERS.rival = LAYERS, CELLS  # Both are named in ``config.model.layer``.
POOLINGS: Registry[Any] = Registry("pooling", "lstm_jax.layers")
OBJECTIVES: Registry[Any] = Registry("objective", "lstm_jax.objectives")
OPTIMIZERS: Registry[Any] = Registry("optimizer", "lstm_jax.optimizers")
SOURCES: Registry[Any] = Registry("source", "lstm_jax.data.sources")
VECTORS: Registry[Any] = Registry("source of word vectors", "lstm_jax.data.vectors")
TRACKERS: Registry[Any] = Registry("tracker", "lstm_jax.training.trackers")


def layer_options(layer: str) -> dict[str, float]:
    """The options of a layer or cell with their default values.

    They are the arguments of its function whose default is a number. A switch is a ``bool``.
    """
    arguments = inspect.signature(layer_function(layer)).parameters.values()
    return {
        each.name: each.default
        for each in arguments
        if isinstance(each.default, int | float) and each.name not in ("hidden_size", "reverse")
    }


def layer_function(layer: str) -> Callable[..., Any]:
    """The function that makes a registered layer, in its implementation ``auto``, or a registered cell."""
    function: Callable[..., Any] = LAYERS[layer]["auto"] if layer in LAYERS else CELLS[layer]
    return function


def typed_layer_options(layer: str, options: Mapping[str, int | float]) -> dict[str, float]:
    """Options of a layer or cell in the types of their defaults.

    Raises:
      ConfigError: The layer has no such option, or a value is not of the option's type.
    """
    known, given = layer_options(layer), {}
    for name, value in options.items():
        if name not in known:
            has = nearest(name, known, "it has") if known else "it has none"
            raise ConfigError(f"the layer {layer!r} has no option {name!r}; {has}")
        kind = type(known[name])
        if not isinstance(value, int | float) or not abs(value) <= sys.float_info.max or kind(value) != value:
            wanted = {bool: "0 or 1", int: "an integer", float: "a finite number"}[kind]
            raise ConfigError(f"the option {name!r} of the layer {layer!r} is {value!r}; it must be {wanted}")
        given[name] = kind(value)
    return given


def implementations(layer: str) -> list[str]:
    """The names of a layer's implementations; every cell has ``auto`` and ``scan``."""
    by_scan = ("auto", "scan") if layer in CELLS else ()
    own = LAYERS[layer] if layer in LAYERS else {}  # noqa: SIM401 - a registry has no get
    return list(dict.fromkeys([*by_scan, *own]))
