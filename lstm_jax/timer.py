"""Timing of cases in turn.

The speed of a machine drifts. Within a round, all cases run one after another in random order, so slow periods affect
all of them alike. The ratio of two cases within a round is therefore steadier than the time of either.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import numpy as np

PAUSE_SECONDS = 0.02  # Pause between turns, because idle threads of the previous case may still spin.

Name = TypeVar("Name")
Answer = TypeVar("Answer")


def take_turns(cases: Mapping[Name, Callable[[], Answer]], rounds: int) -> dict[Name, list[Answer]]:
    """Calls every case once per round and returns the results by case and round."""
    found: dict[Name, list[Answer]] = {name: [] for name in cases}
    names, rng = list(cases), np.random.default_rng(0)
    for _ in range(rounds):
        for n in rng.permutation(len(names)):
            time.sleep(PAUSE_SECONDS)
            found[names[n]].append(cases[names[n]]())
    return found


def in_turn(cases: Mapping[Name, Callable[[], int]], rounds: int, warm_up: int = 1) -> dict[Name, list[float]]:
    """Times cases in turn.

    Args:
      cases: Functions that do some work, wait until it is done, and return the number of units of work.
      rounds: How often each case is timed.
      warm_up: Number of rounds before the timed ones, in which programs compile. They are left out.

    Returns:
      Seconds per unit of work, by case and round.
    """
    timed = {name: partial(_seconds, case) for name, case in cases.items()}
    return {name: seconds[warm_up:] for name, seconds in take_turns(timed, warm_up + rounds).items()}


def _seconds(case: Callable[[], int]) -> float:
    start = time.perf_counter()
    units = case()
    return (time.perf_counter() - start) / units
