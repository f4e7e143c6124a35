"""What lanes gain over the same runs one after the other: in steps alone, in whole runs, in whole commands."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from lstm_jax.config import Config, from_json, to_json, validate
from lstm_jax.data import corpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.reports import plots
from lstm_jax.runtime import machine
from lstm_jax.studies import lane_choice
from lstm_jax.studies.lane_choice import WAYS
from lstm_jax.studies.stepping import longest_call, make
from lstm_jax.training import loop as loops
from lstm_jax.training import run
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.loop_state import Notes
from lstm_jax.training.workdir import Lane

COUNTS = (2, 4, 8, 16, 32)
MANY = 32  # lanes that the verdict is about, so that it is no best of several
SOLO = "solo"
STEP_ROUNDS, RUN_ROUNDS = 7, 3
CALLS = 3  # of a round of steps


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
Case = Callable[[Path], int]  # does it once, in an empty folder if it needs one, and returns how many of it were made


class Speeds(NamedTuple):
    """What was measured."""

    conditions: str
    chosen: str  # how lanes share a device here, as studies choose it
    steps: Seconds  # a step on the longest reviews, the device working ahead
    runs: Seconds  # a whole run with its validations and checkpoints, by a program that is compiled already
    commands: Seconds  # the same with all that ``train.py`` does in it: tracing, compiled code from the cache, notes


def measure(config: Config, workdir: Path) -> Speeds:
    """All ways of training, in turn within each round: solo on one device and on all, and lanes by number.

    Args:
      config: of a run.
      workdir: where runs are made; nothing of them is kept.
    """
    corpora = corpus.prepare(config.data)
    chosen, everywhere = lane_choice.choose(config, corpora).lane_map, len(jax.devices())
    solos = [Way(1, SOLO, devices) for devices in sorted({1, everywhere})]
    lanes = [Way(count, chosen, everywhere) for count in COUNTS]
    others = [Way(count, way, everywhere) for way in WAYS if way != chosen for count in COUNTS]
    with tempfile.TemporaryDirectory(dir=workdir) as place:
        return Speeds(
            f"{machine()}, JAX {jax.__version__}, commit {run.git_commit()}",
            chosen,
            _in_turn({way: step_case(config, corpora, way) for way in (*solos, *lanes, *others)}, STEP_ROUNDS, place),
            _in_turn({way: _run(config, corpora, way) for way in (*solos, *lanes)}, RUN_ROUNDS, place),
            _in_turn({way: _command(config, corpora, way) for way in (*solos, lanes[-1])}, RUN_ROUNDS, place),
        )


def _in_turn(cases: dict[Way, Case], rounds: int, place: str) -> Seconds:
    """Seconds a lane in each round, in an order drawn anew; a first round, which compiles, is left out."""
    found: Seconds = {way: [] for way in cases}
    ways, rng = list(cases), np.random.default_rng(0)
    for _ in range(rounds + 1):
        for n in rng.permutation(len(ways)):
            with tempfile.TemporaryDirectory(dir=place) as folder:
                start = time.perf_counter()
                made = cases[ways[n]](Path(folder))
                found[ways[n]].append((time.perf_counter() - start) / (made * ways[n].lanes))
    return {way: seconds[1:] for way, seconds in found.items()}


def step_case(config: Config, corpora: Corpora, way: Way) -> Case:
    """Some calls of the compiled program, on the longest reviews."""
    own, lanes = way.of(config)
    loop, first = run.assemble(own, corpora, lanes)
    call = longest_call(loop, lanes)
    state = first.state

    def case(_: Path) -> int:
        nonlocal state
        state = make(loop, state, call, CALLS)
        return CALLS * call.reviews.shape[1]

    return case


def _run(config: Config, corpora: Corpora, way: Way) -> Case:
    own, lanes = way.of(config)
    loop, _ = run.assemble(own, corpora, lanes)

    def case(folder: Path) -> int:
        first = run.fresh(loop.program, [lane.seed for lane in lanes], [lane.hparams(own) for lane in lanes])
        checkpoints = Checkpoints(folder)
        loops.run(loop, first.state, first.best, Notes.from_json(first.notes), checkpoints, folder, _silent)
        checkpoints.finish()
        return 1

    return case


def _command(config: Config, corpora: Corpora, way: Way) -> Case:
    own, lanes = way.of(config)

    def case(folder: Path) -> int:
        run.train(own, folder, lanes, corpora, _silent)
        return 1

    return case


def _silent(step: int, steps: int) -> None:
    """Shows nothing."""


def table(found: Speeds) -> str:
    """A line a way beside the fastest way to make one run after the other, and what many lanes gain."""
    parts = [_table(name, getattr(found, name), found.chosen) for name in ("steps", "runs", "commands")]
    return "\n\n".join((found.conditions, *parts))


def _table(name: str, found: Seconds, chosen: str) -> str:
    base = _solo(found)
    lines = [f"{name:<12}{'lanes':>8}{'devices':>9}{'seconds a lane':>17}{'over solo':>12}"]
    for way, seconds in found.items():
        ratio = _median(base) / _median(seconds)
        lines.append(f"{way.lane_map:<12}{way.lanes:>8}{way.devices:>9}{_median(seconds):>17.5f}{ratio:>12.2f}")
    many = next(way for way in found if way.lanes == MANY and way.lane_map == chosen)
    rounds = np.array(base) / np.array(found[many])
    gain = f"{_median(base) / _median(found[many]):.2f} times as fast as one run after the other"
    lines.append(f"{MANY} lanes by {chosen} are {gain} (rounds: {rounds.min():.2f} to {rounds.max():.2f})")
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
        own = {way.lanes: _median(each) for way, each in seconds.items() if way.lane_map == found.chosen}
        axes.plot(list(own), [_median(_solo(seconds)) / each for each in own.values()], "o-", color=colour, label=name)
    axes.axhline(1, color="grey", linewidth=1, linestyle="--", label="one run after the other")
    axes.set_xscale("log", base=2)
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.set(xlabel="lanes", ylabel="throughput over that of runs alone")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    plots.save(drawn, path)
