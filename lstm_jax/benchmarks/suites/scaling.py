"""How time and memory grow with T, B, H, layers, lanes and reviews, one at a time."""

import contextlib
import importlib
import itertools
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from lstm_jax import runtime as devices
from lstm_jax.benchmarks import harness as turns
from lstm_jax.benchmarks import start, text
from lstm_jax.benchmarks.about import about
from lstm_jax.benchmarks.harness import Worker
from lstm_jax.benchmarks.measurement import Device, cell
from lstm_jax.benchmarks.suites import SCALING
from lstm_jax.config import Config, change, to_json
from lstm_jax.errors import UserError
from lstm_jax.reports import plots
from lstm_jax.training.workdir import write_json

log = logging.getLogger(__name__)

LANES = (1, 2, 4, 8, 16, 32)
ROUNDS = 7  # of the steps of lanes
PARTS = (16, 4, 1)  # of all reviews, the divisors
# The network whose first step on a file of reviews is waited for.
SMALL = {"model.embedding_size": 64, "model.hidden_size": 64, "model.layers": 1, "model.dropout.layers": 0.0}
ALL = {"data.train_entries": 0, "data.eval_entries": 0}  # of a file's reviews, where a system takes a number of them
# What is measured over an axis.
TRAIN, FORWARD, STEP = "training", "forward pass", "step of all lanes"
PREPARE, FIRST = "preparing", "first step, reviews cached"
SECONDS = (PREPARE, FIRST)  # told in seconds, others in milliseconds
COLOURS = {TRAIN: "#d95f02", FORWARD: "#1b6ca8", STEP: "#d95f02", PREPARE: "#d95f02", FIRST: "#1b6ca8"}


class Point(NamedTuple):
    """What one size takes."""

    axis: str  # T | B | H | layers | lanes | reviews
    value: int
    what: str  # was measured
    seconds: float | None
    peak_bytes: int | None  # the most memory: of reviews of the whole process, else beyond what it held before
    error: str | None = None  # what went wrong; then there are no figures


def run(network: Config, published: str, reviews: int, place: Path, command: str) -> str:
    """Measures all axes and returns a table of each; writes ``scaling.json`` and ``scaling.png``.

    Args:
      network: what lanes are of.
      published: the system that reads the reviews; see ``on_reviews``.
      reviews: the most of a generated file.
      place: where files go, those of reviews too.
      command: that repeats it.
    """
    device = Device(devices.machine(), jax.default_backend())
    found: list[Point] = []
    for point in itertools.chain(_layers(device), _lanes(network), _reviews(published, reviews, place)):
        log.info("%s %d, %s: %s", *point[:3], point.error or f"{point.seconds:.4g} s")
        found.append(point)
        write_json(place / "scaling.json", {**about(command, device.name), **_as_json(found)})
    picture(found, place / "scaling.png")
    return tables(found)


def _layers(device: Device) -> Iterator[Point]:
    for case in SCALING:
        for each in turns.measure("scaling", case, ["auto"], "float32", device):
            axis, value = each.case.split()
            what = {"train": TRAIN, "forward": FORWARD}[each.part]
            seconds = None if each.median_ms is None else each.median_ms / 1e3
            yield Point(axis, int(value), what, seconds, each.peak_bytes, each.error)


def _lanes(network: Config) -> Iterator[Point]:
    """All numbers of lanes are ready at once, each in a process of its own, and make their steps in turn."""
    with contextlib.ExitStack() as running:
        workers = {count: running.enter_context(Worker("auto")) for count in LANES}
        ready = {count: worker.ask("lanes", config=to_json(network), count=count) for count, worker in workers.items()}
        sound = [count for count in LANES if "error" not in ready[count]]
        seconds: dict[int, list[float]] = {count: [] for count in sound}
        rng = np.random.default_rng(0)
        for _ in range(ROUNDS):
            for count in rng.permutation([count for count in sound if "error" not in ready[count]]):
                time.sleep(turns.PAUSE_SECONDS)
                answer = workers[count].ask("step")
                if "error" in answer:
                    ready[count] = answer
                else:
                    seconds[count].append(answer["seconds"])
    for count in LANES:
        error = ready[count].get("error")
        median = None if error else float(np.median(seconds[count]))
        yield Point("lanes", count, STEP, median, ready[count].get("peak_bytes"), error)


def _reviews(published: str, most: int, place: Path) -> Iterator[Point]:
    """Files of reviews prepared with nothing cached, then a start of ``train.py`` on what that has cached."""
    for count in (most // part for part in PARTS):
        config, flags = on_reviews(published, text.generated(place, count))
        with tempfile.TemporaryDirectory(dir=place) as cache:
            with Worker("auto") as worker:
                answer = worker.ask("reviews", config=to_json(config), cache=cache)
            seconds, peak = answer.get("seconds"), answer.get("peak_bytes")
            yield Point("reviews", count, PREPARE, seconds, peak, answer.get("error"))
            if "error" in answer:
                continue
            try:
                started = start.first_step(flags, Path(cache))
            except UserError as error:
                yield Point("reviews", count, FIRST, None, None, str(error))
            else:
                yield Point("reviews", count, FIRST, started.seconds, started.peak_bytes)


def on_reviews(published: str, file: Path) -> tuple[Config, list[str]]:
    """A small network on a file of reviews as a published system reads them, as a config and as flags of ``train.py``.

    Args:
      published: as the flag ``--config`` names the system.
      file: of reviews.
    """
    name, _, variant = published.partition(":")
    config = importlib.import_module(name.removesuffix(".py").replace("/", ".")).get_config(variant)
    changes = {"data.path": str(file.resolve()), **SMALL, **ALL}
    for path, value in changes.items():
        change(config, path, value)
    return config, [f"--config={published}", *(f"--config.{path}={value}" for path, value in changes.items())]


def exponent(points: Sequence[Point]) -> float | None:
    """The slope of the line that fits the logarithms of seconds over those of values best; 1 where time is linear."""
    sizes, times = np.log([(point.value, point.seconds) for point in points if point.seconds]).reshape(-1, 2).T
    return float(np.polyfit(sizes, times, 1)[0]) if len(set(sizes)) > 1 else None


def _series(found: Sequence[Point]) -> dict[str, dict[str, list[Point]]]:
    """Points by axis and by what was measured, in the order of ``COLOURS``."""
    series: dict[str, dict[str, list[Point]]] = {}
    for point in sorted(found, key=lambda each: list(COLOURS).index(each.what)):
        series.setdefault(point.axis, {}).setdefault(point.what, []).append(point)
    return {axis: series[axis] for axis in dict.fromkeys(point.axis for point in found)}


def _as_json(found: Sequence[Point]) -> dict[str, Any]:
    exponents = {axis: {what: exponent(own) for what, own in all_.items()} for axis, all_ in _series(found).items()}
    return {"exponents": exponents, "measurements": [point._asdict() for point in found]}


def tables(found: Sequence[Point]) -> str:
    """A table an axis: a line a value, and last the exponents; "process" is ``Point.peak_bytes``."""
    return "\n\n".join(_table(axis, series) for axis, series in _series(found).items())


def _table(axis: str, series: dict[str, list[Point]]) -> str:
    columns: list[list[str]] = []
    values = list(dict.fromkeys(point.value for own in series.values() for point in own))
    for what, own in series.items():
        points, fit = {point.value: point for point in own}, exponent(own)
        times = [_time(points.get(value)) for value in values]
        columns.append([f"{what}, {_unit(what)[0]}", *times, "–" if fit is None else f"{fit:.2f}"])
        if any(point.peak_bytes for point in own):
            columns.append(["process, GiB", *(_peak(points.get(value)) for value in values), ""])
    firsts = [axis, *(f"{value:,}" for value in values), "exponent"]
    lines = [f"| {' | '.join(cells)} |" for cells in zip(firsts, *columns, strict=True)]
    return "\n".join([lines[0], "|---" * (len(columns) + 1) + "|", *lines[1:]])


def _unit(what: str) -> tuple[str, float]:
    """Of time, and how many of it are a second."""
    return ("s", 1.0) if what in SECONDS else ("ms", 1e3)


def _time(point: Point | None) -> str:
    if point is None or point.seconds is None:
        return cell(point.error or "–") if point else "–"
    return f"{point.seconds * _unit(point.what)[1]:.3g}"


def _peak(point: Point | None) -> str:
    return f"{point.peak_bytes / 2**30:.2f}" if point and point.peak_bytes else "–"


def picture(found: Sequence[Point], path: Path) -> None:
    """Small multiples of time over size, both logarithmic, a panel an axis, with a line of slope 1 beside each."""
    series = _series(found)
    columns = min(3, len(series))
    rows = -(-len(series) // columns)
    drawn, grid = plots.figure(4.1 * columns, 3.5 * rows, rows, columns, squeeze=False)
    for (axis, own), panel in zip(series.items(), grid.flat, strict=False):
        _panel(panel, axis, own)
    for panel in grid.flat[len(series) :]:
        panel.set_visible(False)
    plots.save(drawn, path)


def _panel(panel: Any, axis: str, series: dict[str, list[Point]]) -> None:
    from matplotlib.ticker import LogLocator

    unit, scale = _unit(next(iter(series)))
    number: Callable[[float, Any], str] = lambda value, _: f"{value:,.3g}" if value < 1e3 else f"{value:,.0f}"
    values: list[int] = []
    for what, points in series.items():
        own = [(point.value, scale * point.seconds) for point in points if point.seconds]
        if not own:
            continue
        fit = exponent(points)
        label = what if fit is None else f"{what}: {fit:.2f}"
        panel.plot(*zip(*own, strict=True), "o-", color=COLOURS[what], markersize=4.5, linewidth=1.6, label=label)
        values = sorted({*values, *(value for value, _ in own)})
        ends = np.array([own[0][0], own[-1][0]])
        panel.plot(ends, own[0][1] * ends / ends[0], color="grey", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(values, [f"{value:,}" for value in values])
    panel.minorticks_off()
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(number)
    panel.set(xlabel=axis, ylabel=unit)
    panel.grid(alpha=0.25)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(frameon=False, fontsize=9, title="exponent (dashes: 1)", title_fontsize=9, alignment="left")
