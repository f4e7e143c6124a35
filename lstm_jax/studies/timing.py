"""What a step of each optimizer costs by itself, as ``train.py`` makes it; lanes' times are no such thing."""

import time
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.config import Config
from lstm_jax.data.batching import Chunk
from lstm_jax.data.corpus import Corpora
from lstm_jax.studies.stepping import first_epoch, make
from lstm_jax.training import run
from lstm_jax.training.loop import Loop
from lstm_jax.training.workdir import Lane

ROUNDS = 7
CALLS = 6  # of a round, for each length of reviews


class _Part(NamedTuple):
    """The calls of one length of reviews."""

    share: float  # of the steps of an epoch
    call: Chunk  # one of the longest


def milliseconds(configs: dict[str, Config], corpora: Corpora) -> dict[str, float]:
    """What a step takes, for each optimizer: the mean over rounds in which all of them take turns.

    Every length of reviews counts by its share of an epoch's steps. It is no median, so that work which an optimizer
    does every so many steps has its part.

    Args:
      configs: optimizer → the config of a single run.
      corpora: its reviews.
    """
    running: dict[str, tuple[Loop, Any, list[_Part]]] = {}
    for name, config in configs.items():
        lanes = [Lane(config.seed, {})]
        loop = run.assemble(config, corpora, lanes)
        first = run.first_checkpoint(loop.program, config, lanes)
        parts = _parts(loop)
        running[name] = loop, _timed(loop, first.state, parts)[1], parts  # compiles
    found: dict[str, list[float]] = {name: [] for name in configs}
    for _ in range(ROUNDS):
        for name, (loop, state, parts) in running.items():
            seconds, state = _timed(loop, state, parts)
            found[name].append(seconds)
            running[name] = loop, state, parts
    return {name: 1e3 * float(np.mean(seconds)) for name, seconds in found.items()}


def _parts(loop: Loop) -> list[_Part]:
    calls = first_epoch(loop, [Lane(0, {})])
    everything = sum(map(_steps, calls))
    parts = []
    for length in sorted({call.length for call in calls}):
        own = [call for call in calls if call.length == length]
        parts.append(_Part(sum(map(_steps, own)) / everything, max(own, key=_steps)))
    return parts


def _steps(call: Chunk) -> int:
    return call.examples.shape[1]


def _timed(loop: Loop, state: Any, parts: list[_Part]) -> tuple[float, Any]:
    """Seconds of a step of an epoch, and the state after those that were made."""
    seconds = 0.0
    for part in parts:
        start = time.perf_counter()
        state = make(loop, state, part.call, CALLS)
        seconds += part.share * (time.perf_counter() - start) / (CALLS * _steps(part.call))
    return seconds, state
