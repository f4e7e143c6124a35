"""Main memory of processes."""

import contextlib
import resource
import sys
from pathlib import Path


def peak_bytes(usage: resource.struct_rusage) -> int:
    """Peak memory of a process in bytes. The system gives ``ru_maxrss`` in KiB on Linux and in bytes on macOS.

    On Linux a child's ``ru_maxrss`` is at least its parent's memory at the child's start; ``held`` gives its own.
    """
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def status_bytes(field: str, process: int | str = "self") -> int | None:
    """Memory of a process in bytes: now (``VmRSS``) or the peak since ``reset_peak`` (``VmHWM``). Linux only."""
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), None)


def reset_peak() -> None:
    """Resets ``peak``. If Linux forbids that, ``peak`` counts from the start of the process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Peak memory of this process in bytes since ``reset_peak``, or since its start outside Linux."""
    return status_bytes("VmHWM") or peak_bytes(resource.getrusage(resource.RUSAGE_SELF))
