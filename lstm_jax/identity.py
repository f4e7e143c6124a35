"""What tells one piece of code from another, so that no study takes the runs of former code for those of today's.

A function of the user's or of this project is known by its source text, by the values that it binds or encloses, and by
what its source names: other functions, classes and constants, in its module and in other modules of one's own. What an
installed library defines is known by its name and the library's version. A change of a comment counts as a change.
"""

import ast
import functools
import importlib
import inspect
import logging
import sys
import textwrap
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lstm_jax.errors import ConfigError
from lstm_jax.files import digest


def identity_of(code: Any) -> str:
    """A digest of a function, class or object with all that it names of one's own; equal in every process.

    Raises:
      ConfigError: Its source cannot be read, or it holds an object that only its place in memory tells from others.
    """
    return digest(_Reader().content(code))


class _Reader:
    """Turns values into nested lists of constants; each value is read once."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[Any, Any]] = {}  # Keyed by ``id``; the value is kept so that its id stays its own.
        self._inside_library = 0

    def content(self, value: Any) -> Any:
        """The content of a value, of any kind."""
        if id(value) not in self._read:
            self._read[id(value)] = value, "itself"  # Stands for a value that is met again inside of itself.
            self._read[id(value)] = value, self._content(value)
        return self._read[id(value)][1]

    def _content(self, value: Any) -> Any:
        if isinstance(value, functools.partial):
            return self.content([value.func, value.args, value.keywords])
        if isinstance(value, types.MethodType):
            return self.content([value.__func__, value.__self__])
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.ModuleType):
            return _library(value.__name__)
        if isinstance(value, types.BuiltinFunctionType):
            return [value.__qualname__, _library(str(value.__module__))]
        if isinstance(value, Mapping):
            return sorted(([self.content(key), self.content(each)] for key, each in value.items()), key=repr)
        if isinstance(value, set | frozenset):
            return sorted((self.content(each) for each in value), key=repr)
        if isinstance(value, tuple | list):
            return [type(value).__name__, *(self.content(each) for each in value)]
        return self._object(value)

    def _function(self, value: types.FunctionType) -> Any:
        module = str(value.__globals__.get("__name__"))  # A wrapper's ``__module__`` is that of what it wraps.
        ours = _ours(module)
        self._inside_library += not ours
        cells = dict(zip(value.__code__.co_freevars, value.__closure__ or (), strict=True))
        held = {name: cell.cell_contents for name, cell in cells.items() if _is_filled(cell)}
        bound = self.content([held, value.__defaults__ or (), value.__kwdefaults__ or {}])
        self._inside_library -= not ours
        if not ours:
            return [value.__qualname__, _library(module), bound]
        source = _source(value)
        # Two lambdas of one line share their source, but not their constants.
        constants = [each for each in value.__code__.co_consts if not isinstance(each, types.CodeType)]
        return [source, self.content(constants), bound, self._named(source, {**value.__globals__, **held})]

    def _class(self, value: type) -> Any:
        if not _ours(value.__module__):
            return [value.__qualname__, _library(value.__module__)]
        source = _source(value)
        scope = vars(sys.modules.get(value.__module__)) if value.__module__ in sys.modules else {}
        return [source, [self.content(base) for base in value.__bases__], self._named(source, scope)]

    def _named(self, source: str, scope: Mapping[str, Any]) -> Any:
        """What the dotted names in a source stand for, as far as it is one's own."""
        tree = ast.parse(source)
        scope = {**scope, **dict(_imported(tree))}
        found = {}
        for name in sorted(set(_dotted(tree))):
            root, *attributes = name.split(".")
            if root not in scope:
                continue  # A local name or a builtin.
            value = scope[root]
            while attributes and isinstance(value, types.ModuleType) and _ours(value.__name__):
                value = getattr(value, attributes.pop(0), None)
            found[name] = self.content(value)
        return sorted(found.items())

    def _object(self, value: Any) -> Any:
        """An array by its values, a wrapped function by what it wraps, an object of one's own by what it holds."""
        if hasattr(value, "__array__"):
            plain = jax.random.key_data(value) if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key) else value
            array = np.asarray(plain)
            return [str(array.dtype), array.shape, array.tobytes().hex()]
        if hasattr(value, "__wrapped__"):
            return self.content([getattr(value, name, None) for name in ("__wrapped__", "jvp", "fwd", "bwd")])
        if _ours(type(value).__module__) and hasattr(value, "__dict__"):
            return [self.content(type(value)), self.content(vars(value))]
        text = value.name if isinstance(value, logging.Logger) else repr(value)
        if " at 0x" not in text:
            return text
        if self._inside_library:
            return type(value).__qualname__  # A library holds it for itself.
        raise ConfigError(
            f"registered code holds {text}, which differs from process to process, so its finished runs could not be "
            "told from others; make it inside of the registered function"
        )


def _source(value: Any) -> str:
    """Source text of a function or a class, as a piece of Python that can be parsed."""
    try:
        text = textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        raise ConfigError(
            f"the source of {value.__qualname__!r} cannot be read, so its finished runs could not be told from others; "
            "define it in a file"
        ) from None
    try:
        ast.parse(text)
    except SyntaxError:  # A lambda inside of an expression: its lines alone are no statement.
        lambdas = text[text.index("lambda") :] if "lambda" in text else ""
        for end in range(len(lambdas), 0, -1):
            try:
                ast.parse(lambdas[:end])
            except SyntaxError:
                continue
            return lambdas[:end]
    return text


def _dotted(tree: ast.AST) -> Iterator[str]:
    """The names of a source, as ``package.module.name`` where attributes follow."""
    for node in ast.walk(tree):
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            yield ".".join([node.id, *reversed(parts)])


def _imported(tree: ast.AST) -> Iterator[tuple[str, Any]]:
    """What a source imports inside of functions from modules of one's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and _ours(node.module):
            module = importlib.import_module(node.module)
            for alias in node.names:
                yield alias.asname or alias.name, getattr(module, alias.name, None)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _ours(alias.name):
                    name = alias.asname or alias.name.partition(".")[0]
                    importlib.import_module(alias.name)
                    yield name, sys.modules[alias.name if alias.asname else name]


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _ours(module: str) -> bool:
    """Whether a module is the user's or the project's, not Python's or an installed library's."""
    root = module.partition(".")[0]
    if root == "lstm_jax":
        return True
    if root in sys.builtin_module_names or (root in sys.stdlib_module_names and root != "__main__"):
        return False
    file = getattr(sys.modules.get(root), "__file__", None) or getattr(sys.modules.get(module), "__file__", None)
    return file is None or not {"site-packages", "dist-packages"} & set(Path(file).parts)


def _library(module: str) -> str:
    root = module.partition(".")[0]
    return module if _ours(module) else f"{module} {getattr(sys.modules.get(root), '__version__', '')}"
