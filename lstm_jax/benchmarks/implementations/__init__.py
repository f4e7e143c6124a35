"""Implementations of the same LSTM layers and of the same epoch of training, a module each.

A module is imported only in the process that measures it. One of layers has a function ``build``; see
:mod:`~lstm_jax.benchmarks.implementations.problem`.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """A row of the tables below."""

    module: str  # A module of this package.
    environment: Mapping[str, str] = {}  # variables that its process has beyond ours


# glibc hands large freed arrays back to Linux, and the next call faults their pages in again. Here it keeps them.
_KEEPS_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TOP_PAD_": "67108864",
}

LAYERS = {
    "auto": Entry("ours"),
    "custom_vjp": Entry("ours"),
    "scan": Entry("ours"),
    "flax": Entry("flax"),
    "flax_malloc": Entry("flax", _KEEPS_MEMORY),
    "keras": Entry("keras"),
    "keras_malloc": Entry("keras", _KEEPS_MEMORY),
    "torch": Entry("torch"),
    "torch_malloc": Entry("torch", _KEEPS_MEMORY),
    "torch_packed": Entry("torch"),
    "torch_compiled": Entry("torch"),
}
OURS = tuple(name for name, entry in LAYERS.items() if entry.module == "ours")

EPOCHS = {
    "ours": Entry("ours_epoch"),
    "torch_bucketed": Entry("torch_epoch"),
    "torch_bucketed_malloc": Entry("torch_epoch", _KEEPS_MEMORY),
    "torch_padded": Entry("torch_epoch"),
}
