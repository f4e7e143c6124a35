"""Compares implementations of LSTM layers: each runs in its own process, is checked, and is then timed in turn.

Every process draws the weights and inputs of a case from the same seed. Before anything is timed, all results are
compared with those of the first implementation. Then the implementations take turns (``timer.take_turns``): one makes
some calls while the others wait. Every case gets new processes, so a process that dies or keeps memory does not affect
the next case.
"""

import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.benchmarks.implementations import LAYER_IMPLEMENTATIONS
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.measurement import PASSES, Device, Measurement
from lstm_jax.benchmarks.worker import Worker
from lstm_jax.timer import take_turns
from lstm_jax.types import HostArray

MOST_ROUNDS, LEAST_ROUNDS = 9, 5
ROUNDS_SECONDS = 120.0  # Time for all rounds of a pass. Slow cases make fewer rounds, but at least LEAST_ROUNDS.
TURN_SECONDS = 0.25  # Minimum duration of a turn. Fast implementations make several calls in it.
MOST_CALLS = 200  # Maximum number of calls in a turn.
# Maximum difference from the reference, relative to an array's largest value. In bfloat16 some implementations sum
# gradients over all steps with a precision of 8 bits.
TOLERANCE = {"float32": 2e-3, "bfloat16": 0.25}


class Team:
    """The workers of one case. A worker that has failed gets no more requests; ``errors`` holds the reason by name."""

    def __init__(self, workers: Mapping[Any, Any]) -> None:
        self.errors: dict[Any, str] = {}
        self._workers = workers

    @property
    def working(self) -> list[Any]:
        """Names of the workers that have not failed."""
        return [name for name in self._workers if name not in self.errors]

    def ask(self, name: Any, do: str, **arguments: Any) -> dict[str, Any] | None:
        """Sends a request. Returns the worker's answer, or ``None`` if it fails now or has failed before."""
        if name in self.errors:
            return None
        answer = self._workers[name].ask(do, **arguments)
        if "error" in answer:
            self.errors[name] = answer["error"]
            return None
        return answer

    def ask_all(self, do: str, **arguments: Any) -> dict[Any, dict[str, Any]]:
        """Sends a request to every worker. Returns the answers by name, without those of workers that fail."""
        answers = {name: self.ask(name, do, **arguments) for name in self.working}
        return {name: answer for name, answer in answers.items() if answer is not None}

    def take_turns(self, requests: Mapping[Any, Mapping[str, Any]], rounds: int) -> dict[Any, list[dict[str, Any]]]:
        """The answers by worker and round, without those of workers that fail.

        Args:
          requests: The arguments of ``ask``, by name.
          rounds: How often each worker is asked.
        """
        cases = {name: partial(self.ask, name, **request) for name, request in requests.items()}
        found = take_turns(cases, rounds)
        return {name: [each for each in own if each] for name, own in found.items() if name not in self.errors}


def layer_worker(name: str) -> Worker:
    """The process of an implementation of LSTM layers."""
    environment = LAYER_IMPLEMENTATIONS[name].environment
    return Worker("lstm_jax.benchmarks.implementations.service:LayerService", name, environment)


def measure_layers(
    suite: str, case: Case, names: Sequence[str], dtype: str, device: Device, start: Callable[[str], Any] = layer_worker
) -> list[Measurement]:
    """Measures both passes of all implementations on one case. The limits of the device are added later.

    Args:
      suite: The name of the suite.
      case: The sizes.
      names: The implementations. Results are compared with those of the first.
      dtype: float32 | bfloat16.
      device: The device that all implementations use.
      start: Makes the worker of an implementation, a context manager.
    """
    with contextlib.ExitStack() as running:
        team = Team({name: running.enter_context(start(name)) for name in names})
        team.ask_all("load")
        built = team.ask_all("build", case=list(case), dtype=dtype, platform=device.platform)
        checked = _check(team, names[0], TOLERANCE[dtype])
        found = []
        for pass_ in PASSES:
            rounds = _rounds(team, pass_)
            for name in names:
                own = Measurement(suite, case.name, name, pass_, dtype, device.name, team.errors.get(name))
                if name in rounds:
                    own = own.timed(rounds[name])._replace(
                        compile_seconds=built[name]["compile_seconds"][pass_],
                        gflops=case.flop(pass_) / (1e9 * float(np.median(np.concatenate(rounds[name])))),
                        difference=checked[name]["difference"],
                        peak_bytes=checked[name]["peak_bytes"][pass_],
                    )
                found.append(own)
        return found


def _check(team: Team, reference: str, tolerance: float) -> dict[str, dict[str, Any]]:
    """Marks implementations as failed if their results differ; returns memory and difference of the others by name."""
    checked: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file, expected = Path(folder) / "results.npz", None
        for name in team.working:
            answer = team.ask(name, "save", file=str(file))
            if answer is None:
                continue
            with np.load(file, allow_pickle=False) as arrays:
                own = dict(arrays)
            expected = own if name == reference else expected
            if expected is None:
                team.errors[name] = f"not measured: {reference}, the reference, failed"
                continue
            worst = max(relative_difference(own[array], expected[array]) for array in expected)
            if not worst <= tolerance:
                team.errors[name] = f"differs from {reference} by {worst:.2g} of the largest value"
                continue
            checked[name] = {**answer, "difference": worst}
    return checked


def relative_difference(own: HostArray, expected: HostArray) -> float:
    """The largest difference over the largest value expected; infinite if shapes differ or a value is not finite."""
    if own.shape != expected.shape or not np.isfinite(own).all():
        return float("inf")
    return float(np.abs(own - expected).max() / np.abs(expected).max())


def _rounds(team: Team, pass_: str) -> dict[str, list[list[float]]]:
    """Seconds of all calls, by implementation and round."""
    first = team.ask_all("time", pass_=pass_, calls=1)  # also warms up
    warm = {name: answer["seconds"][0] for name, answer in first.items()}
    calls = {name: int(np.clip(np.ceil(TURN_SECONDS / seconds), 1, MOST_CALLS)) for name, seconds in warm.items()}
    a_round = sum(calls[name] * warm[name] for name in warm)
    count = int(np.clip(ROUNDS_SECONDS / max(a_round, 1e-9), LEAST_ROUNDS, MOST_ROUNDS))
    requests = {name: {"do": "time", "pass_": pass_, "calls": calls[name]} for name in warm}
    return {name: [each["seconds"] for each in own] for name, own in team.take_turns(requests, count).items()}
