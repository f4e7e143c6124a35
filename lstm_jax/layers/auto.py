"""The fastest LSTM for a size, by a table that was measured.

``choices.json`` holds, for each backend and type of products, the fastest of all ways at some sizes, within 5 %;
``bench.py --suite=tune`` measures it again and rewrites it. Where there are no sizes in it, the backward pass by hand
with one product a weight is taken.
"""

import json
import math
from collections.abc import Sequence as Sized
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax

from lstm_jax.cells.lstm import LSTMParams, LSTMState, lstm
from lstm_jax.layers.base import Layer
from lstm_jax.layers.lstm_vjp import lstm_vjp
from lstm_jax.layers.scan import scan
from lstm_jax.types import Lengths, MatmulDtype, Outputs, RowKeys, Sequence

CHOICES = Path(__file__).with_name("choices.json")


class Implementation(NamedTuple):
    """An implementation of the LSTM with its settings."""

    name: str  # scan | custom_vjp
    block: int = 0  # of the custom VJP
    gatewise: bool = False  # of the custom VJP

    def layer(
        self, hidden_size: int, forget_bias: float = 1.0, reverse: bool = False, matmul_dtype: MatmulDtype = None
    ) -> Layer:
        """The Layer of it; arguments as those of :func:`lstm_vjp`."""
        if self.name == "scan":
            return scan(lstm(hidden_size, forget_bias, matmul_dtype), reverse)
        return lstm_vjp(hidden_size, forget_bias, reverse, matmul_dtype, self.block, self.gatewise)


class Choice(NamedTuple):
    """The fastest way at a size, as one device computes it."""

    batch: int  # B
    inputs: int  # D
    hidden: int  # H
    implementation: Implementation


UNMEASURED = Implementation("custom_vjp")


def nearest(choices: Sized[Choice], batch: int, inputs: int, hidden: int) -> Implementation:
    """The way of the size nearest in its logarithms; ``UNMEASURED`` without any."""

    def distance(choice: Choice) -> float:
        pairs = ((choice.batch, batch), (choice.inputs, inputs), (choice.hidden, hidden))
        return sum(math.log(known / asked) ** 2 for known, asked in pairs)

    return min(choices, key=distance).implementation if choices else UNMEASURED


@cache
def measured(backend: str, dtype: str) -> tuple[Choice, ...]:
    """The table's part for a backend and a type of products, float32 | bfloat16."""
    found = json.loads(CHOICES.read_text()).get(backend, {"sizes": {}})["sizes"].get(dtype, [])
    return tuple(Choice(batch, inputs, hidden, Implementation(*own)) for batch, inputs, hidden, *own in found)


def auto_lstm(
    hidden_size: int, forget_bias: float = 1.0, reverse: bool = False, matmul_dtype: MatmulDtype = None
) -> Layer:
    """The Layer ``scan(lstm(hidden_size, forget_bias), reverse)`` by the way that is fastest for the rows and the
    features that it is given. Arguments and what holds for gradients are those of :func:`lstm_vjp`."""

    def apply(
        params: LSTMParams,
        x: Sequence,
        lengths: Lengths,
        key: RowKeys | None = None,
        state: LSTMState | None = None,
    ) -> tuple[Outputs, LSTMState]:
        _, batch, inputs = x.shape
        chosen = nearest(measured(jax.default_backend(), matmul_dtype or "float32"), batch, inputs, hidden_size)
        return chosen.layer(hidden_size, forget_bias, reverse, matmul_dtype).apply(params, x, lengths, key, state)

    return Layer(lstm(hidden_size, forget_bias).init, apply)
