"""What lanes gain: many runs at once against the same runs one after the other, in steps alone and in whole runs."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from lstm_jax.config import Config, from_json, to_json, validate
from lstm_jax.reports import plots
from lstm_jax.studies.lane_choice import WAYS
from lstm_jax.studies.stepping import longest_call, make
from lstm_jax.text import corpus
from lstm_jax.text.corpus import Corpora
from lstm_jax.training import run
from lstm_jax.training.workdir import Lane

COUNTS = (2, 4, 8, 16, 32)
SOLO = "solo"
STEP_ROUNDS = 7
RUN_ROUNDS = 2


class Way(NamedTuple):
    """A way to train many runs."""

    lanes: int  # at once
    lane_map: str  # solo, or how lanes share a device
    devices: int

    def of(self, config: Config) -> tuple[Config, list[Lane]]:
        """What is trained: the config, and as many seeds of it as there are lanes."""
        own = from_json(to_json(config))
        own.train.devices, own.train.lane_map = self.devices, "auto" if self.lane_map == SOLO else self.lane_map
        return validate(own), [Lane(seed, {}) for seed in range(self.lanes)]


Seconds = dict[Way, list[float]]  # that one lane takes, by round


class Speeds(NamedTuple):
    """What was measured."""

    steps: Seconds  # a step of the longest reviews
    runs: Seconds  # a whole run with its validations and checkpoints


def measure(config: Config, workdir: Path) -> Speeds:
    """All ways of training, in turn within each round: solo on one device and on all, and lanes by number.

    Of whole runs only the ways whose steps are the fastest for their number of lanes. Reviews are prepared once, and
    compiled programs come from the cache, for a run alone as for a stack.

    Args:
      config: of a run.
      workdir: where runs are made; nothing of them is kept.
    """
    corpora = corpus.prepare(config.data)
    everywhere = len(jax.devices())
    solos = [Way(1, SOLO, devices) for devices in sorted({1, everywhere})]
    ways = [*solos, *(Way(count, lane_map, everywhere) for count in COUNTS for lane_map in WAYS)]
    steps = _in_turn({way: _step(config, corpora, way) for way in ways}, STEP_ROUNDS)
    faster = [min((way for way in ways if way.lanes == count), key=lambda way: _median(steps[way])) for count in COUNTS]
    with tempfile.TemporaryDirectory(dir=workdir) as place:
        runs = {way: _run(config, corpora, way, Path(place) / "run") for way in (*solos, *faster)}
        return Speeds(steps, _in_turn(runs, RUN_ROUNDS))


def _in_turn(cases: dict[Way, Callable[[], None]], rounds: int) -> Seconds:
    """Seconds a lane in each round; a first one, which compiles, is left out."""
    found: Seconds = {way: [] for way in cases}
    for _ in range(rounds + 1):
        for way, case in cases.items():
            start = time.perf_counter()
            case()
            found[way].append((time.perf_counter() - start) / way.lanes)
    return {way: seconds[1:] for way, seconds in found.items()}


def _step(config: Config, corpora: Corpora, way: Way) -> Callable[[], None]:
    """Makes the steps of one call, whose number does not depend on the way."""
    own, lanes = way.of(config)
    loop, first = run.assemble(own, corpora, lanes)
    call = longest_call(loop, lanes)
    state = first.state

    def case() -> None:
        nonlocal state
        state = make(loop, state, call)

    return case


def _run(config: Config, corpora: Corpora, way: Way, folder: Path) -> Callable[[], None]:
    own, lanes = way.of(config)

    def case() -> None:
        run.train(own, folder, lanes, corpora, follow=lambda made, of: None)
        shutil.rmtree(folder)

    return case


def table(found: Speeds) -> str:
    """A line a way beside the fastest way to make one run after the other, and what the best of them gains."""
    return "\n\n".join((_table("steps alone", found.steps), _table("whole runs", found.runs)))


def _table(name: str, found: Seconds) -> str:
    base = _solo(found)
    lines = [f"{name:<20}{'lanes':>8}{'devices':>9}{'seconds a lane':>17}{'over solo':>12}"]
    for way, seconds in found.items():
        ratio = _median(base) / _median(seconds)
        lines.append(f"{way.lane_map:<20}{way.lanes:>8}{way.devices:>9}{_median(seconds):>17.4f}{ratio:>12.2f}")
    best = min(found, key=lambda way: _median(found[way]))
    rounds = np.array(base) / np.array(found[best])
    gain = f"{_median(base) / _median(found[best]):.2f} times as fast as one run after the other"
    lines.append(f"{best.lanes} lanes by {best.lane_map} are {gain} (rounds: {rounds.min():.2f} to {rounds.max():.2f})")
    return "\n".join(lines)


def _solo(found: Seconds) -> list[float]:
    """Of the fastest way to make one run after the other."""
    return min((seconds for way, seconds in found.items() if way.lane_map == SOLO), key=_median)


def _median(seconds: list[float]) -> float:
    return float(np.median(seconds))


def picture(found: Speeds, path: Path) -> None:
    """Throughput over the number of lanes, as a multiple of that of one run after the other."""
    drawn, axes = plots.figure(6.5, 4)
    for name, seconds, colour in (("whole runs", found.runs, "#1b6ca8"), ("steps alone", found.steps, "#d95f02")):
        base = _median(_solo(seconds))
        best = [max(base / _median(own) for way, own in seconds.items() if way.lanes == count) for count in COUNTS]
        axes.plot(COUNTS, best, "o-", color=colour, label=name)
    axes.axhline(1, color="grey", linewidth=1, linestyle="--", label="one run after the other")
    axes.set_xscale("log", base=2)
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.set(xlabel="lanes", ylabel="throughput over that of runs alone")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    plots.save(drawn, path)
