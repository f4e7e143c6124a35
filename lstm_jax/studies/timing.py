"""Steps timed by themselves, in turn: what one of each optimizer costs, and how lanes share a device best."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from lstm_jax.config import Config, from_json, to_json, validate
from lstm_jax.data.batching import Chunk
from lstm_jax.data.corpus import Corpora, lengths
from lstm_jax.files import digest, write_text
from lstm_jax.runtime import cache_dir, machine, memory_bytes
from lstm_jax.studies import trials
from lstm_jax.training import run
from lstm_jax.training.batch_schedule import lane_plan
from lstm_jax.training.feed import feed_arguments
from lstm_jax.training.loop import Loop
from lstm_jax.training.workdir import Lane

log = logging.getLogger(__name__)

STEP_ROUNDS, CALLS = 7, 6  # CALLS are made in a round for each length
LANE_MAPS = ("map", "vmap")
LANE_ROUNDS, PER_DEVICE = 3, 4  # PER_DEVICE lanes are trained while measuring
SHARE = 0.5  # The share of memory that lanes may take.


def first_epoch(loop: Loop, lanes: list[Lane]) -> list[Chunk]:
    """The chunks of the first epoch."""
    return lane_plan(lengths(loop.train.host), loop.buckets, loop.config, [lane.seed for lane in lanes], epoch=0)


def longest_chunk(loop: Loop, lanes: list[Lane]) -> Chunk:
    """The chunk with the most steps, and among those with the longest examples, of the first epoch."""
    return max(first_epoch(loop, lanes), key=lambda chunk: (chunk.examples.shape[1], chunk.length))


def make_steps(loop: Loop, state: Any, chunk: Chunk, times: int = 1) -> Any:
    """Makes the steps of a chunk ``times`` times and waits for the last; returns the state after them."""
    for _ in range(times):
        corpus, feed = feed_arguments(loop.train, chunk.examples, chunk.length, loop.config.steps_per_call)
        state, metrics = loop.program.train(state, corpus, feed, chunk.examples.shape[1], chunk.length)
    jax.block_until_ready((state, metrics))
    return state


def in_turn(cases: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """The seconds that each case returns, by round. They take turns; a first round, which compiles, is left out."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds + 1):
        for name, case in cases.items():
            found[name].append(case())
    return {name: seconds[1:] for name, seconds in found.items()}


class Stepper:
    """A program whose steps can be made and timed by themselves."""

    def __init__(self, config: Config, corpora: Corpora, lanes: list[Lane]) -> None:
        """Assembles a stack of lanes at step 0."""
        self.lanes = lanes
        self.loop = run.assemble(config, corpora, lanes)
        self._state = run.first_checkpoint(self.loop.program, config, lanes).state

    def seconds(self, chunk: Chunk, times: int = 1) -> float:
        """Seconds of a step of a chunk, all lanes together."""
        start = time.perf_counter()
        self._state = make_steps(self.loop, self._state, chunk, times)
        return (time.perf_counter() - start) / (times * chunk.examples.shape[1])


def step_milliseconds(configs: Mapping[str, Config], corpora: Corpora) -> dict[str, float]:
    """What a step as ``train.py`` makes it takes, by optimizer: the mean over rounds in which they take turns.

    Every length of examples counts by its share of an epoch's steps. It is no median, so that work which an
    optimizer does every so many steps has its share.

    Args:
      configs: optimizer → the config of a single run.
      corpora: its data.
    """

    def case(config: Config) -> Callable[[], float]:
        stepper = Stepper(config, corpora, [Lane(config.seed, {})])
        calls = first_epoch(stepper.loop, stepper.lanes)
        longest = {chunk.length: chunk for chunk in sorted(calls, key=_steps)}
        steps = {length: sum(_steps(chunk) for chunk in calls if chunk.length == length) for length in sorted(longest)}
        shares = {length: count / sum(steps.values()) for length, count in steps.items()}
        return lambda: sum(share * stepper.seconds(longest[length], CALLS) for length, share in shares.items())

    found = in_turn({name: case(config) for name, config in configs.items()}, STEP_ROUNDS)
    return {name: 1e3 * float(np.mean(seconds)) for name, seconds in found.items()}


def _steps(chunk: Chunk) -> int:
    return chunk.examples.shape[1]


class LaneChoice(NamedTuple):
    """How lanes share a device, as measured."""

    lane_map: str  # map | vmap
    lane_bytes: int  # The memory that one more lane takes.
    milliseconds: dict[str, float]  # a step of one lane, by lane map


def autotune_lanes(config: Config, corpora: Corpora) -> LaneChoice:
    """The faster way for lanes of a config to share this machine's devices; of no effect on what they compute.

    It is measured once for a network on a machine, and remembered in the cache folder.

    Args:
      config: one of the lanes.
      corpora: their data.
    """
    file = cache_dir() / "lanes.json"
    key = digest(machine(), jax.__version__, trials.cost(config), len(corpora.train.tokens))
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if key not in known:
        known[key] = _measured(config, corpora)._asdict()
        write_text(file, json.dumps(known, indent=2) + "\n")
    choice = LaneChoice(**known[key])
    spoken = ", ".join(f"{lane_map} {ms:.2f} ms" for lane_map, ms in choice.milliseconds.items())
    log.info("lanes share a device by %s (a step of one lane: %s)", choice.lane_map, spoken)
    return choice


def most_lanes(choice: LaneChoice, state_bytes: int) -> int:
    """How many lanes fit in memory at once: a multiple of the devices.

    Args:
      choice: as measured.
      state_bytes: of a lane's checkpoint; optimizers differ in it, and one was measured.
    """
    devices = len(jax.devices())
    return max(1, int(SHARE * memory_bytes() / (choice.lane_bytes + 2 * state_bytes)) // devices) * devices


def _measured(config: Config, corpora: Corpora) -> LaneChoice:
    lanes = [Lane(n, {}) for n in range(PER_DEVICE * len(jax.devices()))]
    steppers: dict[str, Stepper] = {}
    for lane_map in LANE_MAPS:
        own = from_json(to_json(config))
        own.train.lane_map = lane_map
        steppers[lane_map] = Stepper(validate(own), corpora, lanes)
    chunk = longest_chunk(steppers["map"].loop, lanes)
    cases = {name: lambda stepper=stepper: stepper.seconds(chunk) / len(lanes) for name, stepper in steppers.items()}
    medians = {name: float(np.median(seconds)) for name, seconds in in_turn(cases, LANE_ROUNDS).items()}
    faster = min(medians, key=medians.__getitem__)
    peak = steppers[faster].loop.program.peak_bytes() / PER_DEVICE
    return LaneChoice(faster, int(peak), {name: 1e3 * value for name, value in medians.items()})
