"""Process-wide JAX settings, made once before the first array."""

import ctypes
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
    """Splits the CPU into one device a core, keeps compiled programs on disk and freed memory in the process.

    XLA runs the element-wise code of a loop body on one thread, so a recurrent network uses two cores only
    where they are two devices with half of the batch, or of the lanes, each.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ["XLA_FLAGS"] = _xla_flags()
    _keep_freed_memory()
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        jax.config.update("jax_num_cpu_devices", min(cores, MOST_HOST_DEVICES))
    if "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ:  # GPUs and TPUs would round float32, which nobody asked for
        jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def _xla_flags() -> str:
    """What XLA is told: by this project, then by the user, whose word is the last."""
    # A slow neighbour must not look like a dead one: the default gives up on a collective after 40 s.
    flags = ["--xla_cpu_collective_call_terminate_timeout_seconds=3600"]
    if "avx512f" in _processor_line("flags"):  # XLA would use half of its registers
        flags.append("--xla_cpu_prefer_vector_width=512")
    return " ".join([*flags, os.environ.get("XLA_FLAGS", "")]).strip()


def _keep_freed_memory() -> None:
    """Has glibc keep large arrays that were freed for the next ones, unless the user has asked for something.

    By default it gives them back to the system, which hands over new pages one by one and cleared: a third to a half of
    the time of a training step whose saved states take a hundred megabytes or more.
    """
    asked = any(name.startswith("MALLOC_") for name in os.environ)
    if asked or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    no_mapping, one_arena = (-4, 0), (-8, 1)  # M_MMAP_MAX; M_ARENA_MAX, since arenas of threads map what is large
    never_trim, grow_by = (-1, 2**31 - 1), (-2, 2**26)  # M_TRIM_THRESHOLD, M_TOP_PAD, in bytes
    for parameter, value in (no_mapping, one_arena, never_trim, grow_by):
        mallopt(parameter, value)


def machine() -> str:
    """The devices that JAX computes on, as ``2 × cpu (AMD EPYC 9B14)``."""
    found = jax.devices()
    return f"{len(found)} × {found[0].device_kind}" + (f" ({_processor()})" if found[0].platform == "cpu" else "")


def _processor() -> str:
    return _processor_line("model name") or platform.processor() or platform.machine()


def _processor_line(name: str) -> str:
    """What Linux says of the first core under that name; empty elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def memory_bytes() -> int:
    """The memory of all devices together; on CPUs that of the machine, or what a container may take of it."""
    found = jax.devices()
    if found[0].platform != "cpu" and (stats := found[0].memory_stats()):
        return int(stats["bytes_limit"]) * len(found)
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(whole, int(text)) if text.isdigit() else whole
