"""The benchmark of LSTM layers from names to files: limits and all cases measured, and reported."""

import logging
from collections.abc import Sequence
from pathlib import Path

from lstm_jax.benchmarks import harness as turns
from lstm_jax.benchmarks import record, report, roofline, roofs
from lstm_jax.benchmarks.about import about
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import Device, Measurement
from lstm_jax.benchmarks.implementations import OURS, PEERS
from lstm_jax.benchmarks.record import Record
from lstm_jax.benchmarks.suites import SUITES
from lstm_jax.errors import ConfigError, UserError

log = logging.getLogger(__name__)


def run(suite: str, names: Sequence[str], dtypes: Sequence[str], place: Path, command: str) -> str:
    """Measures and returns the tables; writes ``bench.json``, anew after each case, and ``roofline.png``.

    Args:
      suite: of ``suites.py``.
      names: of implementations; the first is ours, and what the others are held to and compared with.
      dtypes: float32 | bfloat16.
      place: where the files go.
      command: that repeats it.

    Raises:
      ConfigError: there is no such suite, implementation or type, or the first one is not ours.
      UserError: the device's limits could not be measured.
    """
    _check(suite, names, dtypes)
    device, before = measure_limits()
    cases = {case.name: case for case in SUITES[suite]}
    said = about(command, device.name, ("torch", "keras"))
    found = Record(suite, **said, limits_before=before, limits_after=None, cases=cases, measurements=[])
    for dtype in dtypes:
        for case in cases.values():
            own = turns.measure(suite, case, names, dtype, device)
            for each in own:
                log.info("%s", _line(each))
            found = limited(found._replace(measurements=[*found.measurements, *own]))
            record.write(found, place / "bench.json")
    found = limited(found._replace(limits_after=measure_limits()[1]))
    record.write(found, place / "bench.json")
    roofline.draw(found, place / "roofline.png")
    return report.tables(found)


def measure_limits() -> tuple[Device, Limits]:
    """The device and its limits, measured in a process of its own.

    Raises:
      UserError: that failed.
    """
    with turns.Worker("limits") as worker:
        answer = worker.ask("limits")
    if "error" in answer:
        raise UserError(f"the limits of this device cannot be measured: {answer['error']}")
    return Device(*answer["device"]), Limits(*answer["limits"])


def limited(found: Record) -> Record:
    """With every measurement held to the limits that are known by now."""
    return found._replace(measurements=[_against(each, found) for each in found.measurements])


def _against(each: Measurement, found: Record) -> Measurement:
    if each.median_ms is None:
        return each
    least = roofs.seconds(found.cases[each.case], each.part, each.dtype, found.limits)
    limited_by = max(least, key=lambda name: least[name])
    limit_ms = 1e3 * least[limited_by]
    return each._replace(limit_ms=limit_ms, limited_by=limited_by, fraction_of_limit=limit_ms / each.median_ms)


def _check(suite: str, names: Sequence[str], dtypes: Sequence[str]) -> None:
    known = {"suite": list(SUITES), "implementation": list(PEERS), "type": list(turns.TOLERANCE)}
    for kind, given in (("suite", [suite]), ("implementation", names), ("type", dtypes)):
        if not given:
            raise ConfigError(f"no {kind} is given; there are {', '.join(known[kind])}")
        for name in given:
            if name not in known[kind]:
                raise ConfigError(f"there is no {kind} {name!r}; there are {', '.join(known[kind])}")
        if len(set(given)) < len(given):
            raise ConfigError(f"the same {kind} is given twice: {', '.join(given)}")
    if names[0] not in OURS:
        ours = ", ".join(OURS)
        raise ConfigError(f"the first implementation, which others are held to, is {names[0]!r}; it must be of {ours}")


def _line(each: Measurement) -> str:
    what = each.error
    if each.median_ms is not None:
        what = f"{each.median_ms:.3g} ms, {each.gflops:.3g} GFLOP/s, compiled in {each.compile_seconds:.1f} s"
    return f"{each.case}, {each.part}, {each.dtype}, {each.implementation}: {what}"
