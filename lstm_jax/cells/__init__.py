"""Recurrent cells: one step each, as pure functions."""

from collections.abc import Callable
from functools import partial
from typing import no_type_check

import jax

from lstm_jax.cells.base import Cell
from lstm_jax.cells.gru import gru
from lstm_jax.cells.layer_norm_lstm import layer_norm_lstm
from lstm_jax.cells.lstm import lstm
from lstm_jax.cells.peephole_lstm import peephole_lstm
from lstm_jax.cells.rnn import rnn
from lstm_jax.registry import CELLS

__all__ = ["Cell", "gru", "layer_norm_lstm", "lstm", "peephole_lstm", "register", "rnn"]


@no_type_check  # The registry looks for the caller's file, which a wrapper of this function would hide.
def register(name: str, make: Callable[..., Cell]) -> None:
    """Registers a cell under a name, for ``config.model.layer`` and ``make_layer``.

    Args:
      name: The name that a config may use.
      make: ``(hidden_size, matmul_dtype=None) -> Cell``. A cell that cannot round the operands of its products does
        not take ``matmul_dtype``.

    Raises:
      ConfigError: The project or another file has already registered the name, or a layer has it.
    """
    CELLS.register(name, make)


register("lstm", lstm)
register("gru", gru)
register("rnn_tanh", rnn)
register("rnn_relu", partial(rnn, activation=jax.nn.relu))
register("peephole_lstm", peephole_lstm)
register("layer_norm_lstm", layer_norm_lstm)
