"""What a step of each optimizer costs by itself, as ``train.py`` makes it; lanes' times are no such thing."""

import time
from typing import Any

import numpy as np

from lstm_jax.config import Config
from lstm_jax.studies.stepping import first_epoch, make
from lstm_jax.text.corpus import Corpora
from lstm_jax.training import run
from lstm_jax.training.loop import Loop
from lstm_jax.training.workdir import Lane

STEPS = 48  # of a round, at least; of the first epoch, so from all buckets
ROUNDS = 5
TOGETHER = 8  # optimizers that take turns; each holds its own copy of the reviews meanwhile


def milliseconds(configs: dict[str, Config], corpora: Corpora) -> dict[str, float]:
    """What a step takes, for each optimizer: the mean over rounds in which some of them take turns.

    It is no median, so that work which an optimizer does every so many steps has its part.

    Args:
      configs: optimizer → the config of a single run.
      corpora: its reviews.
    """
    names = list(configs)
    found: dict[str, float] = {}
    for start in range(0, len(names), TOGETHER):
        found |= _together({name: configs[name] for name in names[start : start + TOGETHER]}, corpora)
    return found


def _together(configs: dict[str, Config], corpora: Corpora) -> dict[str, float]:
    running: dict[str, tuple[Loop, Any]] = {}
    for name, config in configs.items():
        loop, first = run.assemble(config, corpora, [Lane(config.seed, {})])
        running[name] = loop, _round(loop, first.state)[1]  # compiles
    seconds: dict[str, list[float]] = {name: [] for name in configs}
    for _ in range(ROUNDS):
        for name, (loop, state) in running.items():
            start = time.perf_counter()
            steps, state = _round(loop, state)
            seconds[name].append((time.perf_counter() - start) / steps)
            running[name] = loop, state
    return {name: 1e3 * float(np.mean(times)) for name, times in seconds.items()}


def _round(loop: Loop, state: Any) -> tuple[int, Any]:
    made = 0
    for call in first_epoch(loop, [Lane(0, {})]):
        if made >= STEPS:
            break
        state = make(loop, state, call)
        made += call.reviews.shape[1]
    return made, state
