"""A process of its own for one implementation: it makes a case ready and times it whenever it is asked.

It reads a JSON object a line from its standard input and answers with one a line; see ``turns.Worker``.
"""

import contextlib
import importlib
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lstm_jax import devices
from lstm_jax.benchmarks import limits
from lstm_jax.benchmarks.measurement import MISSING, PASSES
from lstm_jax.benchmarks.peers import OURS, PEERS
from lstm_jax.benchmarks.peers.problem import Built, Case, draw
from lstm_jax.benchmarks.serving import serve
from lstm_jax.config import from_json


class Service:
    """What a worker does for its implementation."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._make: Any = None
        self._built: Built | None = None
        self._steps: Any = None
        self._held = 0  # bytes, before there was a case

    def load(self) -> dict[str, Any]:
        """Imports the implementation, which takes seconds and both cores."""
        try:
            self._make = importlib.import_module(f"lstm_jax.benchmarks.peers.{PEERS[self._name].module}").build
        except ModuleNotFoundError as error:
            if error.name == PEERS[self._name].module:  # which is called as the package that it measures
                return {"error": MISSING}
            raise
        return {}

    def build(self, case: list[Any], dtype: str) -> dict[str, Any]:
        """Makes a case ready."""
        size = Case(*case)
        self._held = _bytes("VmRSS") or 0
        self._built = self._make(self._name, size, draw(size), dtype)
        return {"compile_seconds": self._built.compile_seconds}

    def save(self, file: str) -> dict[str, Any]:
        """Writes what both passes give, for the parent to compare, and tells the memory that each took."""
        assert self._built
        given, peaks = [], {}
        for part in PASSES:
            _forget_peak()
            given.append(getattr(self._built, part)())
            peak = _bytes("VmHWM")
            peaks[part] = None if peak is None else peak - self._held
        results = self._built.results(*given)
        flat = [value for layer in results.weights for own in layer for value in own]
        arrays = {"y": results.y, "x": results.x} | {f"weights{n}": value for n, value in enumerate(flat)}
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return {"peak_bytes": peaks}

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
        from lstm_jax.text import corpus

        own = from_json(config)
        corpora = corpus.prepare(own.data)
        _forget_peak()
        self._steps = lanes.step_case(own, corpora, lanes.Way(count, "auto", 0))
        self._steps(Path())
        return {"peak_bytes": _bytes("VmHWM")}

    def step(self) -> dict[str, Any]:
        """Seconds of a step of all lanes."""
        start = time.perf_counter()
        made = self._steps(Path())
        return {"seconds": (time.perf_counter() - start) / made}

    def reviews(self, config: str, cache: str) -> dict[str, Any]:
        """Prepares the reviews of a config, with an empty folder as the cache."""
        from lstm_jax.benchmarks import text

        stages = text.measure_in(Path(cache), from_json(config).data)
        return {"seconds": sum(seconds for _, seconds in stages), "stages": dict(stages), "peak_bytes": _bytes("VmHWM")}

    def limits(self) -> dict[str, Any]:
        """The device, and what it can do at best."""
        return {"device": devices.machine(), "limits": limits.measure()}


def _forget_peak() -> None:
    with contextlib.suppress(OSError):  # where Linux forbids it, the peak is that since the start
        Path("/proc/self/clear_refs").write_text("5")


def _bytes(field: str) -> int | None:
    """Main memory of this process, now (``VmRSS``) or at most since it was forgotten (``VmHWM``), if Linux tells."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), None)


def main() -> None:
    """Answers until the input ends."""
    name = sys.argv[1]
    if name in (*OURS, "limits"):
        devices.configure()
    jax.config.update("jax_enable_compilation_cache", False)  # compiling is timed
    service = Service(name)
    serve(lambda do, **arguments: getattr(service, do)(**arguments))


if __name__ == "__main__":
    main()
