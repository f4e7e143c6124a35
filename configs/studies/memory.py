"""Memory over distance: six generated tasks, layers with equal numbers of weights, accuracy over length.

    python compare.py --config=configs/studies/memory.py --workdir=runs/memory
    python compare.py --config=configs/studies/memory.py:quick --workdir=runs/memory_quick
    python compare.py --config=configs/studies/memory.py:grid --workdir=runs/memory_grid

docs/systems.md says what is compared and shows the result.
"""

from lstm_jax.config import Config
from lstm_jax.errors import ConfigError
from lstm_jax.studies.memory import Memory, TaskLengths

TASKS = {
    "adding": TaskLengths(100, (5, 10, 25, 50, 100, 200)),
    "copying": TaskLengths(100, (1, 5, 10, 25, 50, 100, 200)),
    "parity": TaskLengths(100, (2, 5, 10, 25, 50, 100, 200)),
    "addition": TaskLengths(10, (1, 2, 3, 5, 10, 15)),
    "memorisation": TaskLengths(10, (1, 2, 3, 5, 10, 15)),
    "a5": TaskLengths(100, (2, 5, 10, 25, 50, 100, 200)),
}
ALONE = ("rnn_tanh", "gru", "lstm", "qrnn", "min_lstm", "diagonal_lstm")
LAYERS = {name: {"model.layer": name} for name in ALONE} | {
    "lstm (2 layers)": {"model.layer": "lstm", "model.layers": 2},
    "grid_lstm": {"model.layer": "grid_lstm", "model.layer_options.depth": 2},
}


def get_config(variant: str = "") -> Memory:
    """All tasks and layers; ``quick``: parity by three small ones; ``grid``: a larger Grid LSTM beside LSTMs."""
    if variant not in ("", "quick", "grid"):
        raise ConfigError(f"there is no variant {variant!r} of the study of memory; there are 'quick' and 'grid'")
    base = Config()
    base.model.embedding_size = 16
    base.optimizer.schedule = "one_cycle"
    base.optimizer.warmup = 0.1
    base.optimizer.clip_norm = 1.0
    base.train.batch_size = 32
    base.train.steps = 1_600
    base.train.validate_every = 200
    base.train.buckets = 2
    base.train.tracker = "none"
    rates = (3e-3, 1e-2)
    if variant == "quick":
        base.train.steps, base.train.validate_every = 600, 100
        tasks = {"parity": TaskLengths(20, (2, 5, 10, 20, 40))}
        layers = {name: LAYERS[name] for name in ("rnn_tanh", "gru", "lstm")}
        return Memory(base, tasks, layers, 4_000, rates)
    if variant == "grid":
        tied = {"model.layer": "grid_lstm", "model.layer_options.depth": 3, "model.layer_options.tied": 1}
        layers = {"grid_lstm (depth 3, tied)": tied, "lstm (2 layers)": LAYERS["lstm (2 layers)"]}
        return Memory(base, {name: TASKS[name] for name in ("parity", "memorisation")}, layers, 160_000, (2e-3, 5e-3))
    return Memory(base, TASKS, LAYERS, 20_000, rates)
