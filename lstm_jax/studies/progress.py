"""How far a study is: lanes finished, the optimizer under way, the time left."""

import sys
import time

from tqdm import tqdm

LINE_SECONDS = 10  # between two lines where there is no terminal


class Progress:
    """One bar, or a line now and then, for all lanes of a study; a context manager."""

    def __init__(self, lanes: int, finished: int) -> None:
        """Begins with ``finished`` of all ``lanes`` made by earlier commands."""
        self._lanes, self._before, self._done = lanes, float(finished), float(finished)
        self._began = self._spoke = time.monotonic()
        self._what, self._running = "", 0
        self._bar = tqdm(
            total=lanes,
            initial=finished,
            disable=None,
            dynamic_ncols=True,
            bar_format="{l_bar}{bar}| {postfix}",
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    @property
    def made(self) -> bool:
        """Whether any lane was made."""
        return self._done > self._before

    def expect(self, lanes: int, finished: int) -> None:
        """There are so many lanes in all, more than at first, of which so many are finished."""
        self._lanes = self._bar.total = lanes
        self._before += finished - self._done
        self._done = float(finished)

    def begin(self, what: str, lanes: int) -> None:
        """A stack of so many lanes begins."""
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
        now = time.monotonic()
        made = self._done + share * self._running
        self._bar.n = made
        self._bar.set_postfix_str(self.text(made, now - self._began), refresh=not self._bar.disable)
        if self._bar.disable and (force or now - self._spoke > LINE_SECONDS):
            self._spoke = now
            print(self.text(made, now - self._began), file=sys.stderr, flush=True)

    def text(self, made: float, seconds: float) -> str:
        """One line, as ``63 of 186 lanes, adam (search), 4 min left``."""
        line = f"{int(made)} of {self._lanes} lanes, {self._what}"
        own = made - self._before
        if own <= 0 or seconds < 1:
            return line
        left = seconds * (self._lanes - made) / own
        return f"{line}, {left:.0f} s left" if left < 100 else f"{line}, {left / 60:.0f} min left"
