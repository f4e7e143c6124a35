"""Recurrent layers by their registered names."""

import inspect
from collections.abc import Callable
from typing import Any, no_type_check

from lstm_jax.errors import ConfigError
from lstm_jax.layers.base import Layer, checked
from lstm_jax.layers.scan import scan
from lstm_jax.registry import CELLS, LAYERS, implementations, nearest, typed_layer_options
from lstm_jax.types import MatmulDtype


@no_type_check  # The registry looks for the caller's file, which a wrapper of this function would hide.
def register(name: str, make: Callable[..., Layer], **implementations: Callable[..., Layer]) -> None:
    """Registers a layer under a name, for ``config.model.layer`` and ``make_layer``.

    A cell needs no layer of its own: :func:`scan` turns every registered cell into a layer. A layer of the project
    with the name of a cell adds its implementations to the scan of that cell.

    Args:
      name: The name that a config may use.
      make: ``(hidden_size, *, reverse=False, matmul_dtype=None) -> Layer``, the implementation ``auto``. A layer that
        cannot round the operands of its products does not take ``matmul_dtype``.
      **implementations: Further implementations by the names that ``config.model.implementation`` may use.

    Raises:
      ConfigError: The project or another file has already registered the name, or a cell has it.
    """
    LAYERS.register(name, {"auto": make, **implementations})


def make_layer(
    name: str,
    hidden_size: int,
    *,
    reverse: bool = False,
    implementation: str = "auto",
    matmul_dtype: MatmulDtype = None,
    **options: int | float,
) -> Layer:
    """The layer of a registered name.

    Args:
      name: The name of a registered layer or cell.
      hidden_size: The number of hidden units, H.
      reverse: Whether to read from each example's last token to its first.
      implementation: How the layer is computed. Every layer has ``auto``, every cell has ``scan``; a layer may have
        more, such as ``custom_vjp`` of ``lstm``.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
      **options: Options of the layer, such as ``forget_bias`` of ``lstm``: arguments of its function whose default is a
        number. A switch is 0 or 1.

    Returns:
      The layer, whose inputs are checked while it is traced; see ``layers.base.checked``.

    Raises:
      ConfigError: The name is unknown, there are no units, the layer has no such implementation or cannot round, or an
        option is unknown or has a value that the layer does not take.
    """
    if name not in LAYERS and name not in CELLS:
        raise ConfigError(f"there is no layer {name!r}; {nearest(name, dict.fromkeys([*LAYERS, *CELLS]))}")
    if hidden_size < 1:
        raise ConfigError(f"a layer of {hidden_size} units cannot be made; give it at least 1")
    own = dict(LAYERS[name]) if name in LAYERS else {}
    given = typed_layer_options(name, options)
    if implementation in own:
        make = own[implementation]
        return checked(make(hidden_size, reverse=reverse, **_rounding(name, make, matmul_dtype), **given))
    if implementation in (known := implementations(name)):
        return checked(scan(CELLS[name](hidden_size, **_rounding(name, CELLS[name], matmul_dtype), **given), reverse))
    raise ConfigError(f"the layer {name!r} has no implementation {implementation!r}; {nearest(implementation, known)}")


def layers_with_gates() -> list[str]:
    """The names of the project's layers and cells whose gates can be drawn."""
    known = [(name, registry) for registry in (LAYERS, CELLS) for name in registry if not registry.file_of(name)]
    return list(dict.fromkeys(name for name, _ in known if make_layer(name, 8).gates is not None))


def _rounding(name: str, make: Callable[..., Any], matmul_dtype: MatmulDtype) -> dict[str, MatmulDtype]:
    """The keyword arguments that make ``make`` round; none if ``matmul_dtype`` is ``None``."""
    if matmul_dtype is None:
        return {}
    taken = inspect.signature(make).parameters.values()
    if not any(own.name == "matmul_dtype" or own.kind is own.VAR_KEYWORD for own in taken):
        raise ConfigError(f"the layer {name!r} takes no matmul_dtype; set config.model.matmul_dtype='float32'")
    return {"matmul_dtype": matmul_dtype}
