"""A process of its own for one implementation: it makes cases ready and times them whenever it is asked.

It reads a JSON object a line from its standard input and answers with one a line; see ``benchmark.Worker``.
"""

import importlib
import os
import resource
import sys
import time
from typing import Any

import numpy as np

from lstm_jax import devices
from lstm_jax.benchmarks import limits
from lstm_jax.benchmarks.peers import OURS, PEERS
from lstm_jax.benchmarks.peers.problem import Built, Case, draw
from lstm_jax.benchmarks.serving import serve


class Service:
    """What a worker does for its implementation."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._built: Built | None = None
        self._problem: Any = None

    def describe(self) -> dict[str, Any]:
        """The device."""
        return {"device": devices.machine()}

    def build(self, case: list[Any], dtype: str) -> dict[str, Any]:
        """Makes a case ready."""
        make = importlib.import_module(f"lstm_jax.benchmarks.peers.{PEERS[self._name]}").build
        size = Case(*case)
        self._problem = draw(size)
        _peak_bytes(reset=True)
        self._built = make(self._name, size, self._problem, dtype)
        return {"compile_seconds": self._built.compile_seconds}

    def save(self, file: str) -> dict[str, Any]:
        """Writes what both passes give, for the parent to compare."""
        assert self._built
        results = self._built.results(self._built.forward(), self._built.train())
        flat = [value for layer in results.weights for own in layer for value in own]
        arrays = {"y": results.y, "x": results.x} | {f"weights{n}": value for n, value in enumerate(flat)}
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return {"peak_bytes": _peak_bytes()}

    def time(self, part: str, calls: int) -> dict[str, Any]:
        """Seconds of each of so many calls."""
        assert self._built
        run, seconds = getattr(self._built, part), []
        for _ in range(calls):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}

    def limits(self) -> dict[str, Any]:
        """What the device can do at best."""
        return limits.measure()._asdict()


def _peak_bytes(reset: bool = False) -> int:
    """The most memory that this process has held since the last reset, where the system counts that."""
    if reset and os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status") as file:
            lines = [line for line in file if line.startswith("VmHWM")]
        if lines:
            return 1024 * int(lines[0].split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Answers until the input ends."""
    name = sys.argv[1]
    if name in (*OURS, "limits"):
        devices.configure()
    service = Service(name)
    serve(lambda do, **arguments: getattr(service, do)(**arguments))


if __name__ == "__main__":
    main()
