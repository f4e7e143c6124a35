"""Layers: pure functions over whole sequences."""

from functools import partial

from lstm_jax.layers import pooling  # noqa: F401 - registers the poolings
from lstm_jax.layers.auto import Implementation, auto_lstm
from lstm_jax.layers.base import Layer, output_size
from lstm_jax.layers.bidirectional import Directions, bidirectional
from lstm_jax.layers.diagonal_lstm import diagonal_lstm
from lstm_jax.layers.dropped_lstm import variational_lstm, weight_drop_lstm
from lstm_jax.layers.grid_lstm import grid_block, grid_lstm
from lstm_jax.layers.linear_recurrence import linear_recurrence
from lstm_jax.layers.lstm_vjp import lstm_vjp
from lstm_jax.layers.make import make_layer, register
from lstm_jax.layers.minimal import min_gru, min_lstm
from lstm_jax.layers.qrnn import qrnn
from lstm_jax.layers.scan import scan
from lstm_jax.layers.segment import segmented
from lstm_jax.layers.stack import stack

__all__ = [
    "Directions",
    "Layer",
    "auto_lstm",
    "bidirectional",
    "diagonal_lstm",
    "grid_block",
    "grid_lstm",
    "linear_recurrence",
    "lstm_vjp",
    "make_layer",
    "min_gru",
    "min_lstm",
    "output_size",
    "qrnn",
    "register",
    "scan",
    "segmented",
    "stack",
    "variational_lstm",
    "weight_drop_lstm",
]

register("lstm", auto_lstm, custom_vjp=lstm_vjp)
for _name, _make in (("variational_lstm", variational_lstm), ("weight_drop_lstm", weight_drop_lstm)):
    _scanned = partial(_make, make_lstm=Implementation("scan").layer)
    register(_name, _make, custom_vjp=partial(_make, make_lstm=lstm_vjp), scan=_scanned)
register("grid_lstm", grid_lstm)
for _parallel, _ways in (
    (qrnn, ("loop", "associative_scan")),
    (min_lstm, ("loop", "associative_scan")),
    (min_gru, ("loop", "associative_scan")),
    (diagonal_lstm, ("loop", "newton")),
):
    register(_parallel.__name__, _parallel, **{way: partial(_parallel, implementation=way) for way in _ways})
