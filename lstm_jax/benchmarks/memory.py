"""Main memory of processes."""

import contextlib
import resource
import sys
from pathlib import Path


def peak_bytes(usage: resource.struct_rusage) -> int:
    """The most memory that a process held, from the system's account of it: in KiB on Linux, in bytes on macOS.

    On Linux a child's figure is at least what its parent held when it began; ``held`` gives its own.
    """
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def held(field: str, process: int | str = "self") -> int | None:
    """Bytes that a process holds now (``VmRSS``) or held at most since ``forget_peak`` (``VmHWM``); Linux only."""
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), None)


def forget_peak() -> None:
    """Lets ``peak`` begin anew; where Linux forbids that, ``peak`` counts from the start of the process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most memory that this process held since ``forget_peak``, or since its start outside Linux."""
    return held("VmHWM") or peak_bytes(resource.getrusage(resource.RUSAGE_SELF))
