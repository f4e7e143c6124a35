"""What a run writes while it trains: ``metrics.jsonl``, terminal output, a tracker, the start-up time."""

import contextlib
import json
import logging
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lstm_jax.runtime import in_notebook
from lstm_jax.training.lanes import Program
from lstm_jax.training.loop_state import Clock
from lstm_jax.training.trackers import TrackedLane, Tracker, Write

_log = logging.getLogger(__name__)

LINE_SECONDS = 10  # Time between two lines of progress if there is no terminal.
FIRST_STEP = "first step done"  # The beginning of the message about the start-up time.
ProgressCallback = Callable[
    [int, int], None
]  # Called with the number of steps made and the number of steps of the run.
NOT_TRACKED = ("step", "epoch", "split", "lane", "seconds")  # Columns that say which row it is.
LOG_COLUMNS = ("epoch", "step", "train loss", "train acc", "val loss", "val acc", "tokens/s", "seconds")


class RunLog:
    """Writes the files and the terminal output of a stack of lanes; a context manager."""

    def __init__(
        self,
        workdir: Path,
        step: int,
        total_steps: int,
        clock: Clock,
        tracker: Tracker,
        tracked: list[TrackedLane],
        follow: ProgressCallback | None = None,
    ) -> None:
        """Opens the file and drops rows after ``step``, where the run resumes.

        Args:
          workdir: Folder of the run.
          step: Number of steps made.
          total_steps: Number of steps of the run.
          clock: The seconds of training. The time left is estimated from them, so it ignores compiling.
          tracker: Shows the metrics.
          tracked: The lanes, for the tracker. Without any it is not used.
          follow: Callback that shows the progress instead of the terminal.
        """
        self.path = workdir / "metrics.jsonl"
        _drop_after(self.path, step)
        self._open = contextlib.ExitStack()
        self._file = self._open.enter_context(self.path.open("a", encoding="utf-8"))
        self._tracker, self._tracked, self._writes = tracker, tracked, list[Write]()
        self._unsent: list[dict[str, Any]] = []
        self._follow, self._clock = follow, clock
        # None hides the bar if there is no terminal. A notebook is none, but redraws the bar as a terminal does.
        hidden = True if follow else False if in_notebook() else None
        bar: dict[str, Any] = {"unit": "step", "dynamic_ncols": True, "disable": hidden, "smoothing": 0}
        self._bar = self._open.enter_context(tqdm(total=total_steps, initial=step, **bar))
        self._start, self._total, self._began, self._last_line = step, total_steps, clock.training(), time.monotonic()
        self._has_header = False

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, row: dict[str, Any]) -> None:
        """Adds one object to ``metrics.jsonl``; a number that is not finite becomes null."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        self._file.write(json.dumps(clean) + "\n")
        self._file.flush()
        self._unsent.append(clean)

    def send(self) -> None:
        """Passes the rows so far on to the tracker; called with every checkpoint."""
        if self._tracked:
            self._writes = self._writes or [self._open.enter_context(self._tracker(lane)) for lane in self._tracked]
            for row in self._unsent:
                values = {name: v for name, v in row.items() if name not in NOT_TRACKED and v is not None}
                split = {f"{name}/{row['split']}": value for name, value in values.items()}
                self._writes[row["lane"]](row["step"], split)
        self._unsent.clear()

    def progress(self, step: int, loss: float, accuracy: float, tokens_per_second: float) -> None:
        """Moves the bar to ``step``. If there is no terminal, prints a line every ``LINE_SECONDS`` instead."""
        if self._follow:
            self._follow(step, self._total)
            return
        trained = self._clock.training() - self._began
        state = f"loss {loss:.4f}, accuracy {accuracy:.2%}, {tokens_per_second:,.0f} tokens/s"
        if not self._bar.disable:
            self._bar.set_postfix_str(state, refresh=False)
            self._bar.start_t = time.time() - trained  # tqdm's clock, without compiling.
            self._bar.update(step - self._bar.n)
        elif time.monotonic() - self._last_line > LINE_SECONDS:
            self._last_line = time.monotonic()
            meter: dict[str, Any] = {"initial": self._start, "unit": "step", "postfix": state, "ncols": 0}
            line = tqdm.format_meter(step, self._total, trained, **meter)
            print(line, file=sys.stderr, flush=True)

    def table_row(self, *values: float) -> None:
        """Prints a row under ``LOG_COLUMNS``."""
        if self._follow:
            return
        if not self._has_header:
            self._has_header = True
            self._print("  ".join(f"{name:>10}" for name in LOG_COLUMNS))
        epoch, step, train_loss, train_accuracy, loss, accuracy, speed, seconds = values
        self._print(
            f"{epoch:>10.2f}  {step:>10}  {train_loss:>10.4f}  {train_accuracy:>10.2%}  {loss:>10.4f}  "
            f"{accuracy:>10.2%}  {speed:>10,.0f}  {seconds:>10.1f}"
        )

    def _print(self, line: str) -> None:
        self._bar.clear()
        print(line, flush=True)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``metrics.jsonl``; a last line that was cut off by a crash is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _drop_after(path: Path, step: int) -> None:
    if path.exists():
        kept = [row for row in read_metrics(path) if row["step"] <= step]
        part = path.with_suffix(".part")
        part.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        part.replace(path)


class Startup:
    """The time of a process, or of a call from Python, to its first training step, by stage.

    Attributes:
      seconds: Seconds by stage, ``None`` before the first step is done: ``imports`` (with parsing of flags),
        ``reviews``, ``compiling`` (with tracing), the ``step`` itself, ``other`` (initial weights, epoch plan, loading
        of a checkpoint), and ``all``.
    """

    def __init__(self, started: float) -> None:
        self.seconds: dict[str, float] | None = None
        self._started = started
        self._imports = time.perf_counter() - started
        self._reviews = 0.0

    def examples_ready(self) -> float:
        """Records that the corpora are prepared; returns the seconds since the start."""
        passed = time.perf_counter() - self._started
        self._reviews = passed - self._imports
        return passed

    def first_step_done(self, program: Program, step: float) -> None:
        """Records and logs that the first step is done, which itself took ``step`` seconds."""
        passed = time.perf_counter() - self._started
        found = {"imports": self._imports, "reviews": self._reviews, "compiling": program.compile_seconds, "step": step}
        found["other"] = passed - sum(found.values())
        self.seconds = {name: round(value, 3) for name, value in {**found, "all": passed}.items()}
        stages = ", ".join(f"{k} {v:.1f}" for k, v in found.items())
        _log.info("%s %.1f s after the start (%s)", FIRST_STEP, passed, stages)
