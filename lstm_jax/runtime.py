"""Process-wide settings of JAX, made once before the first array, and properties of the machine."""

import atexit
import contextlib
import ctypes
import functools
import logging
import os
import platform
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import jax
import jaxlib
from tqdm import tqdm

from lstm_jax.characters import printable_lines
from lstm_jax.errors import UserError

_log = logging.getLogger(__name__)

# More host devices only add to the cost of summing gradients over them.
MAX_HOST_DEVICES = 8

# Versions of jaxlib that return wrong numbers, and why.
WRONG_VERSIONS = {"0.10.2": "it leaves out values in sums on CPUs (jax-ml/jax#39103)"}

_configured: list[bool] = []
_shown: list[contextlib.ExitStack] = []  # One entry for each open context of ``messages_shown``.
_shown_lock = threading.Lock()


def cache_dir() -> Path:
    """The folder for everything that can be recomputed: ``$LSTM_JAX_CACHE``, otherwise ``~/.cache/lstm_jax``.

    If that folder cannot be written, it is a temporary folder that lasts as long as the process.
    """
    return _usable(Path(os.environ.get("LSTM_JAX_CACHE") or Path.home() / ".cache" / "lstm_jax"))


@functools.cache
def _usable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        _log.warning(
            "the cache folder %s cannot be used (%s), so nothing is kept for later commands; set LSTM_JAX_CACHE to "
            "another folder",
            folder,
            error.strerror,
        )
        return temporary_cache()


@functools.cache
def temporary_cache() -> Path:
    """A folder in place of an unusable cache, which lasts as long as the process."""
    temporary = tempfile.mkdtemp(prefix="lstm_jax-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return Path(temporary)


class PrintableFormatter(logging.Formatter):
    """Messages whose strings come from data do not control the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, each line of it printable."""
        return printable_lines(super().format(record))


class TerminalHandler(logging.Handler):
    """Writes messages to standard error, above a progress bar if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(PrintableFormatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one message."""
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


@contextlib.contextmanager
def messages_shown() -> Iterator[None]:
    """A context in which this project's log goes to standard error, unless the program has configured ``logging``.

    The messages of other packages are then not shown, as by the commands.
    """
    with _shown_lock:
        shows = bool(_shown) or not logging.getLogger("lstm_jax").hasHandlers()
        if shows:
            _shown.append(_shown[0] if _shown else _show_messages())
    try:
        yield
    finally:
        with _shown_lock:
            if shows and (undo := _shown.pop()) not in _shown:
                undo.close()


def _show_messages() -> contextlib.ExitStack:
    """Adds the handlers that show messages; closing the result removes them."""
    ours, root, undo = logging.getLogger("lstm_jax"), logging.getLogger(), contextlib.ExitStack()
    # If the root logger had no handler, the first message of Orbax would configure it for the whole process.
    for logger, own in ((ours, TerminalHandler()), (root, logging.NullHandler())):
        logger.addHandler(own)
        undo.callback(logger.removeHandler, own)
    undo.callback(ours.setLevel, ours.level)
    undo.callback(setattr, ours, "propagate", ours.propagate)
    ours.setLevel(ours.level or logging.INFO)
    ours.propagate = False
    return undo


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", {})


def configure() -> None:
    """Splits the CPU into one device per core, keeps compiled programs on disk and freed memory in the process.

    XLA runs the element-wise code of a loop body on one thread. A recurrent network uses two cores only if they are two
    devices, each with half of the batch or of the lanes. A second call does nothing. If JAX was used before the first
    call, a warning is logged and the devices stay as they are.

    Raises:
      UserError: The installed jaxlib is known to return wrong numbers.
    """
    if _configured:
        return
    check_version(jaxlib.__version__)
    _configured.append(True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ["XLA_FLAGS"] = xla_flags()
    _keep_freed_memory()
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        try:
            jax.config.update("jax_num_cpu_devices", min(cores, MAX_HOST_DEVICES))
        except RuntimeError:
            _log.warning("JAX was used before lstm_jax could configure it, so it computes on %s", machine())
    if "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ:  # By default GPUs and TPUs round float32 operands.
        jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def command_name(name: str) -> str:
    """How to start a command, such as ``eval``: ``lstm-eval``, or ``python eval.py`` beside a script of the clone."""
    scripts = ("train.py", "eval.py", "compare.py", "bench.py", "export.py")
    return f"python {name}.py" if Path(sys.argv[0]).name in scripts else f"lstm-{name}"


def check_version(version: str) -> None:
    """Checks that a version of jaxlib is not known to return wrong numbers.

    Raises:
      UserError: It is.
    """
    if version in WRONG_VERSIONS:
        raise UserError(
            f"jaxlib {version} is not used, since {WRONG_VERSIONS[version]}; install another version, such as "
            "pip install 'jax==0.10.1' 'jaxlib==0.10.1'"
        )


def jax_environment() -> dict[str, str]:
    """Settings of JAX and devices, on which the last bits of a run depend beside the packages' versions."""
    return {
        "devices": machine(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "matmul_precision": str(jax.config.jax_default_matmul_precision),  # type: ignore[attr-defined]
    }


def xla_flags() -> str:
    """XLA's flags: this project's, then the user's, which take precedence."""
    # By default XLA aborts a collective after 40 s, which a busy machine may exceed.
    flags = ["--xla_cpu_collective_call_terminate_timeout_seconds=3600"]
    if "avx512f" in _processor_line("flags"):  # By default XLA uses registers of 256 bits.
        flags.append("--xla_cpu_prefer_vector_width=512")
    return " ".join([*flags, os.environ.get("XLA_FLAGS", "")]).strip()


def _keep_freed_memory() -> None:
    """Makes glibc keep the memory of freed arrays, unless the user has set the allocator.

    By default glibc returns large arrays to the system, which then clears and maps new pages one by one. That takes a
    third to a half of a training step that keeps 100 MB or more for its backward pass.
    """
    asked = any(name.startswith("MALLOC_") for name in os.environ)
    if asked or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    no_mapping, one_arena = (-4, 0), (-8, 1)  # M_MMAP_MAX and M_ARENA_MAX: arenas of threads map large arrays too.
    never_trim, grow_by = (-1, 2**31 - 1), (-2, 2**26)  # M_TRIM_THRESHOLD and M_TOP_PAD, in bytes.
    for parameter, value in (no_mapping, one_arena, never_trim, grow_by):
        mallopt(parameter, value)


def machine() -> str:
    """The devices that JAX computes on, such as ``2 × cpu (AMD EPYC 9B14)``."""
    found = jax.devices()
    return f"{len(found)} × {found[0].device_kind}" + (f" ({_processor()})" if found[0].platform == "cpu" else "")


def _processor() -> str:
    return _processor_line("model name") or platform.processor() or platform.machine()


def _processor_line(name: str) -> str:
    """The value of a key in ``/proc/cpuinfo`` for the first core; empty on other systems."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def memory_bytes() -> int:
    """Memory of all devices together, in bytes. On CPUs it is the machine's memory or a container's limit."""
    found = jax.devices()
    if found[0].platform != "cpu" and (stats := found[0].memory_stats()):
        return int(stats["bytes_limit"]) * len(found)
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(whole, int(text)) if text.isdigit() else whole
