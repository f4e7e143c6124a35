"""Seconds from the start of ``train.py`` to its first step: with nothing cached, and with programs and corpora cached.

The clock is that of this process, which starts ``train.py`` and waits for it to say that its first step is done. The
stages are those that the run itself writes into ``summary.json``.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax import runtime as devices
from lstm_jax.benchmarks import memory
from lstm_jax.benchmarks.about import about
from lstm_jax.benchmarks.measurement import cell
from lstm_jax.errors import UserError
from lstm_jax.training import startup
from lstm_jax.training.workdir import write_json

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
STAGES = ("imports", "reviews", "compiling", "step", "other")
WARM = 3  # starts, of which the median is told
BAR = 5.0  # seconds that a warm start may take


class Started(NamedTuple):
    """One start of ``train.py``."""

    seconds: float  # from starting the process to its first step
    stages: dict[str, float]  # seconds, by the names of STAGES
    peak_bytes: int  # the most memory that the process held


class Starts(NamedTuple):
    """All starts of one config."""

    cold: Started  # nothing cached: reviews are read, programs compiled
    warm: Started  # the median
    warm_seconds: list[float]  # of every warm start


def run(commands: Mapping[str, Sequence[str]], place: Path, command: str) -> str:
    """Measures every config and returns the table; writes ``start.json``, anew after each.

    Args:
      commands: flags of ``train.py`` by the name of a config, without ``--workdir``.
      place: where the file goes.
      command: that repeats it.
    """
    device = devices.machine()
    found: dict[str, Starts | str] = {}
    for name, arguments in commands.items():
        with tempfile.TemporaryDirectory(dir=place) as cache:
            try:
                found[name] = measured(arguments, Path(cache))
            except UserError as error:
                found[name] = str(error)
        log.info("%s", table({name: found[name]}).splitlines()[-1])
        configs = {name: as_json(own) for name, own in found.items()}
        write_json(place / "start.json", {**about(command, device), "configs": configs})
    return table(found)


def measured(arguments: Sequence[str], cache: Path) -> Starts:
    """One start with nothing cached and ``WARM`` with all; arguments and errors as those of ``first_step``."""
    cold = first_step(arguments, cache)
    warm = sorted((first_step(arguments, cache) for _ in range(WARM)), key=lambda each: each.seconds)
    return Starts(cold, warm[WARM // 2], [each.seconds for each in warm])


def first_step(arguments: Sequence[str], cache: Path) -> Started:
    """Starts ``train.py`` on a new workdir, and interrupts it after its first step.

    Args:
      arguments: its flags, without ``--workdir``.
      cache: where compiled programs and corpora are kept.

    Raises:
      UserError: it ended before a step, or left no account of it.
    """
    own = os.environ | {"LSTM_JAX_CACHE": str(cache), "HF_DATASETS_CACHE": str(cache / "datasets")}
    with tempfile.TemporaryDirectory(dir=cache) as workdir:
        command = [sys.executable, "train.py", *arguments, f"--workdir={workdir}"]
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr
        lines, seconds, held = [], 0.0, None
        try:
            for line in process.stderr:
                lines.append(line.strip())
                if line.startswith(startup.LINE):
                    seconds = time.perf_counter() - start
                    held = memory.held("VmHWM", process.pid)
                    break
        finally:  # also when this process is interrupted while it waits
            os.kill(process.pid, signal.SIGTERM)  # ``terminate`` may reap it, and its memory would not be known
            process.stderr.read()  # what it says of being interrupted, which it would wait to be rid of
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stderr.close()
        if not seconds:
            raise UserError(f"train.py {' '.join(arguments)} ended before its first step: {' '.join(lines[-1:])}")
        summary = Path(workdir) / "summary.json"
        inside = json.loads(summary.read_text(encoding="utf-8")).get("startup") if summary.exists() else None
        if inside is None:
            raise UserError(f"train.py {' '.join(arguments)} left no account of its start in {summary.name}")
    stages = {name: inside[name] for name in STAGES}
    stages["imports"] += seconds - inside["all"]  # Python itself
    return Started(seconds, stages, held or memory.peak_bytes(usage))


def as_json(found: Starts | str) -> dict[str, Any]:
    """As it stands in ``start.json``; of what failed, its error."""
    if isinstance(found, str):
        return {"error": found}
    return {"cold": found.cold._asdict(), "warm": found.warm._asdict(), "warm_seconds": found.warm_seconds}


def table(found: Mapping[str, Starts | str]) -> str:
    """Seconds of every config, cold and by stage when warm."""
    stages = " | ".join(STAGES)
    lines = [f"| seconds to the first step | cold | warm [lowest, highest] | {stages} | peak, GiB |"]
    lines.append("|---" * (len(STAGES) + 4) + "|")
    for name, each in found.items():
        if isinstance(each, str):
            lines.append(f"| {name} | {cell(each)} |{' – |' * (len(STAGES) + 2)}")
            continue
        own = " | ".join(f"{each.warm.stages[stage]:.1f}" for stage in STAGES)
        spread = f"[{min(each.warm_seconds):.1f}, {max(each.warm_seconds):.1f}]"
        late = "" if each.warm.seconds <= BAR else f", more than {BAR:g}"
        warm = f"{each.warm.seconds:.1f} {spread}{late}"
        peak = f"{each.warm.peak_bytes / 2**30:.2f}"
        lines.append(f"| {name} | {each.cold.seconds:.1f} | {warm} | {own} | {peak} |")
    return "\n".join(lines)
