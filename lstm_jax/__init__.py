"""Recurrent text classifiers in JAX, as pure functions."""

import time

__version__ = "0.1.0"

STARTED = time.perf_counter()  # of the process, nearly: for what is said of the time to the first step
