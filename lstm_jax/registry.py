"""The registries: every name that a config may use for a piece of code, and the code behind it.

This module imports none of the packages, so ``lstm_jax.config`` can use it without importing data or models. Each
package fills its own registry when it is imported; a registry imports its package when it is first used.
"""

import difflib
import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from lstm_jax.errors import ConfigError

_Entry = TypeVar("_Entry")

PACKAGE = Path(__file__).parent


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
        self.rival: Registry[Any] | None = None  # Another registry, with which it shares its names.
        self._entries: dict[str, _Entry] = {}
        self._files: dict[str, str] = {}

    def register(self, name: str, entry: _Entry) -> _Entry:
        """Registers an entry under a name and returns the entry.

        The path of the calling file is kept with the entry, so that a later command can load the file again. The same
        file may register a name again, as it does when it is loaded twice.

        Raises:
          ConfigError: The project or another file has already registered the name, or a user's file registers a name
            that an entry of the rival has.
        """
        file = _calling_file()
        if file and self.rival is not None and name in self.rival:
            raise ConfigError(
                f"there is a {self.rival.kind} {name!r}, which a {self.kind} of that name would replace; "
                "register yours under another name"
            )
        if name in self._entries and (self._files[name] != file or not file):
            where = self._files[name] or "lstm_jax"
            raise ConfigError(
                f"{where} has registered the {self.kind} {name!r} already; register yours under another name"
            )
        self._entries[name], self._files[name] = entry, file
        return entry

    def unregister(self, name: str) -> None:
        """Removes an entry; for tests and notebooks."""
        del self._entries[name], self._files[name]

    def file_of(self, name: str) -> str:
        """The file outside the project that registered a name; empty for the project's own entries."""
        return self._files.get(name, "")

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
    """The end of a message about an unknown name: the most similar known names, if there are any, then all."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, 3)
    if near:
        introduction = f"did you mean {' or '.join(map(repr, near))}? {introduction[0].upper()}{introduction[1:]}"
    return f"{introduction} {', '.join(map(repr, known))}"


def _calling_file() -> str:
    """The file whose code called ``register``; empty if it belongs to the project."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_name == "register":
        frame = frame.f_back
    file = frame.f_code.co_filename
    return "" if Path(file).is_relative_to(PACKAGE) else file


CELLS: Registry[Any] = Registry("cell", "lstm_jax.cells")
LAYERS: Registry[Any] = Registry("layer", "lstm_jax.layers")
CELLS.rival, LAYERS.rival = LAYERS, CELLS  # Both are named in ``config.model.layer``.
POOLINGS: Registry[Any] = Registry("pooling", "lstm_jax.layers")
OBJECTIVES: Registry[Any] = Registry("objective", "lstm_jax.objectives")
OPTIMIZERS: Registry[Any] = Registry("optimizer", "lstm_jax.optimizers")
SOURCES: Registry[Any] = Registry("source", "lstm_jax.data.sources")
VECTORS: Registry[Any] = Registry("source of word vectors", "lstm_jax.data.vectors")


def implementations(layer: str) -> list[str]:
    """The names of a layer's implementations; every cell has ``auto`` and ``scan``."""
    by_scan = ("auto", "scan") if layer in CELLS else ()
    own = LAYERS[layer] if layer in LAYERS else {}  # noqa: SIM401 - a registry has no get
    return list(dict.fromkeys([*by_scan, *own]))
