"""The growth of time and memory with T, B, H, layers, lanes and reviews, varied one at a time."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags

from lstm_jax import runtime
from lstm_jax.benchmarks import harness
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.measurement import Device, Measurement, grouped
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.benchmarks.suites import lanes, start, text
from lstm_jax.config import Config, load_config_file, set_field, validate
from lstm_jax.configs.studies import quick
from lstm_jax.data import corpus
from lstm_jax.errors import UserError
from lstm_jax.reports import plots, ticks
from lstm_jax.reports.tables import markdown

BASE = Case("base", 32, 128, 64, 128)
SIZES = (
    *(BASE._replace(name=f"T {n}", steps=n) for n in (64, 128, 256, 512, 1024)),
    *(BASE._replace(name=f"B {n}", batch=n) for n in (8, 16, 32, 64, 128)),
    *(BASE._replace(name=f"H {n}", units=n) for n in (32, 64, 128, 256, 512)),
    *(BASE._replace(name=f"layers {n}", layers=n) for n in (1, 2, 3, 4)),
)
LANE_COUNTS = (1, 2, 4, 8, 16, 32)
DIVISORS = (16, 4, 1)  # Divisors of the number of reviews.
REVIEWS_CONFIG = "floydhub_amazon:small"  # The config that reads the reviews.
# Changes to that config: a small network, so that the time to the first step is mostly that of the data, and no limit
# on the number of reviews.
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
PASS_COLOURS = {TRAIN: "#d95f02", FORWARD: "#1b6ca8", STEP: "#d95f02", PREPARE: "#d95f02", FIRST: "#1b6ca8"}


def define_scaling() -> None:
    """Defines the flags of this suite."""
    flags.DEFINE_integer("reviews", 3_600_000, "Reviews in the largest generated file.", lower_bound=1000)


def run_scaling(place: Path, command: str, reviews: int) -> str:
    """Measures all axes; writes ``scaling.json`` and ``scaling.png`` and returns one table per axis."""
    device = Device(runtime.machine(), jax.default_backend())
    made = measure_scaling(device, reviews, place)
    found = Record(**provenance(command, device.name)).collect(made, place / "scaling.json").measurements
    draw_scaling(found, place / "scaling.png")
    return scaling_tables(found)


def measure_scaling(device: Device, reviews: int, place: Path) -> Iterator[Measurement]:
    """Measures layers over all sizes, then steps over the number of lanes, then files over the number of reviews."""
    for case in SIZES:
        yield from harness.measure_layers("scaling", case, ["auto"], "float32", device)
    (task,) = quick.get_config().tasks.values()
    network = validate(task.config)
    layouts = [lanes.Layout(count, "auto", 0) for count in LANE_COUNTS]
    for each in lanes.measure_steps(network, corpus.prepare(network.data), layouts):
        yield each._replace(suite="scaling", case=f"lanes {each.details['lanes']}", pass_=STEP)
    for part in DIVISORS:
        yield from measure_reviews(reviews // part, place)


def measure_reviews(count: int, place: Path) -> Iterator[Measurement]:
    """Times preparing a file of reviews with nothing cached, then a start of ``train.py`` with that cache."""
    config, arguments = reading_all(REVIEWS_CONFIG, text.generated(place, count))
    first = Measurement("scaling", f"reviews {count}", "ours", FIRST)
    with tempfile.TemporaryDirectory(dir=place) as cache:
        prepared = text.measure_preparation(config, Path(cache), count)._replace(suite="scaling")
        yield prepared
        if prepared.error:
            return
        try:
            started = start.first_step(arguments, Path(cache))
        except UserError as error:
            yield first._replace(error=str(error))
        else:
            yield first.timed([[started.seconds]])._replace(peak_bytes=started.peak_bytes)


def reading_all(published: str, file: Path) -> tuple[Config, list[str]]:
    """The config of a small network on all reviews of a file, and the flags of ``train.py`` for it.

    Args:
      published: The config whose data settings it takes, as a value of ``--config``.
      file: The reviews.
    """
    config = load_config_file(published)
    changes = {"data.path": str(file.resolve()), **CHANGES}
    for path, value in changes.items():
        set_field(config, path, value)
    return config, [f"--config={published}", *(f"--config.{path}={value}" for path, value in changes.items())]


def _points(found: Sequence[Measurement]) -> dict[int, float]:
    """Milliseconds by size."""
    return {int(each.case.split()[1]): each.median_ms for each in found if each.median_ms}


def exponent(found: Sequence[Measurement]) -> float | None:
    """The slope of the line that best fits log time over log size: 1 if time is linear, ``None`` below two sizes."""
    points = _points(found)
    if len(points) < 2:
        return None
    return float(np.polyfit(np.log(list(points)), np.log(list(points.values())), 1)[0])


def _by_axis(found: Sequence[Measurement]) -> dict[str, dict[str, list[Measurement]]]:
    """Measurements by axis and pass."""
    axes = grouped(found, lambda each: each.case.split()[0])
    return {axis: grouped(own, lambda each: each.pass_) for axis, own in axes.items()}


def scaling_tables(found: Sequence[Measurement]) -> str:
    """One table per axis, with one row per size. The last row holds the exponents."""
    return "\n\n".join(_table(axis, passes) for axis, passes in _by_axis(found).items())


def _table(axis: str, passes: dict[str, list[Measurement]]) -> str:
    sizes = dict.fromkeys(each.case for own in passes.values() for each in own)
    columns = [[axis, *(f"{int(size.split()[1]):,}" for size in sizes), "exponent"]]
    for pass_, own in passes.items():
        by_size, fit = {each.case: each for each in own}, exponent(own)
        cells = [_cells(by_size.get(size)) for size in sizes]
        columns.append(
            [f"{pass_}, {_unit(pass_)[0]}", *(time for time, _ in cells), "–" if fit is None else f"{fit:.2f}"]
        )
        columns.append(["peak memory, GiB", *(peak for _, peak in cells), ""])
    return markdown(list(zip(*columns, strict=True)))


def _cells(own: Measurement | None) -> tuple[str, str]:
    """The time and the memory of a measurement."""
    if own is None or not own.median_ms:
        return (own and own.error) or "–", "–"
    return f"{own.median_ms * _unit(own.pass_)[1]:.3g}", f"{own.peak_bytes / 2**30:.2f}" if own.peak_bytes else "–"


def _unit(pass_: str) -> tuple[str, float]:
    """The unit of a pass's time, and the factor that converts milliseconds to it."""
    return ("s", 1e-3) if pass_ in (PREPARE, FIRST) else ("ms", 1.0)


def draw_scaling(found: Sequence[Measurement], path: Path) -> None:
    """Plots time over size, one panel per axis, beside a line of slope 1."""
    series = _by_axis(found)
    columns = min(3, len(series))
    rows = -(-len(series) // columns)
    drawn, grid = plots.figure(4.1 * columns, 3.5 * rows, rows, columns, squeeze=False)
    for (axis, passes), panel in zip(series.items(), grid.flat, strict=False):
        _panel(panel, axis, passes)
    for panel in grid.flat[len(series) :]:
        panel.set_visible(False)
    plots.save(drawn, path)


def _panel(panel: Any, axis: str, passes: dict[str, list[Measurement]]) -> None:
    unit, scale = _unit(next(iter(passes)))
    sizes: set[int] = set()
    for pass_, own in passes.items():
        points, fit = _points(own), exponent(own)
        if not points:
            continue
        x, y = np.array(list(points)), scale * np.array(list(points.values()))
        label = pass_ if fit is None else f"{pass_}: {fit:.2f}"
        panel.plot(x, y, "o-", color=PASS_COLOURS[pass_], markersize=4.5, linewidth=1.6, label=label)
        panel.plot(x, y[0] * x / x[0], color="grey", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        sizes |= set(points)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(sorted(sizes), [f"{size:,}" for size in sorted(sizes)])
    panel.minorticks_off()
    ticks.label_plain(panel.yaxis, most=9)
    panel.set(xlabel=axis, ylabel=unit)
    panel.grid(alpha=0.25)
    if sizes:
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "alignment": "left"}
        panel.legend(frameon=False, fontsize=9, title="exponent (dashes: 1)", title_fontsize=9, **above)
