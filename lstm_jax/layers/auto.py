"""Chooses the fastest implementation of an LSTM for its size, by a table of measurements.

``choices.json`` holds, for each backend and matmul dtype, the fastest implementation at some sizes, within 5 %.
``bench.py --suite=tune`` measures it again and rewrites it. A backend that has not been measured gets the custom VJP
with one product for each weight matrix.
"""

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax

from lstm_jax.cells.lstm import LSTMParams, LSTMState, lstm
from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.layers.lstm_vjp import lstm_vjp
from lstm_jax.layers.scan import scan
from lstm_jax.types import ExampleKeys, Inputs, Lengths, MatmulDtype, Outputs

CHOICES = Path(__file__).with_name("choices.json")


class Implementation(NamedTuple):
    """One way to compute an LSTM."""

    name: str  # scan | custom_vjp
    block: int = 0  # An argument of lstm_vjp.
    gatewise: bool = False  # An argument of lstm_vjp.

    def layer(
        self, hidden_size: int, forget_bias: float = 1.0, reverse: bool = False, matmul_dtype: MatmulDtype = None
    ) -> Layer:
        """The Layer of an LSTM with this implementation; the arguments are those of :func:`lstm_vjp`."""
        if self.name == "scan":
            return scan(lstm(hidden_size, forget_bias, matmul_dtype), reverse)
        return lstm_vjp(hidden_size, forget_bias, reverse, matmul_dtype, self.block, self.gatewise)


class Choice(NamedTuple):
    """The fastest implementation for a batch on one device."""

    batch: int  # B
    inputs: int  # D
    hidden: int  # H
    implementation: Implementation


UNMEASURED = Implementation("custom_vjp")


def nearest_choice(choices: Sequence[Choice], batch: int, inputs: int, hidden: int) -> Implementation:
    """The implementation for the nearest size, by the logarithms of B, D and H; ``UNMEASURED`` without choices."""

    def distance(choice: Choice) -> float:
        pairs = ((choice.batch, batch), (choice.inputs, inputs), (choice.hidden, hidden))
        return sum(math.log(known / asked) ** 2 for known, asked in pairs)

    return min(choices, key=distance).implementation if choices else UNMEASURED


@cache
def measured_choices(backend: str, dtype: str) -> tuple[Choice, ...]:
    """The choices for a backend and a matmul dtype, float32 or bfloat16; empty if nothing was measured."""
    found = json.loads(CHOICES.read_text()).get(backend, {"sizes": {}})["sizes"].get(dtype, [])
    return tuple(Choice(batch, inputs, hidden, Implementation(*own)) for batch, inputs, hidden, *own in found)


def auto_lstm(
    hidden_size: int, forget_bias: float = 1.0, reverse: bool = False, matmul_dtype: MatmulDtype = None
) -> Layer:
    """The Layer ``scan(lstm(hidden_size, forget_bias), reverse)`` as the implementation fastest for its inputs.

    The arguments, and the limits on differentiation, are those of :func:`lstm_vjp`.
    """

    def apply(
        params: LSTMParams,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: LSTMState | None = None,
    ) -> tuple[Outputs, LSTMState]:
        check_inputs(x, lengths, params)
        _, batch, inputs = x.shape
        chosen = nearest_choice(
            measured_choices(jax.default_backend(), matmul_dtype or "float32"), batch, inputs, hidden_size
        )
        return chosen.layer(hidden_size, forget_bias, reverse, matmul_dtype).apply(params, x, lengths, key, state)

    plain = scan(lstm(hidden_size, forget_bias, matmul_dtype), reverse)
    return Layer(plain.init, apply, plain.gates)
