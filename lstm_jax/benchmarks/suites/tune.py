"""Which way an LSTM is fastest at which size, measured; what ``model.implementation=auto`` goes by."""

import itertools
import json
import logging
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from lstm_jax import runtime as devices
from lstm_jax.benchmarks.about import about
from lstm_jax.benchmarks.implementations import ours
from lstm_jax.benchmarks.implementations.problem import Case, draw
from lstm_jax.errors import UserError
from lstm_jax.files import write_text
from lstm_jax.layers import stack
from lstm_jax.layers.auto import CHOICES, Choice, Way
from lstm_jax.training.workdir import write_json
from lstm_jax.types import MatmulDtype

log = logging.getLogger(__name__)

DTYPES: dict[str, MatmulDtype] = {"float32": None, "bfloat16": "bfloat16"}
PLAIN = (Way("custom_vjp", 16), Way("custom_vjp", 8), Way("custom_vjp", 0), Way("scan"))
GATEWISE = Way("custom_vjp", 16, gatewise=True)
SHARED = 7_000_000  # operations from which on XLA shares a product out among a CPU's threads
BATCHES = (16, 48)  # rows of a device
# D, H; 100 units are no whole number of vectors, which products notice.
WIDTHS = ((64, 64), (300, 64), (32, 100), (100, 100), (200, 100), (32, 128), (128, 128), (256, 256), (512, 512))
STEPS = 200
ROUNDS = 7
TURN_SECONDS = 0.05
GAIN = 0.05  # of the time that a way must save to be taken instead of one that stands before it; less is noise


class Speeds(NamedTuple):
    """A size and what a forward and a training pass together take by each way."""

    dtype: str  # of the operands of products
    batch: int
    inputs: int
    hidden: int
    ms: dict[Way, float]

    @property
    def choice(self) -> Choice:
        """The first way that none saves much against."""
        best = min(self.ms.values())
        way = next(way for way, ms in self.ms.items() if ms * (1 - GAIN) <= best)
        return Choice(self.batch, self.inputs, self.hidden, way)


def ways(dtype: str, batch: int, inputs: int, hidden: int) -> tuple[Way, ...]:
    """The ways to measure at a size, in the order of preference where none is much faster."""
    if dtype == "bfloat16":  # where a product a gate slows the forward pass down, and both passes without a pattern
        return PLAIN
    shared = jax.default_backend() == "cpu" and 2 * batch * max(inputs, hidden) * 4 * hidden >= SHARED
    return (GATEWISE, *PLAIN) if shared else (*PLAIN, GATEWISE)


def measure() -> list[Speeds]:
    """All ways in turn, in an order drawn anew each round, at all sizes, all devices at work."""
    found = []
    for dtype, (inputs, hidden), batch in itertools.product(DTYPES, WIDTHS, BATCHES):
        found.append(Speeds(dtype, batch, inputs, hidden, _size(dtype, batch, inputs, hidden)))
        log.info("%s, %d, %d, %d: %s", dtype, batch, inputs, hidden, _name(found[-1].choice.way))
    return found


def _size(dtype: str, batch: int, inputs: int, hidden: int) -> dict[Way, float]:
    case = Case("", batch * len(jax.devices()), STEPS, inputs, hidden)
    problem = draw(case)
    offered = ways(dtype, batch, inputs, hidden)
    layers = {way: way.layer(hidden, matmul_dtype=DTYPES[dtype]) for way in offered}
    built = {way: ours.of_layer(stack([layer]), case, problem) for way, layer in layers.items()}
    seconds: dict[Way, list[float]] = {way: [] for way in built}
    rng = np.random.default_rng(0)
    for _ in range(ROUNDS + 1):  # the first, which warms up, is left out
        for n in rng.permutation(len(built)):
            way, start, calls = offered[n], time.perf_counter(), 0
            while time.perf_counter() - start < TURN_SECONDS:
                built[way].forward()
                built[way].train()
                calls += 1
            seconds[way].append((time.perf_counter() - start) / calls)
    return {way: 1e3 * float(np.median(own[1:])) for way, own in seconds.items()}


def run(place: Path, command: str) -> str:
    """Measures and returns the table; writes ``tune.json`` and, for this backend, the table that ``auto`` goes by.

    Args:
      place: where ``tune.json`` goes, with all times.
      command: that repeats it.

    Raises:
      UserError: the table that ``auto`` goes by cannot be written here.
    """
    if not os.access(CHOICES, os.W_OK):
        raise UserError(f"{CHOICES} cannot be written; install the package from a checkout: pip install -e .")
    found = measure()
    times = [[*speeds[:4], {_name(way): ms for way, ms in speeds.ms.items()}] for speeds in found]
    write_json(place / "tune.json", {**about(command, devices.machine()), "ms": times})
    write(found, command, CHOICES)
    return table(found)


def write(found: list[Speeds], command: str, path: Path) -> None:
    """Puts the choices of this backend in place of those that the file holds; those of others stay."""
    known = json.loads(path.read_text())
    sizes = {
        dtype: [[*speeds.choice[:3], *speeds.choice.way] for speeds in found if speeds.dtype == dtype]
        for dtype in dict.fromkeys(speeds.dtype for speeds in found)
    }
    known[jax.default_backend()] = {**about(command, devices.machine()), "sizes": sizes}
    a_line_each = lambda size: " ".join(size[0].split()).replace("[ ", "[").replace(" ]", "]")
    write_text(path, re.sub(r"\[\s+\d[^][{}]*\]", a_line_each, json.dumps(known, indent=2)) + "\n")


def table(found: list[Speeds]) -> str:
    """A line a size: milliseconds of both passes by each way, the one that is taken in bold."""
    columns = list(dict.fromkeys(way for speeds in found for way in speeds.ms))
    lines = [f"| type, B a device, D, H | {' | '.join(map(_name, columns))} |", "|---" * (len(columns) + 1) + "|"]
    for speeds in found:
        told = {way: f"**{ms:.3g}**" if way == speeds.choice.way else f"{ms:.3g}" for way, ms in speeds.ms.items()}
        cells = [told.get(way, "–") for way in columns]
        lines.append(f"| {speeds.dtype}, {speeds.batch}, {speeds.inputs}, {speeds.hidden} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _name(way: Way) -> str:
    parts = [way.implementation, str(way.block) if way.block else "", "gatewise" if way.gatewise else ""]
    return " ".join(part for part in parts if part)
