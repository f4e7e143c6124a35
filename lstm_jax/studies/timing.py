"""Timing of single steps: the duration of a step by optimizer, and the fastest way for lanes to share a device."""

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from lstm_jax.config import Config, from_json, to_json, validate
from lstm_jax.data.batching import Chunk
from lstm_jax.data.cache import Facts, cached_file
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.flat_corpus import lengths
from lstm_jax.files import digest, write_text
from lstm_jax.runtime import machine, memory_bytes
from lstm_jax.studies import trials
from lstm_jax.timer import in_turn
from lstm_jax.training import run
from lstm_jax.training.batch_schedule import lane_plan
from lstm_jax.training.experiment import TrainState
from lstm_jax.training.feed import feed_arguments
from lstm_jax.training.loop import Loop
from lstm_jax.training.workdir import Lane

_log = logging.getLogger(__name__)

STEP_ROUNDS, CALLS = 7, 6  # CALLS calls per round for each padded length.
LANE_MAPS = ("map", "vmap")
LANE_ROUNDS, PER_DEVICE = 3, 4  # PER_DEVICE lanes per device are trained while measuring.
SHARE = 0.5  # Share of memory that lanes may use.


def first_epoch(loop: Loop, lanes: list[Lane]) -> list[Chunk]:
    """The chunks of the first epoch."""
    return lane_plan(lengths(loop.train.host), loop.buckets, loop.config, [lane.seed for lane in lanes], epoch=0)


def longest_chunk(loop: Loop, lanes: list[Lane]) -> Chunk:
    """The chunk of the first epoch with the most steps; among equals, the one with the longest examples."""
    return max(first_epoch(loop, lanes), key=lambda chunk: (chunk.examples.shape[1], chunk.length))


class Stepper:
    """A loop whose steps can be run and timed outside of a training run. Donates its state."""

    def __init__(self, loop: Loop, state: TrainState) -> None:
        self.loop, self.state = loop, state

    def steps(self, chunk: Chunk, times: int = 1) -> int:
        """Runs a chunk ``times`` times, waits for the last step, and returns the number of steps."""
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
    """Milliseconds per step of a single run, by optimizer: the mean over rounds in which optimizers take turns.

    Every padded length is weighted by its share of an epoch's steps. The mean, unlike a median, includes work that an
    optimizer does only every few steps.

    Args:
      configs: The config of a single run, by optimizer.
      corpora: Their data.
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
    lane_bytes: int  # Memory of one more lane.
    milliseconds: dict[str, float]  # Milliseconds per step of one lane, by lane map.


def autotune_lanes(config: Config, corpora: Corpora) -> LaneChoice:
    """The faster way for lanes of a config to share this machine's devices. It does not change what they compute.

    It is measured once per network and machine, and kept in the cache folder.

    Args:
      config: The config of one of the lanes.
      corpora: Their data.
    """
    key = digest(machine(), jax.__version__, trials.cost_key(config), len(corpora.train.tokens))

    def write(part: Path) -> Facts:
        measured = _measured(config, corpora)._asdict()
        write_text(part, json.dumps(measured, indent=2) + "\n")
        return measured

    choice = LaneChoice(**cached_file(f"lanes/{key}.json", write)[1])
    spoken = ", ".join(f"{lane_map} {ms:.2f} ms" for lane_map, ms in choice.milliseconds.items())
    _log.info("lanes share a device by %s (a step of one lane: %s)", choice.lane_map, spoken)
    return choice


def most_lanes(choice: LaneChoice, state_bytes: int) -> int:
    """The number of lanes that fit in memory at once, a multiple of the number of devices.

    Args:
      choice: The measured choice.
      state_bytes: The size of a lane's checkpoint. It depends on the optimizer, and ``choice`` was measured with one.
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
