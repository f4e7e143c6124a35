"""Implementations of the same LSTM for the benchmark, each in a module that is imported in a process of its own."""

PEERS = {
    "auto": "ours",
    "bptt": "ours",
    "scan": "ours",
    "flax": "flax",
    "keras": "keras",
    "torch": "torch",
    "torch_packed": "torch",
    "torch_compiled": "torch",
}
OURS = tuple(name for name, module in PEERS.items() if module == "ours")
