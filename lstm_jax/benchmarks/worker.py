"""A process of its own for one implementation: it makes a case ready and times it whenever it is asked.

It reads a JSON object a line from its standard input and answers with one a line; see ``turns.Worker``.
"""

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lstm_jax import runtime as devices
from lstm_jax.benchmarks import limits, memory
from lstm_jax.benchmarks.measurement import MISSING, PASSES, Device
from lstm_jax.benchmarks.implementations import OURS, PEERS
from lstm_jax.benchmarks.implementations.problem import Built, Case, draw
from lstm_jax.benchmarks.serving import serve
from lstm_jax.config import from_json


class Service:
    """What a worker does for its implementation."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._make: Any = None
        self._built: Built | None = None
        self._steps: Any = None
        self._before = 0  # bytes that were held before there was a case

    def load(self) -> dict[str, Any]:
        """Imports the implementation, which takes seconds and both cores."""
        try:
            self._make = importlib.import_module(f"lstm_jax.benchmarks.implementations.{PEERS[self._name].module}").build
        except ModuleNotFoundError as error:
            if error.name == PEERS[self._name].module:  # which is called as the package that it measures
                return {"error": MISSING}
            raise
        return {}

    def build(self, case: list[Any], dtype: str, platform: str) -> dict[str, Any]:
        """Makes a case ready."""
        size = Case(*case)
        self._before = memory.held("VmRSS") or 0
        self._built = self._make(self._name, size, draw(size), dtype, platform)
        return {"compile_seconds": self._built.compile_seconds}

    def save(self, file: str) -> dict[str, Any]:
        """Writes what both passes give, for the parent to compare, and tells the memory that each took."""
        assert self._built
        given, peaks = [], {}
        for part in PASSES:
            memory.forget_peak()
            given.append(getattr(self._built, part)())
            peaks[part] = self._peak()
        results = self._built.results(*given)
        flat = [value for layer in results.weights for own in layer for value in own]
        arrays = {"y": results.y, "x": results.x} | {f"weights{n}": value for n, value in enumerate(flat)}
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return {"peak_bytes": peaks}

    def _peak(self) -> int | None:
        """The most memory beyond what was held before, since that was forgotten."""
        peak = memory.held("VmHWM")
        return None if peak is None else peak - self._before

    def time(self, part: str, calls: int) -> dict[str, Any]:
        """Seconds of each of so many calls."""
        assert self._built
        run, seconds = getattr(self._built, part), []
        for _ in range(calls):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}

    def lanes(self, config: str, count: int) -> dict[str, Any]:
        """Makes so many lanes of a config ready, and makes some steps of them."""
        from lstm_jax.benchmarks import lanes
        from lstm_jax.data import corpus

        own = from_json(config)
        corpora = corpus.prepare(own.data)
        self._before = memory.held("VmRSS") or 0
        memory.forget_peak()
        self._steps = lanes.step_case(own, corpora, lanes.Way(count, "auto", 0))
        self._steps(Path())
        return {"peak_bytes": self._peak()}

    def step(self) -> dict[str, Any]:
        """Seconds of a step of all lanes."""
        start = time.perf_counter()
        made = self._steps(Path())
        return {"seconds": (time.perf_counter() - start) / made}

    def reviews(self, config: str, cache: str) -> dict[str, Any]:
        """Prepares the reviews of a config, with an empty folder as the cache."""
        from lstm_jax.benchmarks import text

        stages = text.measure_in(Path(cache), from_json(config).data)
        seconds = sum(seconds for _, seconds in stages)
        return {"seconds": seconds, "stages": dict(stages), "peak_bytes": memory.held("VmHWM")}

    def limits(self) -> dict[str, Any]:
        """The device, and what it can do at best."""
        return {"device": Device(devices.machine(), jax.default_backend()), "limits": limits.measure()}


def main() -> None:
    """Answers until the input ends."""
    name = sys.argv[1]
    if name in (*OURS, "limits"):
        devices.configure()
    jax.config.update("jax_enable_compilation_cache", False)  # compiling is timed
    jax.config.update("jax_default_matmul_precision", "float32")  # of the others on JAX too
    service = Service(name)
    serve(lambda do, **arguments: getattr(service, do)(**arguments))


if __name__ == "__main__":
    main()
