"""What all commands share: flags, config files, exit codes and error messages."""

import errno
import io
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from absl import app, flags
from ml_collections import config_flags

from lstm_jax import config as configs
from lstm_jax import runtime
from lstm_jax.characters import printable, printable_lines
from lstm_jax.config import Config, config_names, load_config_file
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import listed_folders
from lstm_jax.help import HelpAsked, asked_help, command_help
from lstm_jax.runtime import TerminalHandler
from lstm_jax.training.workdir import read_config

SUCCEEDED, FAILED, BAD_USAGE = 0, 1, 2

VARIANT_TEXT = "a colon and its argument may follow, such as a variant."
CONFIG_TEXT = f"A config by its name, or a Python file with get_config(); {VARIANT_TEXT}"
TRUST_CODE = "Load the code that the run names, though its folder was downloaded, moved or copied; see docs/weights.md."
WEIGHTS = (
    "Epoch whose weights are used, if config.train.keep_epochs has kept them: its number, or the name of the weights. "
    "By default the best weights are used."
)

# System errors that a user can fix. Every other exception is a bug, in this code or in the user's own.
SYSTEM_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.EIO)


def define_config(default: str) -> None:
    """Defines ``--config``, and ``--config.group.field=value`` for every field.

    Args:
      default: The config if none is given, in the form of ``load_config_file``.

    Raises:
      ConfigError: The file does not return a Config, or a given field does not exist.
    """
    config = load_config_file(_given("config") or default)
    if not isinstance(config, Config):
        hint = f"; run a study by {runtime.command_name('compare')}" if hasattr(config, "run") else ""
        raise ConfigError(f"get_config() of the config file returned a {type(config).__name__}, not a Config{hint}")
    known = ", ".join(name for name in config_names() if "/" not in name)
    _define_fields(config, f"{CONFIG_TEXT} (default: {default}) [FILE.py, {known}]")


def define_workdir_config(default: str) -> None:
    """Defines ``--config.group.field=value``, which overrides fields of the config in ``--workdir``.

    Without a workdir, or with several, ``--config`` is defined as for training.

    Raises:
      ConfigError: Both a workdir and a config file are given, or the file does not return a Config.
    """
    workdir = _given("workdir")
    if not workdir or len(listed_folders(workdir)) > 1:
        define_config(default)
        return
    if _given("config"):
        raise ConfigError("--workdir names a run, which has its own config; leave out --config, or set single fields")
    _define_fields(read_config(Path(workdir)), "Overrides of the run's own config: --config.group.field=value.")


def _define_fields(config: Config, text: str) -> None:
    for name in _fields_given():
        configs.check_path(name)
        path = name.removeprefix("config.")
        if path.startswith(("optimizer.hparams.", "objectives.", "model.layer_options.")):
            configs.set_field(config, path, 0.0)  # A name may still be missing here; the flag then sets its value.
    config_flags.DEFINE_config_dataclass("config", config, text, parse_fn=lambda _: config)
    flags.FLAGS["config"].default_as_str = None  # The help text would print every field of the config.


def named_plugins() -> tuple[str, ...]:
    """The plugins that the command line names by ``--config.plugins``, without those that only a run names."""
    return tuple(flags.FLAGS.config.plugins) if "config.plugins" in _fields_given() else ()


def define_study() -> None:
    """Defines ``--config`` for a study. The fields of a study can only be set in its file.

    Raises:
      ConfigError: A field is given on the command line.
    """
    for name in _fields_given():
        raise ConfigError(f"--{name}: the fields of a study are set in its file; copy the file and change them there")
    known = ", ".join(name for name in config_names() if "/" in name)
    text = f"A study by its name, or a Python file whose get_config() returns one; {VARIANT_TEXT} [FILE.py, {known}]"
    flags.DEFINE_string("config", None, text, required=True)


def _given(name: str) -> str | None:
    """The value of a flag, before flags are parsed."""
    finder = flags.FlagValues()
    flags.DEFINE_string(name, None, "", flag_values=finder)
    finder(sys.argv, known_only=True)
    return finder[name].value


def _fields_given() -> list[str]:
    given = [argument.lstrip("-").partition("=")[0] for argument in sys.argv[1:] if argument.startswith("-")]
    return [name.removeprefix("no") for name in given if name.startswith(("config.", "noconfig."))]


def run_command(define: Callable[[], None], main: Callable[[], None]) -> None:
    """Defines and parses the flags, calls ``main`` and ends the process.

    With ``--help`` it prints the help instead of calling ``main``.

    Exit codes: 0 done; 1 failed; 2 bad flags or config. A ``UserError``, or a system error such as a full disk, is
    reported in one line. Any other exception is a bug and shows its traceback.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    _quiet_libraries()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # For letters that the terminal's encoding lacks.
    asked = asked_help(sys.argv[1:])
    code = _guarded(lambda: _print_help(define, asked) if asked else _parse(define), unexpected=BAD_USAGE)
    if code == SUCCEEDED and not asked:
        _log_plainly()
        code = _guarded(main, unexpected=FAILED)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # The reader, such as ``head``, has closed the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _print_help(define: Callable[[], None], asked: HelpAsked) -> None:
    define()
    print(printable_lines(command_help(asked, define.__module__)))


def _parse(define: Callable[[], None]) -> None:
    app.define_help_flags()
    define()
    rest = flags.FLAGS([_with_tuple(argument) for argument in sys.argv])
    if len(rest) > 1:
        raise ConfigError(f"{rest[1]!r} is not a flag; flags look like --name=value")


def _with_tuple(argument: str) -> str:
    """The flag of a field that holds strings as a Python tuple, since ml_collections would read them as Python code."""
    name, _, value = argument.partition("=")
    holds_strings = {f"config.{path}" for path, own, _ in configs.leaves(Config()) if own.type == tuple[str, ...]}
    if name.lstrip("-") not in holds_strings or value.startswith("("):
        return argument
    # A path may contain a comma, so ``load_plugins`` separates plugins itself.
    parts = [value] if name.endswith(".plugins") else value.split(",")
    # Spaces may be part of a label.
    return f"{name}={tuple(part if name.endswith('.label_map') else part.strip() for part in parts if part)!r}"


def _guarded(function: Callable[[], None], unexpected: int) -> int:
    """Calls a function, reports its exception and returns the exit code; ``unexpected`` is the code of a bug."""
    try:
        function()
    except ConfigError as error:
        return _say(error, BAD_USAGE)
    except UserError as error:
        return _say(error, FAILED)
    except flags.Error as error:
        return _say(f"{error}; see --help", BAD_USAGE)
    except KeyboardInterrupt:
        return _say("interrupted; the same command goes on from what was written before", FAILED)
    except BrokenPipeError:
        return FAILED
    except Exception as error:
        if (cause := _system_error(error)) is None:
            traceback.print_exc()
            return unexpected
        where = f" ({cause.filename})" if cause.filename else ""
        return _say(
            f"{cause.strerror}{where}; what was written before is kept; fix this and run the same command again",
            FAILED,
        )
    return SUCCEEDED


def _system_error(error: BaseException | None) -> OSError | None:
    """The system error that caused an exception; ``None`` if there is none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in SYSTEM_ERRNOS:
            return error
        if os.strerror(errno.ENOSPC) in str(error):  # Orbax raises a full disk as a ValueError.
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def _say(what: object, code: int) -> int:
    print("error: " + printable(" ".join(str(what).split())), file=sys.stderr, flush=True)
    return code


def _except_in_orbax(failed: threading.ExceptHookArgs) -> None:
    """Reports an exception in a thread, unless Orbax has started it."""
    frames = [frame for frame, _ in traceback.walk_tb(failed.exc_traceback)]
    if not any("orbax" in frame.f_globals.get("__name__", "") for frame in frames):
        threading.__excepthook__(failed)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _quiet_libraries() -> None:
    """Sets environment variables that make libraries log less; they read them when they are imported."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def _log_plainly() -> None:
    """Logs this project's messages without a prefix, and those of other packages only with ``--verbosity=1``.

    An exception in Orbax's threads, which write checkpoints, is raised in the main thread too, so the report of the
    thread is suppressed.
    """
    verbose = flags.FLAGS.verbosity >= 1
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(TerminalHandler())
    root.setLevel(logging.INFO if verbose else logging.CRITICAL)
    logging.getLogger("lstm_jax").setLevel(logging.INFO)
    logging.getLogger("absl").setLevel(logging.NOTSET)  # absl's flag has set its level.
    if not verbose:
        warnings.filterwarnings("ignore", r"coroutine .* was never awaited", RuntimeWarning)
        threading.excepthook = _except_in_orbax
        sys.unraisablehook = lambda _: None
