"""Implementations of the same LSTM for the benchmark, each in a module that is imported in a process of its own."""

from collections.abc import Mapping
from typing import NamedTuple


class Peer(NamedTuple):
    """Where an implementation is."""

    module: str  # of this package
    environment: Mapping[str, str] = {}  # what its process has beyond ours


# Large arrays that glibc hands back to Linux after each call are pages to fault in at the next: it keeps them here.
_KEEPS_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TOP_PAD_": "67108864",
}

PEERS = {
    "auto": Peer("ours"),
    "bptt": Peer("ours"),
    "scan": Peer("ours"),
    "flax": Peer("flax"),
    "keras": Peer("keras"),
    "torch": Peer("torch"),
    "torch_malloc": Peer("torch", _KEEPS_MEMORY),
    "torch_packed": Peer("torch"),
    "torch_compiled": Peer("torch"),
}
OURS = tuple(name for name, peer in PEERS.items() if peer.module == "ours")
