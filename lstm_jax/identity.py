"""Digests that identify code, so that a study does not reuse the runs of code that has changed since.

"Own" code belongs to the user or to this project. An own function is identified by its syntax tree, its default values
and closure, and everything that it names: functions, classes and constants of its own module and of other own modules.
What an installed library defines is identified by its name and the library's version. Comments, docstrings and
layout make no difference.
"""

import ast
import functools
import importlib
import importlib.util
import linecache
import logging
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lstm_jax.errors import ConfigError
from lstm_jax.files import digest

# Members of a class that depend on where it is defined, not on what it does.
PLACE = ("__module__", "__doc__", "__firstlineno__", "__static_attributes__", "__dict__", "__weakref__")


def identity_of(code: Any) -> str:
    """A digest of a function, class or object and of all own code that it names; equal in every process.

    Raises:
      ConfigError: The source cannot be read, or an object in it can only be identified by its memory address.
    """
    return digest(_Reader().content(code))


class _Reader:
    """Turns values into nested lists of constants; each value is read once."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[Any, Any]] = {}  # Keyed by ``id``; keeping the value keeps its id unique.
        self._inside_library = 0

    def content(self, value: Any) -> Any:
        """A value of any kind as nested lists of constants."""
        if id(value) not in self._read:
            self._read[id(value)] = value, "itself"  # Stands for a value that contains itself.
            self._read[id(value)] = value, self._content(value)
        return self._read[id(value)][1]

    def _content(self, value: Any) -> Any:
        if isinstance(value, functools.partial):
            return self.content([value.func, value.args, value.keywords])
        if isinstance(value, types.MethodType):
            return self.content([value.__func__, value.__self__])
        if isinstance(value, types.FunctionType):
            return self._generated(value) or digest(self._function(value))
        if isinstance(value, type):
            return digest(self._class(value))
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

    def _generated(self, value: types.FunctionType) -> Any:
        """What stands for code in no file that a decorator, such as beartype's, has generated around a function."""
        if _lines(value.__code__):
            return None
        if hasattr(value, "__wrapped__"):
            return self.content(value.__wrapped__)
        return value.__qualname__ if self._inside_library else None

    def _function(self, value: types.FunctionType) -> Any:
        # The ``__module__`` of a wrapper is that of the wrapped function.
        module = str(value.__globals__.get("__name__"))
        ours = _ours(module)
        cells = dict(zip(value.__code__.co_freevars, value.__closure__ or (), strict=True))
        enclosed = {name: cell.cell_contents for name, cell in cells.items() if _is_filled(cell)}
        self._inside_library += not ours
        bound = self.content([enclosed, value.__defaults__ or (), value.__kwdefaults__ or {}])
        self._inside_library -= not ours
        if not ours:
            return [value.__qualname__, _library(module), bound]
        tree = _tree(value.__code__)
        names = {name for code in _codes(value.__code__) for name in (*code.co_names, *code.co_freevars)}
        scope = {**value.__globals__, **enclosed, **dict(_imported(tree, value.__globals__.get("__package__")))}
        return [ast.unparse(tree), bound, self._named(tree, {name: scope[name] for name in names if name in scope})]

    def _named(self, tree: ast.AST, scope: Mapping[str, Any]) -> Any:
        """What the dotted names of a tree refer to; attributes of own modules are followed."""
        found = {}
        for name in sorted(set(_dotted(tree))):
            root, *attributes = name.split(".")
            if root not in scope:
                continue  # It is a local name or a builtin.
            value = scope[root]
            while attributes and isinstance(value, types.ModuleType) and _ours(value.__name__):
                value = getattr(value, attributes.pop(0), None)
            found[name] = self.content(value)
        return sorted(found.items())

    def _class(self, value: type) -> Any:
        """An own class by its bases and members, without generated methods, which follow from its fields."""
        if not _ours(value.__module__):
            return [value.__qualname__, _library(value.__module__)]
        members = {}
        for name, each in vars(value).items():
            member = getattr(each, "__func__", each)
            if isinstance(member, property):
                member = [member.fget, member.fset]
            generated = isinstance(member, types.FunctionType) and member.__code__.co_filename.startswith("<")
            slot = isinstance(member, types.GetSetDescriptorType | types.MemberDescriptorType)
            if name not in PLACE and not generated and not slot and " at 0x" not in repr(type(member)):
                members[name] = member
        if hasattr(value, "_fields"):  # A named tuple.
            return [value.__qualname__, self.content([value._fields, getattr(value, "_field_defaults", {})])]
        return [value.__qualname__, [self.content(base) for base in value.__bases__], self.content(members)]

    def _object(self, value: Any) -> Any:
        """An array by its values, a wrapped function by what it wraps, an object of an own class by its attributes."""
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
            return type(value).__qualname__  # It is internal state of a library.
        raise ConfigError(
            f"registered code holds {text}, which differs between processes, so its finished runs cannot be "
            "identified; create it inside the registered function"
        )


def _lines(code: types.CodeType) -> list[str]:
    """The lines of the file of some code; empty if there is none."""
    # Since Python 3.13 the text of ``python -c`` has the name that generated code has too.
    return [] if code.co_filename == "<string>" else linecache.getlines(code.co_filename)


def _tree(code: types.CodeType) -> ast.AST:
    """The syntax tree of a function, found in its file by its position."""
    lines = _lines(code)
    places = [place for place in code.co_positions() if None not in place and place[3]]
    found = []
    for node in ast.walk(_parsed("".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
        if isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            start, end = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
            if all(start <= (place[0], place[2]) and (place[1], place[3]) <= end for place in places):
                found.append((start, node))
    if found:  # The innermost lambda that contains all of the code starts last.
        return max(found, key=lambda each: each[0])[1]
    raise ConfigError(
        f"the source of {code.co_qualname!r} cannot be read, so its finished runs cannot be identified; "
        "define it in a file"
    )


@functools.cache
def _parsed(text: str) -> ast.AST:
    """A syntax tree without the docstrings of functions and classes."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)


def _dotted(tree: ast.AST) -> Iterator[str]:
    """The names in a tree, as ``package.module.name`` if attributes follow."""
    for node in ast.walk(tree):
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            yield ".".join([node.id, *reversed(parts)])


def _imported(tree: ast.AST, package: str | None) -> Iterator[tuple[str, Any]]:
    """The names that a function imports in its body from own modules, as far as these exist."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            if (module := _module(name, package)) is not None:
                for alias in node.names:
                    yield alias.asname or alias.name, getattr(module, alias.name, None)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if (module := _module(alias.name, package)) is not None:
                    root = alias.name.partition(".")[0]
                    yield (alias.asname, module) if alias.asname else (root, sys.modules[root])


def _module(name: str, package: str | None) -> types.ModuleType | None:
    """The own module with a name, which may be relative; ``None`` if there is none."""
    try:
        absolute = importlib.util.resolve_name(name, package)
        return importlib.import_module(absolute) if _ours(absolute) else None
    except ImportError:
        return None


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
    known = sys.modules.get(root) or sys.modules.get(module)
    file = getattr(known, "__file__", None)
    if known is None:
        try:
            file = getattr(importlib.util.find_spec(root), "origin", None)
        except (ImportError, ValueError):
            file = None
    return file is None or not {"site-packages", "dist-packages"} & set(Path(file).parts)


def _library(module: str) -> str:
    root = module.partition(".")[0]
    return module if _ours(module) else f"{module} {getattr(sys.modules.get(root), '__version__', '')}"
