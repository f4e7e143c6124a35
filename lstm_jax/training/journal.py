"""What a run writes down while it goes: ``metrics.jsonl``, TensorBoard events, a table on the terminal."""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

LOG_SECONDS = 10  # between two lines of progress in a log file
Follow = Callable[[int, int], None]  # called with the steps made and those of the whole run
COLUMNS = ("epoch", "step", "train loss", "train acc", "val loss", "val acc", "words/s", "seconds")


class Journal:
    """The records of a stack of lanes; a context manager."""

    def __init__(self, workdir: Path, lanes: int, step: int, total_steps: int, follow: Follow | None = None) -> None:
        """Opens the records, dropping what lies after ``step``, the one that the run goes on from.

        With ``follow``, nothing is shown but what that shows, and there are no TensorBoard events.
        """
        self.path = workdir / "metrics.jsonl"
        _drop_after(self.path, step)
        self._file = self.path.open("a", encoding="utf-8")
        self._folders = [workdir / "tensorboard" / (f"lane{n}" if lanes > 1 else "") for n in range(lanes)]
        self._boards: list[Any] = []
        self._unsent: list[dict[str, Any]] = []
        self._first, self._follow = step + 1, follow
        hidden = True if follow else None  # None: where there is no terminal
        self._bar = tqdm(total=total_steps, initial=step, unit="step", dynamic_ncols=True, disable=hidden)
        self._start, self._total, self._began, self._spoke = step, total_steps, time.monotonic(), time.monotonic()
        self._headed = False

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._file.close()
        for board in self._boards:
            board.close()

    def write(self, row: dict[str, Any]) -> None:
        """Adds one object to ``metrics.jsonl``; a number that is not finite becomes null."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        self._file.write(json.dumps(clean) + "\n")
        self._file.flush()
        self._unsent.append(clean)

    def send(self) -> None:
        """Passes the rows so far on to TensorBoard; called at every validation."""
        if self._follow:
            self._unsent.clear()
            return
        from tensorboardX import SummaryWriter  # seconds to import, which the first step need not wait for

        self._boards = self._boards or [SummaryWriter(str(folder), purge_step=self._first) for folder in self._folders]
        for row in self._unsent:
            for name in ("loss", "accuracy"):
                if row[name] is not None:
                    self._boards[row["lane"]].add_scalar(f"{name}/{row['split']}", row[name], row["step"])
        self._unsent.clear()

    def progress(self, step: int, loss: float, accuracy: float, tokens_per_second: float) -> None:
        """Moves the bar to ``step``; where there is no terminal, a line now and then takes its place."""
        if self._follow:
            self._follow(step, self._total)
            return
        state = f"loss {loss:.4f}, accuracy {accuracy:.2%}, {tokens_per_second:,.0f} words/s"
        if not self._bar.disable:
            self._bar.set_postfix_str(state, refresh=False)
            self._bar.update(step - self._bar.n)
        elif time.monotonic() - self._spoke > LOG_SECONDS:
            self._spoke = time.monotonic()
            meter: dict[str, Any] = {"initial": self._start, "unit": "step", "postfix": state, "ncols": 0}
            print(tqdm.format_meter(step, self._total, self._spoke - self._began, **meter), file=sys.stderr, flush=True)

    def table_row(self, *values: float) -> None:
        """Prints a row under ``COLUMNS``."""
        if self._follow:
            return
        if not self._headed:
            self._headed = True
            self._say("  ".join(f"{name:>10}" for name in COLUMNS))
        epoch, step, train_loss, train_accuracy, loss, accuracy, speed, seconds = values
        self._say(
            f"{epoch:>10.2f}  {step:>10}  {train_loss:>10.4f}  {train_accuracy:>10.2%}  {loss:>10.4f}  "
            f"{accuracy:>10.2%}  {speed:>10,.0f}  {seconds:>10.1f}"
        )

    def _say(self, line: str) -> None:
        self._bar.clear()
        print(line, flush=True)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``metrics.jsonl``; a last line cut off by a crash is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _drop_after(path: Path, step: int) -> None:
    if path.exists():
        kept = [row for row in read(path) if row["step"] <= step]
        part = path.with_suffix(".part")
        part.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        part.replace(path)
