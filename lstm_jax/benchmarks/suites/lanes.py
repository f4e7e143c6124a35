"""The speed-up of lanes over the same runs one after another, for steps alone and for whole runs."""

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from lstm_jax import runtime
from lstm_jax.benchmarks.measurement import Measurement, grouped
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.config import Config, from_json, to_json, validate
from lstm_jax.configs.studies import quick
from lstm_jax.data import corpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.reports import plots, ticks
from lstm_jax.reports.tables import markdown
from lstm_jax.studies.timing import LANE_MAPS, STEP_ROUNDS, autotune_lanes, longest_chunk, stepper
from lstm_jax.timer import in_turn
from lstm_jax.training import run as runs
from lstm_jax.training.workdir import Lane
from lstm_jax.types import HostArray

COUNTS = (2, 4, 8, 16, 32)
REPORTED_LANES = 32  # Number of lanes whose speed-up is reported. It is fixed, so that no best of several is reported.
SOLO = "solo"
RUN_ROUNDS = 3
CALLS_A_ROUND = 3  # Calls of the compiled program per round, when steps alone are timed.
STEPS_ALONE, WHOLE_RUNS = "steps alone", "whole runs"


class Layout(NamedTuple):
    """How many runs are trained at once, and on how many devices."""

    lanes: int
    lane_map: str  # The config's ``train.lane_map``, or ``solo`` for a single run.
    devices: int

    @property
    def name(self) -> str:
        """The layout in words."""
        return f"{self.lane_map}, {self.lanes} lanes, {self.devices} devices"

    def apply(self, config: Config) -> tuple[Config, list[Lane]]:
        """The config with this layout, and a seed for each lane."""
        own = from_json(to_json(config))
        own.train.devices, own.train.lane_map = self.devices, "auto" if self.lane_map == SOLO else self.lane_map
        return validate(own), [Lane(seed, {}) for seed in range(self.lanes)]


def define_lanes() -> None:
    """This suite has no flags of its own."""


def run_lanes(place: Path, command: str) -> str:
    """Measures the network of the quick study; writes ``lanes.json`` and ``lanes.png`` and returns the tables."""
    (task,) = quick.get_config().tasks.values()
    config = validate(task.config)
    corpora = corpus.prepare(config.data)
    chosen = autotune_lanes(config, corpora).lane_map
    record = Record(**provenance(command, runtime.machine()))
    record = record.collect(measure_lanes(config, corpora, chosen, place), place / "lanes.json")
    draw_lanes(record.measurements, chosen, place / "lanes.png")
    return lane_tables(record.measurements, chosen)


def measure_lanes(config: Config, corpora: Corpora, chosen: str, place: Path) -> Iterator[Measurement]:
    """Times steps and whole runs of all layouts in turn.

    Args:
      config: The config of a run.
      corpora: Its data.
      chosen: The lane map that studies use on this machine. With the other one only steps are measured.
      place: A folder for temporary workdirs.
    """
    everywhere = len(jax.devices())
    solos = [Layout(1, SOLO, devices) for devices in sorted({1, everywhere})]
    lanes = [Layout(count, chosen, everywhere) for count in COUNTS]
    others = [Layout(count, name, everywhere) for name in LANE_MAPS if name != chosen for count in COUNTS]
    yield from measure_steps(config, corpora, [*solos, *lanes, *others])
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        whole = {layout: partial(_run, *layout.apply(config), corpora, scratch) for layout in [*solos, *lanes]}
        for layout, seconds in in_turn(whole, RUN_ROUNDS).items():
            yield _measurement(WHOLE_RUNS, layout, seconds)


def measure_steps(config: Config, corpora: Corpora, layouts: Sequence[Layout]) -> Iterator[Measurement]:
    """Times a step of all lanes on the longest examples, for all layouts in turn."""
    steppers, cases = {}, {}
    for layout in layouts:
        config_here, lanes = layout.apply(config)
        steppers[layout] = stepper(config_here, corpora, lanes)
        cases[layout] = partial(steppers[layout].steps, longest_chunk(steppers[layout].loop, lanes), CALLS_A_ROUND)
    for layout, seconds in in_turn(cases, STEP_ROUNDS).items():
        peak = steppers[layout].loop.program.peak_bytes()
        yield _measurement(STEPS_ALONE, layout, seconds)._replace(peak_bytes=peak)


def _run(config: Config, lanes: list[Lane], corpora: Corpora, scratch: str) -> int:
    """Trains whole runs as ``train.py`` does, including tracing, loading compiled programs and writing files."""
    runs.train_lanes(config, tempfile.mkdtemp(dir=scratch), lanes, corpora, follow=lambda step, steps: None)
    return 1


def _measurement(case: str, layout: Layout, seconds: Sequence[float]) -> Measurement:
    own = Measurement("lanes", case, layout.name, "train", details=layout._asdict())
    return own.timed([[each] for each in seconds])


def lane_tables(found: Sequence[Measurement], chosen: str) -> str:
    """One table per case, and the speed-up of ``REPORTED_LANES`` lanes over the fastest single runs in a row."""
    return "\n\n".join(_table(case, own, chosen) for case, own in grouped(found, lambda each: each.case).items())


def _table(case: str, found: Sequence[Measurement], chosen: str) -> str:
    solo = _solo(found)
    rows = [[case, "seconds a lane", "over solo"]]
    for each in found:
        seconds, gain = (each.seconds or np.nan) / each.details["lanes"], float(np.median(_gains(solo, each)))
        rows.append([each.implementation, f"{seconds:.5f}", f"{gain:.2f}"])
    many = next(
        each for each in found if each.details["lanes"] == REPORTED_LANES and each.details["lane_map"] == chosen
    )
    gains = _gains(solo, many)
    said = f"{REPORTED_LANES} lanes by {chosen} are {np.median(gains):.2f} times as fast as one run after another"
    return f"{markdown(rows)}\n\n{case}: {said} (rounds: {gains.min():.2f} to {gains.max():.2f})"


def _solo(found: Sequence[Measurement]) -> Measurement:
    """The fastest layout that trains one run after another."""
    return min((each for each in found if each.details["lane_map"] == SOLO), key=lambda each: each.median_ms or 0.0)


def _gains(solo: Measurement, lanes: Measurement) -> HostArray:
    """The throughput of lanes relative to that of single runs, by round."""
    return lanes.details["lanes"] * np.array(solo.rounds) / np.array(lanes.rounds)


def draw_lanes(found: Sequence[Measurement], chosen: str, path: Path) -> None:
    """Plots the throughput, relative to one run after another, over the number of lanes."""
    cases = grouped(found, lambda each: each.case)
    drawn, axes = plots.figure(6.5, 4)
    for case, colour in ((WHOLE_RUNS, "#1b6ca8"), (STEPS_ALONE, "#d95f02")):
        own, solo = [each for each in cases[case] if each.details["lane_map"] == chosen], _solo(cases[case])
        x, y = [each.details["lanes"] for each in own], [float(np.median(_gains(solo, each))) for each in own]
        axes.plot(x, y, "o-", color=colour, label=case)
    axes.axhline(1, color="grey", linewidth=1, linestyle="--", label="one run after another")
    axes.set_xscale("log", base=2)
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.set(xlabel="lanes", ylabel="throughput relative to single runs")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    ticks.label_numbers(axes.yaxis)
    plots.legend_outside(axes)
    plots.save(drawn, path)
