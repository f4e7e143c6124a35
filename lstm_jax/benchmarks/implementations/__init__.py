"""Implementations of the same LSTM and of the same epoch, each in a module that is imported in its own process."""

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
    "custom_vjp": Peer("ours"),
    "scan": Peer("ours"),
    "flax": Peer("flax"),
    "flax_malloc": Peer("flax", _KEEPS_MEMORY),
    "keras": Peer("keras"),
    "keras_malloc": Peer("keras", _KEEPS_MEMORY),
    "torch": Peer("torch"),
    "torch_malloc": Peer("torch", _KEEPS_MEMORY),
    "torch_packed": Peer("torch"),
    "torch_compiled": Peer("torch"),
}
OURS = tuple(name for name, peer in PEERS.items() if peer.module == "ours")

# Of an epoch.
EPOCHS = {
    "ours": Peer("our_epoch"),
    "torch_bucketed": Peer("torch_epoch"),
    "torch_bucketed_malloc": Peer("torch_epoch", _KEEPS_MEMORY),
    "torch_padded": Peer("torch_epoch"),
}
