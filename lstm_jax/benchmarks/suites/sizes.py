"""The sizes that ``bench.py`` measures."""

from lstm_jax.benchmarks.implementations.problem import Case

# Layers of the published systems, at the batches and the lengths that they pad to.
SYSTEMS = (
    Case("A, Amazon stars", 32, 160, 300, 64),
    Case("B, Ghazi", 64, 250, 100, 128),
    Case("C, GloVe", 64, 500, 100, 100, layers=2, directions=2),
    Case("D, Keras", 64, 1000, 32, 100),
    Case("E, FloydHub", 100, 100, 400, 512, layers=2),
)

# The same sizes with rows of any length from half of the steps up, which PyTorch can also pack.
RAGGED = tuple(case._replace(ragged=True) for case in SYSTEMS)

# Baidu's DeepBench (LSTM training), inputs as wide as the units.
DEEPBENCH = tuple(
    Case(f"{batch}, {steps}, {units}", batch, steps, units, units)
    for batch, steps, units in (
        (64, 150, 256),
        (32, 25, 512),
        (128, 25, 1024),
        (32, 50, 1536),
        (64, 25, 2048),
        (128, 25, 4096),
    )
)

_BASE = Case("base", 32, 128, 64, 128)
SCALING = (
    *(_BASE._replace(name=f"T {n}", steps=n) for n in (64, 128, 256, 512, 1024)),
    *(_BASE._replace(name=f"B {n}", batch=n) for n in (8, 16, 32, 64, 128)),
    *(_BASE._replace(name=f"H {n}", units=n) for n in (32, 64, 128, 256, 512)),
    *(_BASE._replace(name=f"layers {n}", layers=n) for n in (1, 2, 3, 4)),
)

SUITES = {"systems": SYSTEMS, "ragged": RAGGED, "deepbench": DEEPBENCH}
