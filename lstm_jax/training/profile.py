"""Traces some training steps with JAX's profiler."""

import logging
from pathlib import Path
from typing import Any

import jax

_log = logging.getLogger(__name__)


class Profile:
    """The profile of the steps that ``config.train.profile_steps`` names; a context manager around training.

    Attributes:
      steps: The number of steps before the first traced one, and after the last; empty if none are traced.
    """

    def __init__(self, asked: str, folder: Path) -> None:
        """Traces nothing yet.

        Args:
          asked: ``config.train.profile_steps``, such as ``10:20``.
          folder: Folder for the traces.
        """
        self.steps = tuple(map(int, asked.split(":"))) if asked else ()
        self._folder, self._traces = folder, False
        self._first = self._last = 0

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, *_: object) -> None:
        if self._traces:
            self._stop()
        elif self.steps and not self._folder.exists():
            _log.warning("none of the steps %d to %d was made, so there is no profile", *self.steps)

    def before(self, step: int) -> None:
        """Begins the trace if the next step, after ``step`` steps, is the first that is asked for."""
        if self.steps and not self._traces and self.steps[0] <= step < self.steps[1]:
            jax.profiler.start_trace(str(self._folder))
            self._traces, self._first = True, step

    def after(self, step: int, results: Any) -> None:
        """Ends the trace if ``step`` was the last that is asked for, once ``results`` are computed."""
        self._last = step
        if self._traces and step >= self.steps[1]:
            jax.block_until_ready(results)
            self._stop()

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        self._traces = False
        _log.info("a profile of the steps %d to %d is in %s", self._first, self._last, self._folder)
