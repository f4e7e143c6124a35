"""Recurrent cells: one step each, as pure functions."""

from collections.abc import Callable
from functools import partial

import jax

from lstm_jax.cells.base import Cell
from lstm_jax.cells.gru import gru
from lstm_jax.cells.lstm import lstm
from lstm_jax.cells.rnn import rnn

# The names that a config may use.
CELLS: dict[str, Callable[..., Cell]] = {
    "lstm": lstm,
    "gru": gru,
    "rnn_tanh": rnn,
    "rnn_relu": partial(rnn, activation=jax.nn.relu),
}

__all__ = ["CELLS", "Cell", "gru", "lstm", "rnn"]
