"""Prints the page of all layers and cells: ``python -m lstm_jax.layers.document > docs/layers.md``."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from lstm_jax.layers.make import make_layer
from lstm_jax.registry import CELLS, LAYERS, implementations, layer_function, layer_options

_HEAD = """# Layers

`model.layer` names a layer or a cell; a cell is made a layer by `jax.lax.scan`. Each can be stacked (`model.layers`),
read in both directions (`model.bidirectional`) or read segments (`model.segment`).

This page is generated from the code: `python -m lstm_jax.layers.document > docs/layers.md`.

"""

_OPTIONS = """
## Options

`--config.model.layer_options.NAME=VALUE` sets an option of the layer; the others keep the defaults of the table. All
are numbers, and a switch is 0 or 1. A run resumes only with the options that it began with. A grid may vary an option,
such as `model.layer_options.forget_bias`. In Python, options are arguments of `make_layer`.

```sh
python train.py --config.model.layer=variational_lstm --config.model.layer_options.recurrent_dropout=0.25 \
    --config.data.reviews=2000 --config.train.epochs=2 --workdir=runs/variational
```

```python
from lstm_jax.layers import make_layer

layer = make_layer("variational_lstm", 64, recurrent_dropout=0.25)
```

A layer or a cell of [your own](extending.md) has options too: the arguments of its function whose default is a number.

## Gates

`eval.py --workdir=DIR --text=TEXT --explain` draws the last column over the tokens of a text, a picture for each layer
of the stack. [Pictures](workdirs.md#pictures) describes it.
"""


def layers_page() -> str:
    """The page, with one row per layer or cell."""
    lines = ["| name | layer | options | implementations | gates |", "|---|---|---|---|---|"]
    for name in dict.fromkeys([*CELLS, *LAYERS]):
        options = ", ".join(f"`{own}` {float(value):g}" for own, value in layer_options(name).items()) or "–"
        makes = ", ".join(f"`{own}`" for own in implementations(name))
        lines.append(f"| `{name}` | {_summary(name)} | {options} | {makes} | {_gates(name)} |")
    return _HEAD + "\n".join(lines) + "\n" + _OPTIONS


def _summary(name: str) -> str:
    """The first sentence about a layer that names a source, by its year: of its function, or else of its module."""
    function = _plain(CELLS[name] if name in CELLS else layer_function(name))
    texts = [inspect.getdoc(own) or "" for own in (function, inspect.getmodule(function))]
    summaries = [" ".join(text.split("\n\n")[0].split()) for text in texts]
    chosen = next((text for text in summaries if re.search(r"\b\d{4}\b", text)), summaries[0])
    return chosen.replace("``", "`").replace("|", "\\|")


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return _plain(function.func) if isinstance(function, partial) else inspect.unwrap(function)


def _gates(name: str) -> str:
    """What a picture of the layer shows."""
    layer = make_layer(name, 8)
    if layer.gates is None:
        return "–"
    params = jax.eval_shape(lambda: layer.init(jax.random.key(0), 8))
    return ", ".join(sorted(jax.eval_shape(layer.gates, params, jnp.zeros((1, 1, 8)), jnp.ones(1, jnp.int32))))


if __name__ == "__main__":
    print(layers_page(), end="")
