"""Implementations of the LSTM timed side by side, each in a process of its own, in turn.

A case is drawn from the same seed everywhere. Before anything is timed, what every implementation gives is held to the
first one's of ours. Then all take turns: in each round every implementation makes some calls, in an order drawn anew,
while the others wait, so that a slow minute of the machine meets all of them.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.benchmarks.peers.problem import Case

PASSES = ("forward", "train")
ROUNDS = 9
TURN_SECONDS = 0.25  # that a turn takes at least
MOST_CALLS = 200
WARM_CALLS = 2
TOLERANCE = {"float32": 2e-3, "bfloat16": 1e-1}  # of the largest value of an array
NOISY = 0.15  # spread of the rounds' ratios between the quartiles above which no ratio is told


class Measurement(NamedTuple):
    """An implementation's pass over a case."""

    suite: str
    case: str
    implementation: str
    part: str  # forward | train
    dtype: str
    device: str
    error: str  # what went wrong; then there are no figures
    compile_seconds: float | None = None
    median_ms: float | None = None
    p10_ms: float | None = None
    p90_ms: float | None = None
    gflops: float | None = None  # of the matrix products, without padding
    fraction_of_limit: float | None = None  # of the ceiling of the device's matrix products in that type
    peak_bytes: int | None = None
    rounds_ms: tuple[float, ...] = ()  # the median of each round

    def as_json(self) -> dict[str, Any]:
        """As it stands in ``bench.json``."""
        values = self._asdict()
        return {"pass" if name == "part" else name: value for name, value in values.items()}


class Worker:
    """The process of one implementation; a context manager."""

    def __init__(self, name: str, module: str = "lstm_jax.benchmarks.worker") -> None:
        self.name = name
        command = [sys.executable, "-m", module, name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The worker's answer, with ``error`` where it failed or is gone."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": "its process has ended"}


def measure(
    suite: str, cases: Sequence[Case], workers: Sequence[Worker], dtype: str, ceiling: float, device: str
) -> Iterable[Measurement]:
    """All passes of all implementations over the cases, a case after the other.

    Args:
      suite: its name.
      cases: its sizes.
      workers: of the implementations; the first is what the others are held to.
      dtype: float32 | bfloat16.
      ceiling: GFLOP/s of matrix products in that type.
      device: in words.
    """
    for case in cases:
        yield from _case(suite, case, workers, dtype, ceiling, device)


def _case(
    suite: str, case: Case, workers: Sequence[Worker], dtype: str, ceiling: float, device: str
) -> Iterable[Measurement]:
    built: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for worker in workers:
        built[worker.name] = worker.ask("build", case=list(case), dtype=dtype)
    peaks = _checked(workers, built, errors, TOLERANCE[dtype])
    sound = [worker for worker in workers if worker.name not in errors]
    for part in PASSES:
        rounds = _turns(sound, part)
        for worker in workers:
            name = worker.name
            found = Measurement(suite, case.name, name, part, dtype, device, errors.get(name, ""))
            if name in rounds:
                ms = 1e3 * np.concatenate(rounds[name])
                gflops = case.flop(part) / (np.median(ms) * 1e6)
                found = found._replace(
                    compile_seconds=built[name]["compile_seconds"][part],
                    median_ms=float(np.median(ms)),
                    p10_ms=float(np.quantile(ms, 0.1)),
                    p90_ms=float(np.quantile(ms, 0.9)),
                    gflops=float(gflops),
                    fraction_of_limit=float(gflops / ceiling),
                    peak_bytes=peaks[name],
                    rounds_ms=tuple(float(1e3 * np.median(each)) for each in rounds[name]),
                )
            yield found


def _checked(
    workers: Sequence[Worker], built: dict[str, Any], errors: dict[str, str], tolerance: float
) -> dict[str, int]:
    """Peak memory of those that give what the first one gives; what is wrong with the others goes into ``errors``."""
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        reference: dict[str, Any] | None = None
        for worker in workers:
            file = Path(folder) / f"{worker.name}.npz"
            answer = built[worker.name]
            if "error" not in answer:
                answer = worker.ask("save", file=str(file))
            if "error" in answer:
                errors[worker.name] = answer["error"]
                continue
            with np.load(file, allow_pickle=False) as arrays:
                own = dict(arrays)
            reference = reference or own
            worst = max(_difference(own[name], reference[name]) for name in reference)
            if worst > tolerance:
                errors[worker.name] = f"differs from {workers[0].name} by {worst:.2g} of the largest value"
                continue
            peaks[worker.name] = answer["peak_bytes"]
    return peaks


def _difference(own: Any, reference: Any) -> float:
    if own.shape != reference.shape or not np.isfinite(own).all():
        return float("inf")
    return float(np.abs(own - reference).max() / np.abs(reference).max())


def _turns(workers: Sequence[Worker], part: str) -> dict[str, list[list[float]]]:
    """Seconds of all calls, by implementation and round."""
    calls = {}
    for worker in workers:
        seconds = worker.ask("time", part=part, calls=WARM_CALLS)["seconds"]
        calls[worker.name] = int(np.clip(np.ceil(TURN_SECONDS / min(seconds)), 1, MOST_CALLS))
    found: dict[str, list[list[float]]] = {worker.name: [] for worker in workers}
    rng = np.random.default_rng(0)
    for _ in range(ROUNDS):
        for n in rng.permutation(len(workers)):
            name = workers[n].name
            found[name].append(workers[n].ask("time", part=part, calls=calls[name])["seconds"])
    return found


class Ratio(NamedTuple):
    """How many times as long one implementation takes as another."""

    median: float
    low: float  # quartiles of the rounds
    high: float

    @property
    def noisy(self) -> bool:
        """Whether the rounds are too far from each other to tell."""
        return self.high - self.low > NOISY * self.median


def ratio(slower: Measurement, faster: Measurement) -> Ratio | None:
    """Of two measurements of the same case in the same turns; ``None`` where one failed."""
    if slower.error or faster.error:
        return None
    rounds = np.array(slower.rounds_ms) / np.array(faster.rounds_ms)
    return Ratio(*(float(np.quantile(rounds, q)) for q in (0.5, 0.25, 0.75)))
