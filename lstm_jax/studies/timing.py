"""Steps timed by themselves, in turn: what one of each optimizer costs, and how lanes share a device best."""

import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from lstm_jax.config import Config, from_json, to_json, validate
from lstm_jax.data.batching import Chunk
from lstm_jax.data.corpus import Corpora, lengths
from lstm_jax.files import digest, write_text
from lstm_jax.runtime import cache_dir, machine, memory_bytes
from lstm_jax.studies import trials
from lstm_jax.timer import in_turn
from lstm_jax.training import run
from lstm_jax.training.batch_schedule import lane_plan
from lstm_jax.training.experiment import TrainState
from lstm_jax.training.feed import feed_arguments
from lstm_jax.training.loop import Loop
from lstm_jax.training.workdir import Lane

_log = logging.getLogger(__name__)

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


class Stepper:
    """A loop whose steps can be made by themselves, from a state that is donated."""

    def __init__(self, loop: Loop, state: TrainState) -> None:
        self.loop, self.state = loop, state

    def steps(self, chunk: Chunk, times: int = 1) -> int:
        """Makes the steps of a chunk ``times`` times, waits for the last, and returns how many it made."""
        loop = self.loop
        for _ in range(times):
            corpus, feed = feed_arguments(loop.train, chunk.examples, chunk.length, loop.config.steps_per_call)
            self.state, sums = loop.program.train(self.state, corpus, feed, _steps(chunk), chunk.length)
        jax.block_until_ready((self.state, sums))
        return times * _steps(chunk)


def stepper(config: Config, corpora: Corpora, lanes: list[Lane]) -> Stepper:
    """A stack of lanes at step 0."""
    loop = run.assemble(config, corpora, lanes)
    return Stepper(loop, run.first_checkpoint(loop.program, config, lanes).state)


def step_milliseconds(configs: Mapping[str, Config], corpora: Corpora) -> dict[str, float]:
    """What a step as ``train.py`` makes it takes, by optimizer: the mean over rounds in which they take turns.

    Every length of examples counts by its share of an epoch's steps. It is no median, so that work which an
    optimizer does every so many steps has its share.

    Args:
      configs: optimizer → the config of a single run.
      corpora: its data.
    """
    cases, shares = {}, {}
    for name, config in configs.items():
        lanes = [Lane(config.seed, {})]
        own = stepper(config, corpora, lanes)
        chunks = first_epoch(own.loop, lanes)
        total = sum(map(_steps, chunks))
        longest = {chunk.length: chunk for chunk in sorted(chunks, key=_steps)}
        for length, chunk in sorted(longest.items()):
            cases[name, length] = partial(own.steps, chunk, CALLS)
            shares[name, length] = sum(_steps(each) for each in chunks if each.length == length) / total
    found: dict[str, float] = dict.fromkeys(configs, 0.0)
    for (name, length), seconds in in_turn(cases, STEP_ROUNDS).items():
        found[name] += 1e3 * shares[name, length] * float(np.mean(seconds))
    return found


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
    _log.info("lanes share a device by %s (a step of one lane: %s)", choice.lane_map, spoken)
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
        steppers[lane_map] = stepper(validate(own), corpora, lanes)
    chunk = longest_chunk(steppers["map"].loop, lanes)
    cases = {name: partial(each.steps, chunk) for name, each in steppers.items()}
    found = in_turn(cases, LANE_ROUNDS)
    medians = {name: float(np.median(seconds)) / len(lanes) for name, seconds in found.items()}
    faster = min(medians, key=medians.__getitem__)
    peak = steppers[faster].loop.program.peak_bytes() / PER_DEVICE
    return LaneChoice(faster, int(peak), {name: 1e3 * value for name, value in medians.items()})
