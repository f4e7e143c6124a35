"""What lanes gain: their throughput by number, against the same runs made one after the other."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from lstm_jax.config import Config, from_json, to_json, validate
from lstm_jax.reports import plots
from lstm_jax.studies.lane_choice import WAYS
from lstm_jax.studies.stepping import longest_call, make
from lstm_jax.text import corpus
from lstm_jax.training import run
from lstm_jax.training.loop import Loop
from lstm_jax.training.workdir import Lane

COUNTS = (1, 2, 4, 8, 16, 32)
ROUNDS = 7


class Speed(NamedTuple):
    """How fast lanes are in one way."""

    lanes: int
    way: str  # solo, or how lanes share a device
    devices: int
    milliseconds: list[float]  # a step of one lane, by round

    @property
    def median(self) -> float:
        """Milliseconds that a step of one lane takes."""
        return float(np.median(self.milliseconds))


def measure(config: Config) -> list[Speed]:
    """All ways of training, in turn within each round: solo on one device and on all, and lanes by number and way."""
    corpora = corpus.prepare(config.data)
    everywhere = len(jax.devices())
    cases = [(1, "solo", devices) for devices in sorted({1, everywhere})]
    cases += [(count, way, everywhere) for count in COUNTS if count > 1 for way in WAYS]
    running: list[tuple[Loop, Any, Any]] = []
    for count, way, devices in cases:
        own = from_json(to_json(config))
        own.train.devices, own.train.lane_map = devices, "auto" if way == "solo" else way
        lanes = [Lane(seed, {}) for seed in range(count)]
        loop, first = run.assemble(validate(own), corpora, lanes)
        call = longest_call(loop, lanes)
        running.append((loop, make(loop, first.state, call), call))  # compiles
    found = [Speed(*case, []) for case in cases]
    for _ in range(ROUNDS):
        for n, (loop, state, call) in enumerate(running):
            start = time.perf_counter()
            state = make(loop, state, call)
            passed = time.perf_counter() - start
            found[n].milliseconds.append(1e3 * passed / (call.reviews.shape[1] * found[n].lanes))
            running[n] = loop, state, call
    return found


def solo(found: list[Speed]) -> Speed:
    """The fastest way to make one run after the other."""
    return min((speed for speed in found if speed.way == "solo"), key=lambda speed: speed.median)


def table(found: list[Speed]) -> str:
    """A line a way, with its throughput over that of the fastest solo run, and the best of all."""
    base = solo(found).median
    lines = [f"{'lanes':>6}{'way':>8}{'devices':>9}{'ms a step of a lane':>22}{'steps/s':>12}{'over solo':>12}"]
    for speed in found:
        lines.append(
            f"{speed.lanes:>6}{speed.way:>8}{speed.devices:>9}{speed.median:>22.3f}"
            f"{1e3 / speed.median:>12,.0f}{base / speed.median:>12.2f}"
        )
    best = min(found, key=lambda speed: speed.median)
    ratios = sorted(a / b for a, b in zip(solo(found).milliseconds, best.milliseconds, strict=True))
    lines.append(
        f"{best.lanes} lanes by {best.way} are {base / best.median:.2f} times as fast as runs one after the other "
        f"(rounds: {ratios[0]:.2f} to {ratios[-1]:.2f})"
    )
    return "\n".join(lines)


def picture(found: list[Speed], path: Path) -> None:
    """Throughput over the number of lanes."""
    drawn, axes = plots.figure(6.5, 4)
    base = 1e3 / solo(found).median
    for way, colour in zip(WAYS, ("#1b6ca8", "#d95f02"), strict=True):
        own = [speed for speed in found if speed.way == way]
        axes.plot([s.lanes for s in own], [1e3 / s.median for s in own], "o-", color=colour, label=f"lanes by {way}")
    axes.axhline(base, color="grey", linewidth=1, linestyle="--", label="one run after the other")
    axes.set_xscale("log", base=2)
    axes.set_xticks(COUNTS[1:], [str(count) for count in COUNTS[1:]])
    axes.set(xlabel="lanes", ylabel="steps of a lane a second")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    plots.save(drawn, path)
