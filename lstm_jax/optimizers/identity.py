"""What tells one optimizer's code from another's, so that no study takes runs of former code for those of the present.

A function is known by its bytecode, by what it binds and encloses, and by the functions and values that it names in
its module and in other modules of the user or of this project. What a library defines is known by its name and the
library's version.
"""

import functools
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.errors import ConfigError
from lstm_jax.files import digest


def content(value: Any, seen: tuple[int, ...] = ()) -> Any:
    """A value's content as nested lists of constants, the same in every process.

    Raises:
      ConfigError: a part of it can only be told by its place in memory.
    """
    if id(value) in seen:
        return "recursive"
    seen = (*seen, id(value))
    if isinstance(value, functools.partial):
        return content([value.func, value.args, value.keywords], seen)
    if isinstance(value, types.MethodType):
        return content([value.__func__, value.__self__], seen)
    if isinstance(value, types.CodeType):
        return [value.co_code.hex(), value.co_names, content(value.co_consts, seen)]
    if isinstance(value, types.FunctionType):
        return _function(value, seen)
    if isinstance(value, types.ModuleType):
        return _library(value.__name__)
    if isinstance(value, type | types.BuiltinFunctionType):
        return [value.__qualname__, _library(str(value.__module__))]
    if isinstance(value, Mapping | set | frozenset | tuple | list):
        return _container(value, seen)
    return _object(value, seen)


def _container(value: Any, seen: tuple[int, ...]) -> Any:
    if isinstance(value, Mapping):
        return [[repr(key), content(value[key], seen)] for key in sorted(value, key=repr)]
    if isinstance(value, set | frozenset):
        return sorted(repr(content(each, seen)) for each in value)
    return [type(value).__name__, *(content(each, seen) for each in value)]


def _function(value: types.FunctionType, seen: tuple[int, ...]) -> Any:
    if not _ours(value.__module__):
        return [value.__qualname__, _library(value.__module__), _enclosed(value, seen)]
    named = {}
    for code in _codes(value.__code__):
        for name in code.co_names:
            for scope in (value.__globals__, *_modules(value, code)):
                if name in scope and not isinstance(scope[name], types.ModuleType):
                    named[name] = content(scope[name], seen)
    return [content(value.__code__, seen), _enclosed(value, seen), sorted(named.items())]


def _enclosed(value: types.FunctionType, seen: tuple[int, ...]) -> Any:
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    return content([cells, value.__defaults__ or (), value.__kwdefaults__ or {}], seen)


def _codes(code: types.CodeType) -> list[types.CodeType]:
    """A function's code and that of the functions inside it."""
    inside = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return [code, *(found for each in inside for found in _codes(each))]


def _modules(value: types.FunctionType, code: types.CodeType) -> list[dict[str, Any]]:
    """What the user's and the project's modules hold that a function names."""
    named = [value.__globals__.get(name) for name in code.co_names]
    return [vars(each) for each in named if isinstance(each, types.ModuleType) and _ours(each.__name__)]


def _object(value: Any, seen: tuple[int, ...]) -> Any:
    """An array's values; the function that another wraps; what an object of one's own class holds; or ``repr``."""
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return [str(array.dtype), array.shape, array.tobytes().hex()]
    if hasattr(value, "__wrapped__"):
        return content(value.__wrapped__, seen)
    if _ours(type(value).__module__) and hasattr(value, "__dict__"):
        methods = {name: each for name, each in vars(type(value)).items() if isinstance(each, types.FunctionType)}
        return content([type(value).__qualname__, vars(value), methods], seen)
    text = repr(value)
    if " at 0x" in text:
        raise ConfigError(
            f"an optimizer's code holds {text}, which differs from process to process, so its finished runs could not "
            "be told from others; make it inside of the registered function"
        )
    return text


def _ours(module: str) -> bool:
    """Whether a module is the user's or the project's, not of Python or of an installed library."""
    root = module.partition(".")[0]
    if root == "lstm_jax":
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return root not in sys.builtin_module_names and root not in sys.stdlib_module_names
    return not {"site-packages", "dist-packages"} & set(Path(file).parts) and root not in sys.stdlib_module_names


def _library(module: str) -> str:
    root = module.partition(".")[0]
    return f"{module} {getattr(sys.modules.get(root), '__version__', '')}"


def identity_of(function: Any) -> str:
    """A digest of all that ``content`` finds."""
    return digest(content(function))
