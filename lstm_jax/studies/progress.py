"""The progress of a study: finished lanes, the runs being trained, the time left."""

import sys
import time

from tqdm import tqdm

from lstm_jax.training.logging import LINE_SECONDS


class Progress:
    """A progress bar over all lanes of a study, or a line every few seconds without a terminal; a context manager."""

    def __init__(self, lanes: int, finished: int) -> None:
        """Begins with ``finished`` of all ``lanes``, trained by earlier commands."""
        self._before = self._done = finished
        self._began = self._spoke = time.monotonic()
        self._running = 0
        self._bar = tqdm(total=lanes, initial=finished, unit="lane", disable=None, dynamic_ncols=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    @property
    def made(self) -> bool:
        """Whether any lane was trained."""
        return self._done > self._before

    def expect(self, lanes: int, finished: int) -> None:
        """Sets the totals anew when the search is extended: ``finished`` of ``lanes`` lanes."""
        self._before += finished - self._done
        self._bar.total, self._bar.initial, self._done = lanes, self._before, finished

    def begin(self, what: str, lanes: int) -> None:
        """Shows that a stack of ``lanes`` lanes begins."""
        self._bar.set_postfix_str(what, refresh=False)
        self._what, self._running = what, lanes
        self._show(0.0, force=True)

    def follow(self, step: int, steps: int) -> None:
        """Shows that the stack has made ``step`` of its ``steps`` steps."""
        self._show(step / steps)

    def end(self) -> None:
        """Shows that the stack is finished."""
        self._done += self._running
        self._running = 0
        self._show(0.0)

    def _show(self, share: float, force: bool = False) -> None:
        made, now = int(self._done + share * self._running), time.monotonic()
        self._bar.n = made
        self._bar.refresh()
        if self._bar.disable and (force or now - self._spoke > LINE_SECONDS):
            self._spoke = now
            kind = {"initial": self._before, "unit": "lane", "postfix": self._what, "ncols": 0}
            print(tqdm.format_meter(made, self._bar.total, now - self._began, **kind), file=sys.stderr, flush=True)
