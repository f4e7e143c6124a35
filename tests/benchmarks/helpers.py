"""Made-up measurements, and fake workers without processes."""

import numpy as np

from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import PASSES, Measurement
from lstm_jax.benchmarks.record import Record

CASES = (Case("A, small", 8, 20, 16, 32), Case("B, large", 16, 50, 64, 128, layers=2, directions=2))
LIMITS = Limits(100.0, 120.0, 20.0, 0.5)


def measured(name: str, rounds: tuple[float, ...], case: Case = CASES[0], pass_: str = "train") -> Measurement:
    """The measurement of an implementation with these milliseconds per round."""
    ms = float(np.median(rounds))
    return Measurement(
        suite="systems",
        case=case.name,
        implementation=name,
        pass_=pass_,
        dtype="float32",
        device="2 × cpu",
        compile_seconds=1.0,
        median_ms=ms,
        p10_ms=min(rounds),
        p90_ms=max(rounds),
        gflops=case.flop(pass_) / (1e6 * ms),
        difference=1e-6,
        peak_bytes=2**20,
        rounds=rounds,
    )


def failed(name: str, error: str, case: Case = CASES[0], pass_: str = "train") -> Measurement:
    """The measurement of an implementation that failed."""
    return Measurement("systems", case.name, name, pass_, "float32", "2 × cpu", error)


def recorded(measurements: list[Measurement]) -> Record:
    """A record of measurements."""
    return Record(
        command="python bench.py --suite=systems --workdir=W",
        date="2026-01-31",
        device="2 × cpu",
        versions={"jax": "0.10.2", "keras": None},
        git_commit="abcdef",
        limits_before=LIMITS,
        limits_after=LIMITS._replace(float32_gflops=110.0, copy_gbps=10.0),
        cases={case.name: case for case in CASES},
        measurements=measurements,
    )


def all_measured() -> list[Measurement]:
    """Both cases and passes of four implementations: torch is noisy once, keras is not installed."""
    found = []
    for case in CASES:
        for pass_ in PASSES:
            noisy = case is CASES[1] and pass_ == "train"
            found += [
                measured("auto", (10.0, 10.1, 9.9), case, pass_),
                measured("scan", (20.0, 20.2, 19.8), case, pass_),
                measured("torch", (5.0, 10.0, 20.0) if noisy else (5.0, 5.05, 4.95), case, pass_),
                failed("keras", "keras is not installed", case, pass_),
            ]
    return found


class FakeWorker:
    """Answers like a worker. Every call takes ``seconds``, and the results are ``values``.

    Args:
      name: The name of the implementation.
      values: The values of the array that it saves.
      seconds: The duration of a call.
      failing: The request that it answers with an error.
    """

    def __init__(self, name: str, values: object = (1.0, 2.0), seconds: float = 0.1, failing: str = "") -> None:
        self.name, self.asked = name, []
        self._values, self._seconds, self._failing = values, seconds, failing

    def __enter__(self) -> "FakeWorker":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, do: str, **arguments):
        self.asked.append(do)
        if do == self._failing or (do == "time" and arguments["pass_"] == self._failing):
            return {"error": f"failed to {self._failing}"}
        if do == "save":
            np.savez(arguments["file"], y=np.array(self._values))
            return {"peak_bytes": {"forward": 1, "train": 2}}
        if do == "time":
            return {"seconds": [self._seconds] * arguments["calls"]}
        return {"build": {"compile_seconds": {"forward": 0.5, "train": 0.7}}, "load": {}}[do]
