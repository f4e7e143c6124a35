"""How long a process takes to its first training step, by stage."""

import logging
import time

from lstm_jax import STARTED
from lstm_jax.training.lanes import Program

log = logging.getLogger(__name__)

LINE = "first step done"  # the message begins with it


class Startup:
    """Follows a process to its first step.

    Attributes:
      seconds: by stage, once a step has been made: ``imports`` with the flags, ``reviews``, ``compiling`` with tracing,
        the ``step`` itself, ``other``, as first weights, the epoch's plan and a checkpoint to go on from; and ``all``.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] | None = None
        self._imports = time.perf_counter() - STARTED
        self._reviews = 0.0

    def reviews_ready(self) -> float:
        """Notes that the corpora are prepared; returns the seconds so far."""
        passed = time.perf_counter() - STARTED
        self._reviews = passed - self._imports
        return passed

    def first_step_done(self, program: Program, step: float) -> None:
        """Notes and logs that a step has been made, after so many seconds of its own."""
        passed = time.perf_counter() - STARTED
        found = {"imports": self._imports, "reviews": self._reviews, "compiling": program.compile_seconds, "step": step}
        found["other"] = passed - sum(found.values())
        self.seconds = {name: round(value, 3) for name, value in {**found, "all": passed}.items()}
        log.info("%s %.1f s after the start (%s)", LINE, passed, ", ".join(f"{k} {v:.1f}" for k, v in found.items()))
