"""The gain of lanes over the same runs one after the other: in steps alone, in whole runs, in whole commands."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from configs.studies import quick
from lstm_jax import runtime
from lstm_jax.benchmarks.measurement import Measurement, markdown
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.benchmarks.timer import in_turn
from lstm_jax.config import Config, from_json, to_json, validate
from lstm_jax.data import corpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.reports import plots
from lstm_jax.studies import lane_choice
from lstm_jax.studies.lane_choice import WAYS
from lstm_jax.studies.stepping import longest_call, make
from lstm_jax.training import loop as loops
from lstm_jax.training import run as runs
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.loop_state import Notes
from lstm_jax.training.workdir import Lane

COUNTS = (2, 4, 8, 16, 32)
MANY = 32  # the number of lanes whose gain is reported, so that it is not the best of several
SOLO = "solo"
STEP_ROUNDS, RUN_ROUNDS = 7, 3
CALLS = 3  # of the compiled program in a round of steps


class Layout(NamedTuple):
    """How many runs are trained at once, and on what."""

    lanes: int
    lane_map: str  # how lanes share a device, or solo
    devices: int

    def apply(self, config: Config) -> tuple[Config, list[Lane]]:
        """The config with this layout, and a seed for each lane."""
        own = from_json(to_json(config))
        own.train.devices, own.train.lane_map = self.devices, "auto" if self.lane_map == SOLO else self.lane_map
        return validate(own), [Lane(seed, {}) for seed in range(self.lanes)]


Task = Callable[[], int]  # trains once and returns how many times every lane did so


def define() -> None:
    """This suite has no flags of its own."""


def run(place: Path, command: str) -> str:
    """Measures the network of the quick study; writes ``lanes.json`` and ``lanes.png`` and returns the tables."""
    (task,) = quick.get_config().tasks.values()
    config = validate(task.config)
    corpora = corpus.prepare(config.data)
    chosen = lane_choice.choose(config, corpora).lane_map
    record = Record(**provenance(command, runtime.machine()))
    record = record.collect(measure(config, corpora, chosen, place), place / "lanes.json")
    picture(record.measurements, chosen, place / "lanes.png")
    return table(record.measurements, chosen)


def measure(config: Config, corpora: Corpora, chosen: str, place: Path) -> Iterator[Measurement]:
    """Times each case (steps, runs, commands) under all layouts in turn, in seconds a lane.

    Args:
      config: the config of a run.
      corpora: its data.
      chosen: how lanes share a device here, as studies choose it; only steps are measured under the other.
      place: a folder for runs; none of them is kept.
    """
    everywhere = len(jax.devices())
    solos = [Layout(1, SOLO, devices) for devices in sorted({1, everywhere})]
    lanes = [Layout(count, chosen, everywhere) for count in COUNTS]
    others = [Layout(count, name, everywhere) for name in WAYS if name != chosen for count in COUNTS]
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        for case, task, layouts, rounds in (
            ("steps", step_task, [*solos, *lanes, *others], STEP_ROUNDS),
            ("runs", _run_task, [*solos, *lanes], RUN_ROUNDS),
            ("commands", _command_task, [*solos, lanes[-1]], RUN_ROUNDS),
        ):
            tasks = {layout: task(config, corpora, layout, Path(scratch)) for layout in layouts}
            for layout, seconds in in_turn(tasks, rounds).items():
                name = f"{layout.lane_map}, {layout.lanes} lanes, {layout.devices} devices"
                own = Measurement("lanes", case, name, "train", details=layout._asdict())
                yield own.timed([[each / layout.lanes] for each in seconds])


def step_task(config: Config, corpora: Corpora, layout: Layout, scratch: Path) -> Task:
    """Makes some calls of the compiled program on the longest examples."""
    del scratch
    own, lanes = layout.apply(config)
    loop, first = runs.assemble(own, corpora, lanes)
    call, state = longest_call(loop, lanes), first.state

    def task() -> int:
        nonlocal state
        state = make(loop, state, call, CALLS)
        return CALLS * call.reviews.shape[1]

    return task


def _run_task(config: Config, corpora: Corpora, layout: Layout, scratch: Path) -> Task:
    """Makes whole runs, with validations and checkpoints, by a program that is compiled already."""
    own, lanes = layout.apply(config)
    loop, _ = runs.assemble(own, corpora, lanes)

    def task() -> int:
        folder = Path(tempfile.mkdtemp(dir=scratch))
        first = runs.fresh(loop.program, [lane.seed for lane in lanes], [lane.hparams(own) for lane in lanes])
        checkpoints = Checkpoints(folder)
        loops.run(loop, first.state, first.best, Notes.from_json(first.notes), checkpoints, folder, _silent)
        checkpoints.finish()
        return 1

    return task


def _command_task(config: Config, corpora: Corpora, layout: Layout, scratch: Path) -> Task:
    """Makes whole runs with all that ``train.py`` adds: tracing, loading of compiled programs, files."""
    own, lanes = layout.apply(config)

    def task() -> int:
        runs.train(own, tempfile.mkdtemp(dir=scratch), lanes, corpora, _silent)
        return 1

    return task


def _silent(step: int, steps: int) -> None:
    """Shows no progress."""


def table(found: Sequence[Measurement], chosen: str) -> str:
    """A table a case, and the gain of many lanes over the fastest way to make one run after the other."""
    return "\n\n".join(_table(case, own, chosen) for case, own in _by_case(found).items())


def _table(case: str, found: Sequence[Measurement], chosen: str) -> str:
    solo = _solo(found)
    rows = [[case, "seconds a lane", "over solo"]]
    rows += [[each.implementation, f"{each.seconds:.5f}", f"{_gain(solo, each):.2f}"] for each in found]
    many = next(each for each in found if each.details["lanes"] == MANY and each.details["lane_map"] == chosen)
    rounds = np.array(solo.rounds) / np.array(many.rounds)
    gain = f"{_gain(solo, many):.2f} times as fast as one run after the other"
    spread = f"(rounds: {rounds.min():.2f} to {rounds.max():.2f})"
    return f"{markdown(rows)}\n\n{case}: {MANY} lanes by {chosen} are {gain} {spread}"


def _by_case(found: Sequence[Measurement]) -> Mapping[str, list[Measurement]]:
    cases: dict[str, list[Measurement]] = {}
    for each in found:
        cases.setdefault(each.case, []).append(each)
    return cases


def _solo(found: Sequence[Measurement]) -> Measurement:
    """The fastest way to make one run after the other."""
    return min((each for each in found if each.details["lane_map"] == SOLO), key=lambda each: each.median_ms or 0.0)


def _gain(solo: Measurement, lanes: Measurement) -> float:
    return (solo.median_ms or 0.0) / (lanes.median_ms or np.nan)


def picture(found: Sequence[Measurement], chosen: str, path: Path) -> None:
    """Draws the throughput over the number of lanes, as a multiple of that of one run after the other."""
    cases = _by_case(found)
    drawn, axes = plots.figure(6.5, 4)
    for case, label, colour in (("runs", "whole runs", "#1b6ca8"), ("steps", "steps alone", "#d95f02")):
        own, solo = [each for each in cases[case] if each.details["lane_map"] == chosen], _solo(cases[case])
        x, y = [each.details["lanes"] for each in own], [_gain(solo, each) for each in own]
        axes.plot(x, y, "o-", color=colour, label=label)
    axes.axhline(1, color="grey", linewidth=1, linestyle="--", label="one run after the other")
    axes.set_xscale("log", base=2)
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.set(xlabel="lanes", ylabel="throughput over that of runs alone")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    plots.save(drawn, path)
