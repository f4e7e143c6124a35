"""The benchmark of LSTM layers from names to files: workers started, limits measured, all cases timed and reported."""

import contextlib
import datetime
import logging
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from lstm_jax.benchmarks import report, turns
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.peers import OURS, PEERS
from lstm_jax.benchmarks.suites import SUITES
from lstm_jax.benchmarks.turns import Measurement, Worker
from lstm_jax.errors import ConfigError
from lstm_jax.training.workdir import git_commit

log = logging.getLogger(__name__)

PACKAGES = ("jax", "jaxlib", "flax", "numpy", "torch", "keras")


def run(suite: str, names: Sequence[str], dtypes: Sequence[str], place: Path, command: str) -> str:
    """Measures and returns the table; writes ``bench.json`` and ``roofline.png``.

    Args:
      suite: of ``suites.py``.
      names: of implementations; the first is ours, and what the others are held to and compared with.
      dtypes: float32 | bfloat16.
      place: where the files go.
      command: that repeats it.

    Raises:
      ConfigError: there is no such implementation or type.
    """
    _check(names, dtypes)
    with Worker("limits") as worker:
        answer = worker.ask("limits")
        device = worker.ask("describe")["device"]
    limits = Limits(**answer)
    found: list[Measurement] = []
    with contextlib.ExitStack() as running:
        workers = [running.enter_context(Worker(name)) for name in names]
        for dtype in dtypes:
            ceiling = {"float32": limits.float32_gflops, "bfloat16": limits.bfloat16_gflops}[dtype]
            for each in turns.measure(suite, SUITES[suite], workers, dtype, ceiling, device):
                log.info("%s", _line(each))
                found.append(each)
    about = {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "device": device,
        "versions": {name: version(name) for name in PACKAGES},
        "git_commit": git_commit(),
        "limits": limits._asdict(),
    }
    report.write(found, about, place / "bench.json")
    report.roofline(found, limits, place / "roofline.png")
    return report.table(found, names[0])


def _check(names: Sequence[str], dtypes: Sequence[str]) -> None:
    for name in names:
        if name not in PEERS:
            raise ConfigError(f"there is no implementation {name!r}; there are {', '.join(PEERS)}")
    if not names or names[0] not in OURS:
        raise ConfigError(
            f"the first implementation must be one of ours, which the others are held to: {', '.join(OURS)}"
        )
    for dtype in dtypes:
        if dtype not in turns.TOLERANCE:
            raise ConfigError(f"there is no type {dtype!r}; there are {', '.join(turns.TOLERANCE)}")


def version(name: str) -> str | None:
    """Of an installed package; ``None`` where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _line(each: Measurement) -> str:
    what: Any = (
        each.error or f"{each.median_ms:.3g} ms, {each.gflops:.0f} GFLOP/s, compiled in {each.compile_seconds:.1f} s"
    )
    return f"{each.case}, {each.part}, {each.dtype}, {each.implementation}: {what}"
