"""Main memory of processes."""

import contextlib
import resource
import sys
from pathlib import Path


def peak_bytes(usage: resource.struct_rusage) -> int:
    """The most that a process held, by what the system counted of it: in KiB on Linux, in bytes on macOS.

    On Linux a child's is at least what its parent held when it began; ``held`` tells its own.
    """
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def held(field: str, process: int | str = "self") -> int | None:
    """Bytes of a process, now (``VmRSS``) or at most since ``forget_peak`` (``VmHWM``), if Linux tells."""
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), None)


def forget_peak() -> None:
    """Begins anew with the most that this process holds; where Linux forbids it, that is the most since its start."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most that this process held since ``forget_peak``, or since its start where Linux does not tell."""
    return held("VmHWM") or peak_bytes(resource.getrusage(resource.RUSAGE_SELF))
