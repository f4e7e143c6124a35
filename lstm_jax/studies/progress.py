"""How far a study is: lanes finished, the runs under way, the time left."""

import sys
import time

from tqdm import tqdm

from lstm_jax.training.logging import LINE_SECONDS


class Progress:
    """One bar, or a line now and then where there is no terminal, for all lanes of a study; a context manager."""

    def __init__(self, lanes: int, finished: int) -> None:
        """Begins with ``finished`` of all ``lanes`` trained by earlier commands."""
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
        """There are so many lanes in all, more than at first, of which so many are finished."""
        self._before += finished - self._done
        self._bar.total, self._bar.initial, self._done = lanes, self._before, finished

    def begin(self, what: str, lanes: int) -> None:
        """A stack of so many lanes begins."""
        self._bar.set_postfix_str(what, refresh=False)
        self._what, self._running = what, lanes
        self._show(0.0, force=True)

    def follow(self, step: int, steps: int) -> None:
        """The stack has made so many of its steps."""
        self._show(step / steps)

    def end(self) -> None:
        """The stack is finished."""
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
