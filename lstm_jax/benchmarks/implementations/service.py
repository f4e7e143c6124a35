"""The process of one implementation of LSTM layers: it builds a case and times it on request."""

import time
from typing import Any

import jax
import numpy as np

from lstm_jax import runtime
from lstm_jax.benchmarks import limits, memory
from lstm_jax.benchmarks.implementations import LAYER_IMPLEMENTATIONS, OURS
from lstm_jax.benchmarks.implementations.problem import Built, Case, random_problem
from lstm_jax.benchmarks.measurement import PASSES, Device


class LayerService:
    """The service that the process runs; see :mod:`~lstm_jax.benchmarks.worker`."""

    def __init__(self, name: str) -> None:
        self._name = name
        if name in OURS:  # the others run with JAX's defaults
            runtime.configure()
        jax.config.update("jax_enable_compilation_cache", False)  # compiling is timed
        jax.config.update("jax_default_matmul_precision", "float32")  # Flax and Keras read it too

    def load(self) -> dict[str, Any]:
        """Imports the implementation, which takes seconds and all cores."""
        self._build = LAYER_IMPLEMENTATIONS[self._name].load()
        return {}

    def build(self, case: list[Any], dtype: str, platform: str) -> dict[str, Any]:
        """Builds a case and returns the seconds of compilation by pass."""
        size = Case(*case)
        self._held = memory.status_bytes("VmRSS") or 0
        self._built: Built = self._build(self._name, size, random_problem(size), dtype, platform)
        return {"compile_seconds": self._built.compile_seconds}

    def save(self, file: str) -> dict[str, Any]:
        """Writes the results of both passes into a file and returns the peak memory of each pass."""
        given, peaks = [], {}
        for pass_ in PASSES:
            memory.reset_peak()
            given.append(getattr(self._built, pass_)())
            peak = memory.status_bytes("VmHWM")
            peaks[pass_] = None if peak is None else peak - self._held
        results = self._built.results(*given)
        flat = [value for layer in results.weights for own in layer for value in own]
        arrays = {"y": results.y, "x": results.x} | {f"weights{n}": value for n, value in enumerate(flat)}
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return {"peak_bytes": peaks}

    def limits(self) -> dict[str, Any]:
        """The device and its limits."""
        return {"device": Device(runtime.machine(), jax.default_backend()), "limits": limits.measure_limits()}

    def time(self, pass_: str, calls: int) -> dict[str, Any]:
        """Times ``calls`` calls of a pass and returns the seconds of each."""
        run, seconds = getattr(self._built, pass_), []
        for _ in range(calls):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}
