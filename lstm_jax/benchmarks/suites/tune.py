"""Measures the fastest LSTM at each size, for the table that ``model.implementation=auto`` reads."""

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax

from lstm_jax import runtime
from lstm_jax.benchmarks.implementations import ours
from lstm_jax.benchmarks.implementations.problem import Case, random_problem
from lstm_jax.benchmarks.measurement import Measurement, grouped
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.errors import UserError
from lstm_jax.files import write_text
from lstm_jax.layers import stack
from lstm_jax.layers.auto import CHOICES, Choice, Implementation
from lstm_jax.reports.tables import markdown
from lstm_jax.timer import in_turn
from lstm_jax.types import MatmulDtype

DTYPES: dict[str, MatmulDtype] = {"float32": None, "bfloat16": "bfloat16"}
BLOCKED = (
    Implementation("custom_vjp", 16),
    Implementation("custom_vjp", 8),
    Implementation("custom_vjp", 0),
    Implementation("scan"),
)
GATEWISE = Implementation("custom_vjp", 16, gatewise=True)
MULTITHREADED_FLOP = (
    7_000_000  # Number of operations from which XLA shares a matrix product among the threads of a CPU.
)
BATCHES = (16, 48)  # Examples per device.
# Pairs (D, H). 100 units do not fill a whole number of SIMD vectors, which affects the speed of products.
WIDTHS = ((64, 64), (300, 64), (32, 100), (100, 100), (200, 100), (32, 128), (128, 128), (256, 256), (512, 512))
TUNING_STEPS = 200
TUNING_ROUNDS = 7
TUNING_SECONDS = 0.05
MIN_GAIN = (
    0.05  # An implementation must save this share of the time to be chosen over one listed before it; less is noise.
)


def define_tune() -> None:
    """This suite has no flags of its own."""


def run_tune(place: Path, command: str) -> str:
    """Measures and returns the table; writes ``tune.json`` and the part of ``auto``'s table for this backend.

    Raises:
      UserError: The table of ``auto`` is not writable.
    """
    if not os.access(CHOICES, os.W_OK):
        raise UserError(f"{CHOICES} cannot be written; install the package from a checkout: pip install -e .")
    origin = provenance(command, runtime.machine())
    found = Record(**origin).collect(measure_choices(), place / "tune.json").measurements
    write_choices(found, origin, CHOICES)
    return choices_table(found)


def measure_choices() -> Iterator[Measurement]:
    """Times a forward and a training pass together, for all implementations in turn, on all devices at once."""
    for dtype, (inputs, hidden), batch in itertools.product(DTYPES, WIDTHS, BATCHES):
        case = Case("", batch * len(jax.devices()), TUNING_STEPS, inputs, hidden)
        problem, cases = random_problem(case), {}
        for each in candidates(dtype, batch, inputs, hidden):
            layer = each.layer(hidden, matmul_dtype=DTYPES[dtype])
            built = ours.build_layer(stack([layer]), case, problem)
            cases[each] = partial(repeated, built.forward, built.train)
        for each, seconds in in_turn(cases, TUNING_ROUNDS).items():
            name = f"B {batch} a device, D {inputs}, H {hidden}"
            own = Measurement("tune", name, describe(each), "forward and train", dtype)
            yield own.timed([[each] for each in seconds])._replace(
                details=Choice(batch, inputs, hidden, each)._asdict()
            )


def candidates(dtype: str, batch: int, inputs: int, hidden: int) -> tuple[Implementation, ...]:
    """The implementations to measure at a size, in the order of preference if none is much faster.

    One product per gate is preferred only if XLA would share the product of all gates among threads. In bfloat16 it
    slows the forward pass down and is not measured.
    """
    if dtype == "bfloat16":
        return BLOCKED
    shared = jax.default_backend() == "cpu" and 2 * batch * max(inputs, hidden) * 4 * hidden >= MULTITHREADED_FLOP
    return (GATEWISE, *BLOCKED) if shared else (*BLOCKED, GATEWISE)


def repeated(*passes: Callable[[], Any]) -> int:
    """Repeats passes, one after the other, until a turn is over, and returns the number of repetitions."""
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < TUNING_SECONDS:
        for run in passes:
            run()
        calls += 1
    return calls


def fastest(found: Sequence[Measurement]) -> Measurement:
    """The first implementation at a size such that no other saves ``MIN_GAIN`` of its time."""
    best = min(each.median_ms or 0.0 for each in found)
    return next(each for each in found if (each.median_ms or 0.0) * (1 - MIN_GAIN) <= best)


def _by_size(found: Sequence[Measurement]) -> dict[tuple[str, str], list[Measurement]]:
    return grouped(found, lambda each: (each.dtype, each.case))


def write_choices(found: Sequence[Measurement], origin: Mapping[str, Any], path: Path) -> None:
    """Replaces this backend's part of the table and keeps those of other backends."""
    known = json.loads(path.read_text(encoding="utf-8"))
    sizes: dict[str, list[Any]] = {}
    for own in _by_size(found).values():
        choice = Choice(**fastest(own).details)
        sizes.setdefault(own[0].dtype, []).append([*choice[:3], *choice.implementation])
    known[jax.default_backend()] = {**origin, "sizes": sizes}
    a_line_each = lambda size: " ".join(size[0].split()).replace("[ ", "[").replace(" ]", "]")
    write_text(path, re.sub(r"\[\s+\d[^][{}]*\]", a_line_each, json.dumps(known, indent=2)) + "\n")


def choices_table(found: Sequence[Measurement]) -> str:
    """One row per size: milliseconds of both passes by implementation, with the chosen one in bold."""
    columns = list(dict.fromkeys(each.implementation for each in found))
    rows = [["ms", *columns]]
    for (dtype, case), own in _by_size(found).items():
        cells = {each.implementation: f"{each.median_ms:.3g}" for each in own}
        chosen = fastest(own).implementation
        cells[chosen] = f"**{cells[chosen]}**"
        rows.append([f"{dtype}, {case}", *(cells.get(column, "–") for column in columns)])
    return markdown(rows)


def describe(each: Implementation) -> str:
    """An implementation in words."""
    return " ".join(filter(None, (each.name, str(each.block or ""), "gatewise" if each.gatewise else "")))
