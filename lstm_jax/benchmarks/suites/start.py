"""The time from the command ``train.py`` to its first step, with nothing cached and with everything cached.

This process starts ``train.py`` and waits until it prints that its first step is done. The stages are those that the
run itself writes into ``summary.json``.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from absl import flags

from lstm_jax import runtime
from lstm_jax.benchmarks import memory
from lstm_jax.benchmarks.measurement import Measurement
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.benchmarks.worker import package_environment
from lstm_jax.configs.studies import systems
from lstm_jax.errors import UserError
from lstm_jax.reports.tables import markdown
from lstm_jax.training.logging import FIRST_STEP

_TRAIN = "from lstm_jax.commands.train import train_command; train_command()"  # What the command lstm-train runs.
STAGES = ("imports", "reviews", "compiling", "step", "other")
WARM_STARTS = 3  # Number of starts with everything cached.
WARM_LIMIT_SECONDS = 5.0  # Seconds that such a start may take. The table marks slower ones.


class Start(NamedTuple):
    """One start of ``train.py``."""

    seconds: float  # The time from starting the process to its first step.
    stages: dict[str, float]  # Seconds by stage.
    peak_bytes: int  # Peak memory of the process.


def define_start() -> None:
    """Defines the flags of this suite."""
    help_text = "Data directory with the files that configs/studies/systems.py names."
    flags.DEFINE_string("data", None, help_text, required=True)


def run_start(place: Path, command: str, data: str) -> str:
    """Measures every config of ``configs``, writes ``start.json`` and returns the table."""
    record = Record(**provenance(command, runtime.machine()))
    return starts_table(record.collect(measure_starts(commands(Path(data)), place), place / "start.json").measurements)


def commands(folder: Path) -> dict[str, list[str]]:
    """Flags of ``train.py`` for the default config, the recipe for IMDB, and the five systems as published."""
    folder = folder.resolve()
    found = {"default": ["--config=default"]}
    found["imdb"] = ["--config=imdb", f"--config.data.path={folder / systems.FILES['imdb']}"]
    for system in systems.get_config(str(folder)).systems:
        variant, config = next(iter(system.variants.items()))
        name = f"--config={system.name}:{variant}"
        found[f"{system.letter} {system.name}"] = [name, f"--config.data.path={config.data.path}"]
    return found


def measure_starts(commands: Mapping[str, Sequence[str]], place: Path) -> Iterator[Measurement]:
    """Starts each config once with nothing cached, then ``WARM_STARTS`` times with everything cached.

    Args:
      commands: Flags of ``train.py``, without ``--workdir``, by the name of the config.
      place: A folder for temporary caches.
    """
    for name, arguments in commands.items():
        cold, warm = (Measurement("start", name, kind, "first step") for kind in ("cold", "warm"))
        with tempfile.TemporaryDirectory(dir=place) as cache:
            try:
                yield _measurement(cold, [first_step(arguments, Path(cache))])
                yield _measurement(warm, [first_step(arguments, Path(cache)) for _ in range(WARM_STARTS)])
            except UserError as error:
                yield cold._replace(error=str(error))


def _measurement(own: Measurement, starts: Sequence[Start]) -> Measurement:
    """The measurement of several starts, with the stages of the median one."""
    median = sorted(starts, key=lambda each: each.seconds)[len(starts) // 2]
    own = own.timed([[each.seconds] for each in starts])
    return own._replace(details=median.stages, peak_bytes=median.peak_bytes)


def first_step(arguments: Sequence[str], cache: Path) -> Start:
    """Starts ``train.py`` on a new workdir and stops it after its first step.

    Args:
      arguments: The flags of ``train.py``, without ``--workdir``.
      cache: The folder of compiled programs and prepared data.

    Raises:
      UserError: ``train.py`` ended before its first step, or wrote no stages.
    """
    spoken = " ".join([runtime.command_name("train"), *arguments])
    environment = package_environment() | {"LSTM_JAX_CACHE": str(cache)}
    with tempfile.TemporaryDirectory(dir=cache) as workdir:
        command = [sys.executable, "-c", _TRAIN, *arguments, f"--workdir={workdir}"]
        seconds, peak, said = _until_first_step(command, environment)
        if not seconds:
            raise UserError(f"{spoken} ended before its first step: {said}")
        summary = Path(workdir) / "summary.json"
        inside = json.loads(summary.read_text(encoding="utf-8")).get("startup") if summary.exists() else None
        if inside is None:
            raise UserError(f"{spoken} wrote no stages of its start into {summary.name}")
    stages = {name: inside[name] for name in STAGES}
    stages["imports"] += seconds - inside["all"]  # the start of Python itself
    return Start(seconds, stages, peak)


def _until_first_step(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, int, str]:
    """Seconds to the first step (0 if there was none), peak memory in bytes, and the last line on standard error."""
    start, line, seconds, held = time.perf_counter(), "", 0.0, None
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        for line in process.stderr:
            if line.startswith(FIRST_STEP):
                seconds = time.perf_counter() - start
                held = memory.status_bytes("VmHWM", process.pid)
                break
    finally:  # also when this process is interrupted while it waits
        os.kill(process.pid, signal.SIGTERM)  # Popen.terminate may reap the process, and its memory would be lost
        process.stderr.read()  # the process cannot end while its output is unread
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
    return seconds, held or memory.peak_bytes(usage), line.strip()


def starts_table(found: Sequence[Measurement]) -> str:
    """One row per config: seconds with nothing cached, then with everything cached, in total and by stage."""
    rows = [["seconds to the first step", "cold", "warm [lowest, highest]", *STAGES, "peak, GiB"]]
    by_name = {(each.case, each.implementation): each for each in found}
    for case in dict.fromkeys(each.case for each in found):
        cold, warm = by_name[case, "cold"], by_name.get((case, "warm"))
        if cold.error or not warm or not warm.seconds:
            rows.append([case, cold.error or "–", *["–"] * (len(STAGES) + 2)])
            continue
        late = "" if warm.seconds <= WARM_LIMIT_SECONDS else f", more than {WARM_LIMIT_SECONDS:g}"
        spread = f"[{min(warm.rounds) / 1e3:.1f}, {max(warm.rounds) / 1e3:.1f}]"
        stages = [f"{warm.details[stage]:.1f}" for stage in STAGES]
        peak = f"{(warm.peak_bytes or 0) / 2**30:.2f}"
        rows.append([case, f"{cold.seconds:.1f}", f"{warm.seconds:.1f} {spread}{late}", *stages, peak])
    return markdown(rows)
