"""Says what a command is doing while a part of it takes long."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

_log = logging.getLogger(__name__)

QUIET_SECONDS = 3.0  # A stage that ends sooner is not mentioned.


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """A context that logs its name once it has lasted three seconds, and at its end how long it took.

    Args:
      name: What is being done, such as ``reading the examples``.
    """
    start = time.perf_counter()
    announcement = threading.Timer(QUIET_SECONDS, _log.info, ("%s …", name))
    announcement.daemon = True
    announcement.start()
    try:
        yield
    finally:
        announcement.cancel()
    seconds = time.perf_counter() - start
    if seconds > QUIET_SECONDS:
        _log.info("%s took %.1f s", name, seconds)
