"""Implementations of the LSTM timed side by side, each in a process of its own, in turn.

A case is drawn from the same seed everywhere. Before anything is timed, what every implementation gives is held to the
first one's of ours. Then all take turns: in each round every implementation makes some calls, in an order drawn anew,
while the others wait, so that a slow minute of the machine meets all of them. Every case has fresh processes, so that
one that ends, or keeps memory, has nothing to do with the next case.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.benchmarks.measurement import PASSES, Device, Measurement
from lstm_jax.benchmarks.implementations import PEERS
from lstm_jax.benchmarks.implementations.problem import Case

ROOT = Path(__file__).parents[2]
PATIENCE = 3 * 3600.0  # seconds that an answer may take; a collective of XLA may wait for ever
LAST_LINE = 200  # characters of what a process said last that are told
MOST_ROUNDS, LEAST_ROUNDS = 9, 5
ROUNDS_SECONDS = 120.0  # that the rounds of a pass should take at most, where that leaves the least number of them
TURN_SECONDS = 0.25  # that a turn takes at least
MOST_CALLS = 200
PAUSE_SECONDS = 0.02  # between turns: threads that found nothing more to do spin for a while
# Of the largest value of an array. In bfloat16, of 8 bits, some also add up gradients over all steps.
TOLERANCE = {"float32": 2e-3, "bfloat16": 0.25}


class Worker:
    """The process of one implementation; a context manager.

    Args:
      name: what the process is asked for.
      module: that it runs.
      environment: what it has beyond this process's.
    """

    def __init__(
        self, name: str, module: str = "lstm_jax.benchmarks.worker", environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        found = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))  # from wherever this began
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - as long as this lives
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=os.environ | {"PYTHONPATH": found} | dict(environment or {}),
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The worker's answer, with ``error`` where it failed, is gone, or was ended after ``PATIENCE``."""
        assert self._process.stdin
        assert self._process.stdout
        impatient = threading.Timer(PATIENCE, self._process.kill)
        impatient.start()
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            impatient.cancel()
        return json.loads(line) if line.endswith("\n") else {"error": self._ended()}

    def _ended(self) -> str:
        """How the process ended, and the last that it said."""
        code = self._process.wait()
        self._said.seek(0)
        last = self._said.read().strip().splitlines()[-1:]
        return ": ".join([f"its process ended with code {code}", *(line[-LAST_LINE:] for line in last)])


def started(name: str) -> Worker:
    """The process of an implementation of layers."""
    return Worker(name, environment=PEERS[name].environment)


class Team:
    """The workers of a case that have not failed, the first of them the reference; and why the others have."""

    def __init__(self, workers: Sequence[Any]) -> None:
        self.reference: str = workers[0].name
        self.errors: dict[str, str] = {}
        self._workers = list(workers)

    @property
    def sound(self) -> list[Any]:
        """Those that have not failed."""
        return [worker for worker in self._workers if worker.name not in self.errors]

    def ask(self, worker: Any, do: str, **arguments: Any) -> dict[str, Any] | None:
        """A worker's answer, or ``None`` if it fails at this."""
        answer = worker.ask(do, **arguments)
        if "error" in answer:
            self.errors[worker.name] = answer["error"]
            return None
        return answer

    def ask_all(self, do: str, **arguments: Any) -> dict[str, dict[str, Any]]:
        """Answers by name of those that do not fail."""
        answers = {worker.name: self.ask(worker, do, **arguments) for worker in self.sound}
        return {name: answer for name, answer in answers.items() if answer is not None}


def measure(
    suite: str, case: Case, names: Sequence[str], dtype: str, device: Device, start: Callable[[str], Any] = started
) -> list[Measurement]:
    """Both passes of all implementations over a case, without what depends on the device's limits.

    Args:
      suite: its name.
      case: the sizes.
      names: of implementations; the first is what the others are held to.
      dtype: float32 | bfloat16.
      device: that all compute on.
      start: makes a context manager that gives a worker.
    """
    with contextlib.ExitStack() as running:
        team = Team([running.enter_context(start(name)) for name in names])
        team.ask_all("load")
        built = team.ask_all("build", case=list(case), dtype=dtype, platform=device.platform)
        checked = _check(team, TOLERANCE[dtype])
        found = []
        for part in PASSES:
            rounds = _turns(team, part)
            for name in names:
                own = Measurement(suite, case.name, name, part, dtype, device.name, team.errors.get(name))
                if name in rounds:
                    own = _told(own, case, rounds[name])._replace(
                        compile_seconds=built[name]["compile_seconds"][part],
                        difference=checked[name]["difference"],
                        peak_bytes=checked[name]["peak_bytes"][part],
                    )
                found.append(own)
        return found


def _told(own: Measurement, case: Case, rounds: list[list[float]]) -> Measurement:
    """With the figures that follow from the seconds of its calls."""
    ms = 1e3 * np.concatenate(rounds)
    return own._replace(
        median_ms=float(np.median(ms)),
        p10_ms=float(np.quantile(ms, 0.1)),
        p90_ms=float(np.quantile(ms, 0.9)),
        gflops=float(case.flop(own.part) / (np.median(ms) * 1e6)),
        rounds=tuple(float(1e3 * np.median(each)) for each in rounds),
    )


def _check(team: Team, tolerance: float) -> dict[str, dict[str, Any]]:
    """Takes those out whose results are not the first one's; of the others, memory and difference by name."""
    checked: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        reference: dict[str, Any] | None = None
        for worker in team.sound:
            file = Path(folder) / f"{worker.name}.npz"
            answer = team.ask(worker, "save", file=str(file))
            if answer is None:
                continue
            with np.load(file, allow_pickle=False) as arrays:
                own = dict(arrays)
            file.unlink()
            if worker.name == team.reference:
                reference = own
            if reference is None:
                team.errors[worker.name] = f"not measured: {team.reference}, which it would be held to, failed"
                continue
            worst = max(_difference(own[name], reference[name]) for name in reference)
            if not worst <= tolerance:
                team.errors[worker.name] = f"differs from {team.reference} by {worst:.2g} of the largest value"
                continue
            checked[worker.name] = {**answer, "difference": worst}
    return checked


def _difference(own: Any, reference: Any) -> float:
    if own.shape != reference.shape or not np.isfinite(own).all():
        return float("inf")
    return float(np.abs(own - reference).max() / np.abs(reference).max())


def _turns(team: Team, part: str) -> dict[str, list[list[float]]]:
    """Seconds of all calls, by implementation and round."""
    warm = {name: answer["seconds"][0] for name, answer in team.ask_all("time", part=part, calls=1).items()}
    calls = {name: int(np.clip(np.ceil(TURN_SECONDS / seconds), 1, MOST_CALLS)) for name, seconds in warm.items()}
    a_round = sum(calls[name] * warm[name] for name in warm)
    count = int(np.clip(ROUNDS_SECONDS / max(a_round, 1e-9), LEAST_ROUNDS, MOST_ROUNDS))
    found: dict[str, list[list[float]]] = {name: [] for name in warm}
    rng = np.random.default_rng(0)
    for _ in range(count):
        sound = team.sound
        for n in rng.permutation(len(sound)):
            worker = sound[n]
            time.sleep(PAUSE_SECONDS)
            answer = team.ask(worker, "time", part=part, calls=calls[worker.name])
            if answer is not None:
                found[worker.name].append(answer["seconds"])
    return {worker.name: found[worker.name] for worker in team.sound}
