"""What tells one optimizer's code from another's, so that no study takes runs of former code for those of the present.

A function is known by its bytecode, by what it binds and encloses, and by the functions and values that it names in
its module and in other modules of the user or of this project. What a library defines is known by its name and the
library's version.
"""

import dis
import functools
import importlib
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

ASIDE = ("__module__", "__firstlineno__", "__static_attributes__")  # of a class: where it stands, not what it does
SIGNATURE = ("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_varnames", "co_flags", "co_names")


def identity_of(function: Any) -> str:
    """A digest of a function's code with all that it names of the user's and the project's own.

    Raises:
      ConfigError: a part of it can only be told by its place in memory.
    """
    return digest(_Reader().content(function))


class _Reader:
    """Reads values as nested lists of constants, the same in every process; each value once."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[Any, Any]] = {}  # by place: the value, which must live on, and its content
        self._inside = 0  # how many functions of libraries are being read

    def content(self, value: Any) -> Any:
        """A value's content."""
        if id(value) not in self._read:
            self._read[id(value)] = value, "itself"  # where it is met again inside of itself
            self._read[id(value)] = value, self._content(value)
        return self._read[id(value)][1]

    def _content(self, value: Any) -> Any:
        if isinstance(value, functools.partial):
            return self.content([value.func, value.args, value.keywords])
        if isinstance(value, types.MethodType):
            return self.content([value.__func__, value.__self__])
        if isinstance(value, types.CodeType):
            signature = [getattr(value, name) for name in SIGNATURE]
            return [value.co_code.hex(), value.co_exceptiontable.hex(), signature, self.content(value.co_consts)]
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.ModuleType):
            return _library(value.__name__)
        if isinstance(value, type | types.BuiltinFunctionType):
            own = [self._members(each) for each in getattr(value, "__mro__", ()) if _ours(each.__module__)]
            return [value.__qualname__, _library(str(value.__module__)), own]
        if isinstance(value, Mapping | set | frozenset | tuple | list):
            return self._container(value)
        return self._object(value)

    def _function(self, value: types.FunctionType) -> Any:
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        held = [cells, value.__defaults__ or (), value.__kwdefaults__ or {}]
        module = str(value.__globals__.get("__name__"))  # not __module__, which wrappers take from what they wrap
        if not _ours(module):
            self._inside += 1
            enclosed = self.content(held)
            self._inside -= 1
            return [value.__qualname__, _library(module), enclosed]
        enclosed = self.content(held)
        named = []
        for code in _codes(value.__code__):
            for n, scope in enumerate(_scopes(code, value.__globals__)):
                found = [name for name in code.co_names if not isinstance(scope.get(name, sys), types.ModuleType)]
                named += [[n, name, self.content(scope[name])] for name in found]
        return [self.content(value.__code__), enclosed, named]

    def _members(self, value: type) -> Any:
        """What a class of one's own defines."""
        inner = {name: getattr(each, "__func__", each) for name, each in vars(value).items()}
        inner = {name: [each.fget, each.fset] if isinstance(each, property) else each for name, each in inner.items()}
        kinds = types.GetSetDescriptorType | types.MemberDescriptorType
        return self.content({k: v for k, v in inner.items() if k not in ASIDE and not isinstance(v, kinds)})

    def _container(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return sorted(([self.content(key), self.content(each)] for key, each in value.items()), key=repr)
        if isinstance(value, set | frozenset):
            return sorted((self.content(each) for each in value), key=repr)
        return [type(value).__name__, *(self.content(each) for each in value)]

    def _object(self, value: Any) -> Any:
        """An array's values; the functions that another wraps; what an object of one's own class holds; or ``repr``."""
        if hasattr(value, "__array__"):
            plain = jax.random.key_data(value) if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key) else value
            array = np.asarray(plain)
            return [str(array.dtype), array.shape, array.tobytes().hex()]
        if hasattr(value, "__wrapped__"):
            return self.content([getattr(value, name, None) for name in ("__wrapped__", "jvp", "fwd", "bwd")])
        if _ours(type(value).__module__) and hasattr(value, "__dict__"):
            return [self.content(type(value)), self.content(vars(value))]
        text = value.name if isinstance(value, logging.Logger) else repr(value)
        if " at 0x" in text and self._inside:
            return type(value).__qualname__  # what a library holds for itself
        if " at 0x" in text:
            raise ConfigError(
                f"an optimizer's code holds {text}, which differs from process to process, so its finished runs could "
                "not be told from others; make it inside of the registered function"
            )
        return text


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)


def _scopes(code: types.CodeType, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a function's names may stand: its own module, and modules of one's own that it names or imports."""
    found = [scope]
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME" and _ours(instruction.argval):
            found.append(vars(importlib.import_module(instruction.argval)))
    for each in found:  # which grows: a module may be named within another
        named = [each.get(name) for name in code.co_names]
        modules = [vars(module) for module in named if isinstance(module, types.ModuleType) and _ours(module.__name__)]
        found += [module for module in modules if not any(module is known for known in found)]
    return found


def _ours(module: str) -> bool:
    """Whether a module is the user's or the project's, not of Python or of an installed library."""
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
