"""How lanes share a device, and how many at once: measured once for a network on a machine, and remembered."""

import json
import logging
import time
from typing import Any, NamedTuple

import jax
import numpy as np

from lstm_jax.config import Config, definition, from_json, to_json, validate
from lstm_jax.data.corpus import Corpora
from lstm_jax.files import digest, write_text
from lstm_jax.runtime import cache_dir, machine, memory_bytes
from lstm_jax.studies.stepping import longest_call, make
from lstm_jax.training import run
from lstm_jax.training.loop import Loop
from lstm_jax.training.workdir import Lane

log = logging.getLogger(__name__)

WAYS = ("map", "vmap")
PER_DEVICE = 4  # lanes while measuring
ROUNDS = 3
SHARE = 0.5  # of the memory that lanes may take


class Choice(NamedTuple):
    """What was measured."""

    lane_map: str  # map | vmap
    lane_bytes: int  # of memory that one more lane takes
    milliseconds: dict[str, float]  # a step of one lane, by way


def choose(config: Config, corpora: Corpora) -> Choice:
    """The faster way for lanes of a config to share this machine's devices; of no effect on what they compute.

    Args:
      config: one of the lanes.
      corpora: their reviews.
    """
    file = cache_dir() / "lanes.json"
    # Optimizers differ in little of a step, and the number of steps in nothing of it.
    without = ("seed", "ensemble", "optimizer", "train.steps", "train.epochs", "train.validate_every")
    network = list(definition(config, without).items())
    key = digest(machine(), jax.__version__, network, len(corpora.train.tokens))
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if key not in known:
        known[key] = _measured(config, corpora)._asdict()
        write_text(file, json.dumps(known, indent=2) + "\n")
    choice = Choice(**known[key])
    spoken = ", ".join(f"{way} {ms:.2f} ms" for way, ms in choice.milliseconds.items())
    log.info("lanes share a device by %s (a step of one lane: %s)", choice.lane_map, spoken)
    return choice


def most_lanes(choice: Choice, state_bytes: int) -> int:
    """How many lanes fit in memory at once: a multiple of the devices.

    Args:
      choice: as measured.
      state_bytes: of a lane's checkpoint; optimizers differ in it, and one was measured.
    """
    devices = len(jax.devices())
    return max(1, int(SHARE * memory_bytes() / (choice.lane_bytes + 2 * state_bytes)) // devices) * devices


def _measured(config: Config, corpora: Corpora) -> Choice:
    lanes = [Lane(n, {}) for n in range(PER_DEVICE * len(jax.devices()))]
    ways: dict[str, tuple[Loop, Any]] = {}
    for way in WAYS:
        own = from_json(to_json(config))
        own.train.lane_map = way
        loop = run.assemble(validate(own), corpora, lanes)
        ways[way] = loop, run.first_checkpoint(loop.program, own, lanes).state
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    call = longest_call(ways["map"][0], lanes)
    for _ in range(ROUNDS + 1):  # the first compiles
        for way, (loop, state) in ways.items():
            start = time.perf_counter()
            ways[way] = loop, make(loop, state, call)
            seconds[way].append((time.perf_counter() - start) / (call.examples.shape[1] * len(lanes)))
    medians = {way: float(np.median(times[1:])) for way, times in seconds.items()}
    faster = min(medians, key=medians.__getitem__)
    peak = ways[faster][0].program.peak_bytes() / PER_DEVICE
    return Choice(faster, int(peak), {way: 1e3 * value for way, value in medians.items()})
