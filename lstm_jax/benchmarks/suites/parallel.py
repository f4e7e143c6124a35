"""Layers that are parallel over time, compared with the LSTM as sequences grow, and their implementations."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags

from lstm_jax import runtime
from lstm_jax.benchmarks.harness import TOLERANCE, relative_difference
from lstm_jax.benchmarks.implementations import ours
from lstm_jax.benchmarks.implementations.problem import Built, Case, Problem, random_problem
from lstm_jax.benchmarks.measurement import PASSES, Measurement, grouped, ratio
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.benchmarks.suites.tune import repeated
from lstm_jax.errors import ConfigError
from lstm_jax.layers import make_layer, stack
from lstm_jax.registry import CELLS, LAYERS, implementations, nearest
from lstm_jax.reports.tables import markdown
from lstm_jax.timer import in_turn

COMPARED_LAYER = "lstm"  # The layer whose times the others are compared with.
PLAIN_LOOPS = ("loop", "scan")  # Names of the implementation that results are compared with.
PARALLEL_ROUNDS = 7


def define_parallel() -> None:
    """Defines the flags of this suite."""
    flags.DEFINE_list(
        "layers",
        "qrnn,min_lstm,min_gru",
        f"Layers to measure beside {COMPARED_LAYER}, each in all its implementations.",
    )
    flags.DEFINE_list("steps", "64,256,1024,4096", "Lengths of the sequences, T.")
    flags.DEFINE_integer("examples", 16, "Examples of a batch, B, over all devices.", lower_bound=1)
    flags.DEFINE_integer("units", 128, "Features of inputs and outputs, D and H.", lower_bound=1)


def run_parallel(place: Path, command: str, layers: Sequence[str], steps: Sequence[str], **sizes: int) -> str:
    """Measures and returns the tables, one for each pass; writes ``bench.json``.

    Raises:
      ConfigError: A layer is unknown, or a length is not a number above 0.
    """
    known = list(dict.fromkeys([*LAYERS, *CELLS]))
    for name in layers:
        if name not in known:
            raise ConfigError(f"--layers names {name!r}, and there is no such layer; {nearest(name, known)}")
    lengths = [int(each) if each.isascii() and each.isdigit() else 0 for each in steps]
    if not steps or not all(lengths):
        raise ConfigError(f"--steps is {','.join(steps)}; it must hold integers of at least 1, such as 64,256")
    made = measure_parallel([name for name in layers if name != COMPARED_LAYER], lengths, **sizes)
    return parallel_tables(Record(**provenance(command, runtime.machine())).collect(made, place / "bench.json"))


def measure_parallel(layers: Sequence[str], steps: Sequence[int], examples: int, units: int) -> Iterator[Measurement]:
    """Times both passes of all layers in all their implementations, in turn. Of the LSTM only ``auto`` is timed.

    A result that differs from that of the layer's plain loop is not timed.

    Args:
      layers: The layers beside the LSTM.
      steps: The lengths of the sequences, T.
      examples: The number of examples, B.
      units: The number of features, D = H.
    """
    for count in steps:
        case = Case(f"T {count}", examples, count, units, units)
        found, built = _checked(layers, case)
        for pass_ in PASSES:
            cases = {name: partial(repeated, getattr(own, pass_)) for name, own in built.items()}
            times = in_turn(cases, PARALLEL_ROUNDS)
            for name, one in found.items():
                measured = one._replace(pass_=pass_)
                if name in built:
                    measured = measured.timed([[each] for each in times[name]])
                    measured = measured._replace(compile_seconds=built[name].compile_seconds[pass_])
                yield measured


def _checked(layers: Sequence[str], case: Case) -> tuple[dict[str, Measurement], dict[str, Built]]:
    """A measurement for each implementation, still without times, and those that gave the right results."""
    problem, machine = random_problem(case), runtime.machine()
    found: dict[str, Measurement] = {}
    built: dict[str, Built] = {}
    for layer in (COMPARED_LAYER, *layers):
        known = implementations(layer)
        plain = next((name for name in PLAIN_LOOPS if name in known), "auto")
        expected = _results(_build(layer, plain, case, problem))
        for implementation in ("auto",) if layer == COMPARED_LAYER else known:
            name = layer if implementation == "auto" else f"{layer} {implementation}"
            own = _build(layer, implementation, case, problem)
            worst = max(map(relative_difference, _results(own), expected))
            found[name] = Measurement("parallel", case.name, name, "", device=machine, difference=worst)
            if worst <= TOLERANCE["float32"]:
                built[name] = own
            else:
                error = f"differs from {layer} {plain} by {worst:.2g} of the largest value"
                found[name] = found[name]._replace(error=error)
    return found, built


def _build(layer: str, implementation: str, case: Case, problem: Problem) -> Built:
    made = stack([make_layer(layer, case.units, implementation=implementation)])
    return ours.build_layer(made, case, problem, made.init(jax.random.key(0), case.inputs))


def _results(built: Built) -> list[Any]:
    """Outputs and gradients as arrays on the host."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves((built.forward(), built.train()))]


def parallel_tables(record: Record) -> str:
    """One table per pass: a row per implementation, a column per length, each cell with the ratio over the LSTM's."""
    head = (
        f"{record.device}, {record.date}, jax {record.versions.get('jax')}. A cell gives the median in milliseconds, "
        f"and the time as a multiple (×) of that of {COMPARED_LAYER} in the same rounds."
    )
    tables = [_table(pass_, own) for pass_, own in grouped(record.measurements, lambda each: each.pass_).items()]
    return "\n\n".join([head, f"`{record.command}`", *tables])


def _table(pass_: str, found: Sequence[Measurement]) -> str:
    by_case = grouped(found, lambda each: each.case)
    bases = {case: next(each for each in own if each.implementation == COMPARED_LAYER) for case, own in by_case.items()}
    rows = [[f"{pass_}, ms", *by_case]]
    for name, own in grouped(found, lambda each: each.implementation).items():
        rows.append([name, *(_cell(each, bases[each.case]) for each in own)])
    return markdown(rows)


def _cell(own: Measurement, base: Measurement) -> str:
    if own.median_ms is None:
        return own.error or "–"
    compared = None if own is base else ratio(own, base)
    return f"{own.median_ms:.3g}" + (f", {compared}" if compared else "")
