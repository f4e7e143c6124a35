"""The growth of time and memory with T, B, H, layers, lanes and reviews, one at a time."""

import contextlib
import importlib
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags

from configs.studies import quick
from lstm_jax import runtime
from lstm_jax.benchmarks import harness, memory
from lstm_jax.benchmarks.harness import Team
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.measurement import Device, Measurement, markdown
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.benchmarks.suites import lanes, start, text
from lstm_jax.benchmarks.worker import Worker
from lstm_jax.config import Config, change, from_json, to_json
from lstm_jax.data import corpus
from lstm_jax.errors import UserError
from lstm_jax.reports import plots

BASE = Case("base", 32, 128, 64, 128)
CASES = (
    *(BASE._replace(name=f"T {n}", steps=n) for n in (64, 128, 256, 512, 1024)),
    *(BASE._replace(name=f"B {n}", batch=n) for n in (8, 16, 32, 64, 128)),
    *(BASE._replace(name=f"H {n}", units=n) for n in (32, 64, 128, 256, 512)),
    *(BASE._replace(name=f"layers {n}", layers=n) for n in (1, 2, 3, 4)),
)
LANES = (1, 2, 4, 8, 16, 32)
ROUNDS = 7  # of the steps of lanes
PARTS = (16, 4, 1)  # divisors of the number of reviews
PUBLISHED = "configs/floydhub_amazon.py:small"  # the system that reads the reviews
# A small network, so that its first step is mostly a matter of the reviews, and all reviews of the file.
CHANGES = {
    "model.embedding_size": 64,
    "model.hidden_size": 64,
    "model.layers": 1,
    "model.dropout.layers": 0.0,
    "data.train_entries": 0,
    "data.eval_entries": 0,
}
TRAIN, FORWARD, STEP = "train", "forward", "step of all lanes"
PREPARE, FIRST = "preparing", "first step, reviews cached"
UNITS = {PREPARE: ("s", 1e-3), FIRST: ("s", 1e-3)}  # and how many of it are a millisecond; other passes are in ms
COLOURS = {TRAIN: "#d95f02", FORWARD: "#1b6ca8", STEP: "#d95f02", PREPARE: "#d95f02", FIRST: "#1b6ca8"}
SERVICE = "lstm_jax.benchmarks.suites.scaling:Service"

Series = dict[str, dict[str, list[Measurement]]]  # by axis and pass


def define() -> None:
    """Defines the flags of this suite."""
    flags.DEFINE_integer("reviews", 3_600_000, "Reviews in the largest generated file.", lower_bound=1000)


def run(place: Path, command: str, reviews: int) -> str:
    """Measures all axes; writes ``scaling.json`` and ``scaling.png`` and returns a table for each axis."""
    (task,) = quick.get_config().tasks.values()
    device = Device(runtime.machine(), jax.default_backend())
    layers = (harness.measure("scaling", case, ["auto"], "float32", device) for case in CASES)
    made = itertools.chain(
        itertools.chain.from_iterable(layers), measure_lanes(task.config), measure_reviews(reviews, place)
    )
    found = Record(**provenance(command, device.name)).collect(made, place / "scaling.json").measurements
    picture(found, place / "scaling.png")
    return tables(found)


class Service:
    """The process that holds lanes, or prepares reviews."""

    def __init__(self, name: str) -> None:
        del name  # there is one implementation
        runtime.configure()
        jax.config.update("jax_enable_compilation_cache", False)  # compiling counts as memory

    def lanes(self, config: str, count: int) -> dict[str, Any]:
        """Makes so many lanes of a config ready, and some of their steps."""
        own = from_json(config)
        corpora = corpus.prepare(own.data)
        held = memory.held("VmRSS") or 0
        memory.forget_peak()
        self._steps = lanes.step_task(own, corpora, lanes.Layout(count, "auto", 0), Path())
        self._steps()
        peak = memory.held("VmHWM")
        return {"peak_bytes": None if peak is None else peak - held}

    def step(self) -> dict[str, Any]:
        """Seconds of a step of all lanes."""
        began = time.perf_counter()
        made = self._steps()
        return {"seconds": (time.perf_counter() - began) / made}

    def reviews(self, config: str, cache: str) -> dict[str, Any]:
        """Seconds and memory of preparing the reviews of a config, with an empty folder as the cache."""
        stages = text.measure(from_json(config).data, Path(cache), 0)
        reading, tokenising = itertools.islice(stages, 2)
        peak = max(reading.peak_bytes or 0, tokenising.peak_bytes or 0)
        return {"seconds": (reading.seconds or 0.0) + (tokenising.seconds or 0.0), "peak_bytes": peak}


def measure_lanes(network: Config) -> Iterator[Measurement]:
    """Makes every number of lanes ready, each in a process of its own, and times their steps in turn."""
    with contextlib.ExitStack() as running:
        team = Team({count: running.enter_context(Worker(SERVICE, "auto")) for count in LANES})
        ready = {count: team.ask(count, "lanes", config=to_json(network), count=count) for count in LANES}
        answers = team.take_turns({count: {"do": "step"} for count in team.sound}, ROUNDS)
    for count in LANES:
        own = Measurement("scaling", f"lanes {count}", "auto", STEP, error=team.errors.get(count))
        if count in answers:
            own = own.timed([[each["seconds"]] for each in answers[count]])
        yield own._replace(peak_bytes=(ready[count] or {}).get("peak_bytes"))


def measure_reviews(most: int, place: Path) -> Iterator[Measurement]:
    """Times files of reviews prepared with nothing cached, then a start of ``train.py`` from that cache."""
    for count in (most // part for part in PARTS):
        config, arguments = reading_all(PUBLISHED, text.generated(place, count))
        prepare, first = (Measurement("scaling", f"reviews {count}", "auto", pass_) for pass_ in (PREPARE, FIRST))
        with tempfile.TemporaryDirectory(dir=place) as cache:
            with Worker(SERVICE, "auto") as worker:
                answer = worker.ask("reviews", config=to_json(config), cache=cache)
            if "error" in answer:
                yield prepare._replace(error=answer["error"])
                continue
            yield prepare.timed([[answer["seconds"]]])._replace(peak_bytes=answer["peak_bytes"])
            try:
                started = start.first_step(arguments, Path(cache))
            except UserError as error:
                yield first._replace(error=str(error))
            else:
                yield first.timed([[started.seconds]])._replace(peak_bytes=started.peak_bytes)


def reading_all(published: str, file: Path) -> tuple[Config, list[str]]:
    """A small network on all reviews of a file, as a config and as flags of ``train.py``.

    Args:
      published: the system whose settings of data it has, as a value of ``--config``.
      file: the reviews.
    """
    name, _, variant = published.partition(":")
    config = importlib.import_module(name.removesuffix(".py").replace("/", ".")).get_config(variant)
    changes = {"data.path": str(file.resolve()), **CHANGES}
    for path, value in changes.items():
        change(config, path, value)
    return config, [f"--config={published}", *(f"--config.{path}={value}" for path, value in changes.items())]


def _points(found: Sequence[Measurement]) -> dict[int, float]:
    """Milliseconds by size."""
    return {int(each.case.split()[1]): each.median_ms for each in found if each.median_ms}


def exponent(found: Sequence[Measurement]) -> float | None:
    """The slope of the line that best fits log time over log size; 1 where time is linear."""
    points = _points(found)
    if len(points) < 2:
        return None
    return float(np.polyfit(np.log(list(points)), np.log(list(points.values())), 1)[0])


def _series(found: Sequence[Measurement]) -> Series:
    """Measurements by axis and pass, with passes in the order of ``COLOURS``."""
    series: Series = {each.case.split()[0]: {} for each in found}
    for each in sorted(found, key=lambda each: list(COLOURS).index(each.pass_)):
        series[each.case.split()[0]].setdefault(each.pass_, []).append(each)
    return series


def tables(found: Sequence[Measurement]) -> str:
    """A table for each axis: a row a size, the last one the exponents."""
    return "\n\n".join(_table(axis, passes) for axis, passes in _series(found).items())


def _table(axis: str, passes: dict[str, list[Measurement]]) -> str:
    cases = list(dict.fromkeys(each.case for own in passes.values() for each in own))
    columns = [[axis, *(f"{int(case.split()[1]):,}" for case in cases), "exponent"]]
    for pass_, own in passes.items():
        by_case, fit = {each.case: each for each in own}, exponent(own)
        unit, scale = UNITS.get(pass_, ("ms", 1.0))
        column, peaks = [f"{pass_}, {unit}"], ["peak memory, GiB"]
        for case in cases:
            each = by_case.get(case)
            time_ = "–" if each is None else each.error or f"{scale * (each.median_ms or 0):.3g}"
            column.append(time_)
            peaks.append(f"{each.peak_bytes / 2**30:.2f}" if each and each.peak_bytes else "–")
        columns += [[*column, "–" if fit is None else f"{fit:.2f}"], [*peaks, ""]]
    return markdown(list(zip(*columns, strict=True)))


def picture(found: Sequence[Measurement], path: Path) -> None:
    """Draws time over size, a panel an axis, with a line of slope 1 beside each."""
    series = _series(found)
    columns = min(3, len(series))
    rows = -(-len(series) // columns)
    drawn, grid = plots.figure(4.1 * columns, 3.5 * rows, rows, columns, squeeze=False)
    for (axis, passes), panel in zip(series.items(), grid.flat, strict=False):
        _panel(panel, axis, passes)
    for panel in grid.flat[len(series) :]:
        panel.set_visible(False)
    plots.save(drawn, path)


def _panel(panel: Any, axis: str, passes: dict[str, list[Measurement]]) -> None:
    from matplotlib.ticker import LogLocator

    unit, scale = UNITS.get(next(iter(passes)), ("ms", 1.0))
    sizes: set[int] = set()
    for pass_, own in passes.items():
        points, fit = _points(own), exponent(own)
        if not points:
            continue
        x, y = np.array(list(points)), scale * np.array(list(points.values()))
        label = pass_ if fit is None else f"{pass_}: {fit:.2f}"
        panel.plot(x, y, "o-", color=COLOURS[pass_], markersize=4.5, linewidth=1.6, label=label)
        panel.plot(x, y[0] * x / x[0], color="grey", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        sizes |= set(points)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(sorted(sizes), [f"{size:,}" for size in sorted(sizes)])
    panel.minorticks_off()
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.3g}" if value < 1e3 else f"{value:,.0f}")
    panel.set(xlabel=axis, ylabel=unit)
    panel.grid(alpha=0.25)
    if sizes:
        panel.legend(frameon=False, fontsize=9, title="exponent (dashes: 1)", title_fontsize=9, alignment="left")
