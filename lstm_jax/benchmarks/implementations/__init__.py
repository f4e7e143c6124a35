"""Implementations of the same LSTM layers, and of the same epoch of training.

A module is imported only in the process that measures it. Layers are built by a function; see
:mod:`~lstm_jax.benchmarks.implementations.problem`.
"""

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple


class Process(NamedTuple):
    """An entry of ``LAYER_IMPLEMENTATIONS`` or ``EPOCH_IMPLEMENTATIONS``."""

    builds: str  # What the process runs: a module of this package and a name in it.
    environment: Mapping[str, str] = {}  # Environment variables of its process in addition to ours.

    def load(self) -> Any:
        """Imports the module and returns what the name stands for."""
        module, _, name = self.builds.partition(":")
        return getattr(importlib.import_module(f"{__name__}.{module}"), name)


# glibc returns large freed arrays to Linux, and the next call faults their pages in again. With these it keeps them.
_KEEPS_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TOP_PAD_": "67108864",
}

LAYER_IMPLEMENTATIONS = {
    "auto": Process("ours:build_ours"),
    "custom_vjp": Process("ours:build_ours"),
    "scan": Process("ours:build_ours"),
    "flax": Process("flax:build_flax"),
    "flax_malloc": Process("flax:build_flax", _KEEPS_MEMORY),
    "keras": Process("keras:build_keras"),
    "keras_malloc": Process("keras:build_keras", _KEEPS_MEMORY),
    "torch": Process("torch:build_torch"),
    "torch_malloc": Process("torch:build_torch", _KEEPS_MEMORY),
    "torch_packed": Process("torch:build_torch"),
    "torch_compiled": Process("torch:build_torch"),
}
OURS = tuple(name for name, entry in LAYER_IMPLEMENTATIONS.items() if entry.builds == "ours:build_ours")

EPOCH_IMPLEMENTATIONS = {
    "ours": Process("ours_epoch:OurEpoch"),
    "torch_bucketed": Process("torch_epoch:TorchEpoch"),
    "torch_bucketed_malloc": Process("torch_epoch:TorchEpoch", _KEEPS_MEMORY),
    "torch_padded": Process("torch_epoch:TorchEpoch"),
}
