"""Process-wide JAX settings, made once before the first array."""

import os
import platform
from pathlib import Path

import jax

# Host devices beyond this only add to the cost of summing gradients over them.
MOST_HOST_DEVICES = 8


def cache_dir() -> Path:
    """Where everything lies that can be made again: ``$LSTM_JAX_CACHE``, else ``~/.cache/lstm_jax``."""
    return Path(os.environ.get("LSTM_JAX_CACHE") or Path.home() / ".cache" / "lstm_jax")


def configure() -> None:
    """Splits the CPU into one device a core and keeps compiled programs on disk.

    XLA runs the element-wise code of a loop body on one thread, so a recurrent network uses two cores only
    where they are two devices with half of the batch, or of the lanes, each.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # A slow neighbour must not look like a dead one: the default gives up on a collective after 40 s.
    patience = "--xla_cpu_collective_call_terminate_timeout_seconds=3600"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {patience}".strip()
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        jax.config.update("jax_num_cpu_devices", min(cores, MOST_HOST_DEVICES))
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def machine() -> str:
    """The devices that JAX computes on, as ``2 × cpu (AMD EPYC 9B14)``."""
    found = jax.devices()
    return f"{len(found)} × {found[0].device_kind}" + (f" ({_processor()})" if found[0].platform == "cpu" else "")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def memory_bytes() -> int:
    """The memory of all devices together; on CPUs that of the machine, or what a container may take of it."""
    found = jax.devices()
    if found[0].platform != "cpu" and (stats := found[0].memory_stats()):
        return int(stats["bytes_limit"]) * len(found)
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(whole, int(text)) if text.isdigit() else whole
