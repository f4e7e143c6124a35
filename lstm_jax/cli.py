"""What all entry points share: flags, exit codes, one clear line for a failure."""

import errno
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from absl import app, flags
from ml_collections import config_flags

from lstm_jax import config as configs
from lstm_jax.config import Config, validate
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.training.workdir import read_config

DONE, FAILED, BAD_USAGE = 0, 1, 2


def define_config(default: str) -> Any:
    """The flag ``--config=configs/NAME.py``, and ``--config.group.field=value`` for any field."""
    _check_fields()
    help_text = "A file whose get_config() returns a Config. Any field: --config.group.field=value."
    return config_flags.DEFINE_config_file("config", default, help_text)


def define_config_of_workdir() -> Any:
    """``--config.group.field=value`` over the config of the run that ``--workdir`` names."""
    _check_fields()
    finder = flags.FlagValues()
    flags.DEFINE_string("workdir", None, "", flag_values=finder)
    finder(sys.argv, known_only=True)
    found = read_config(Path(finder["workdir"].value)) if finder["workdir"].value else Config()
    return config_flags.DEFINE_config_dataclass("config", found, "The run's own config, changed where it is given.")


def define_study() -> Any:
    """The flag ``--config=configs/studies/NAME.py``; a study's fields are set in its file alone.

    Raises:
      ConfigError: one is given beside it.
    """
    for name in _fields_given():
        raise ConfigError(f"--{name}: the fields of a study are set in its file; copy that and change it there")
    return config_flags.DEFINE_config_file("config", None, "A file whose get_config() returns a study.")


def _check_fields() -> None:
    for name in _fields_given():
        configs.check_path(name)


def _fields_given() -> list[str]:
    given = [argument.lstrip("-").partition("=")[0] for argument in sys.argv[1:] if argument.startswith("-")]
    return [name for name in given if name.startswith("config.")]


def loaded(config: Any) -> Any:
    """The value of a config flag.

    Raises:
      ConfigError: the file cannot be loaded.
    """
    if type(config).__name__ == "_ErrorConfig":  # ml_collections keeps a file's failure to load until it is used
        try:
            config.seed  # noqa: B018
        except OSError as error:
            raise ConfigError(f"the config file cannot be loaded: {error.__cause__ or error}") from error
    return config


def checked(config: Any, trains: bool = True) -> Config:
    """The value of a config flag, validated and frozen; ``trains``: whether its optimizer is needed.

    Raises:
      ConfigError: a field is wrong, or the file's get_config() returns something else.
    """
    config = loaded(config)
    if not isinstance(config, Config):
        raise ConfigError(f"get_config() of the config file returned a {type(config).__name__}, not a Config")
    return validate(config, trains)


def run(define: Callable[[], None], main: Callable[[], None]) -> None:
    """Defines and parses the flags, calls ``main`` and ends the process.

    Exit codes: 0 done; 1 failed, said in one line, with the traceback only under ``--verbosity=1``; 2 bad
    flags or config.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    _quiet()
    code = _guarded(lambda: _parse(define), unexpected=BAD_USAGE)
    if code == DONE:
        _log_plainly()
        code = _guarded(main, unexpected=FAILED)
    sys.stdout.flush()
    sys.exit(code)


def _parse(define: Callable[[], None]) -> None:
    app.define_help_flags()
    define()
    if any(argument in ("--help", "-help", "-h") for argument in sys.argv):
        app.usage(shorthelp=True, writeto_stdout=True)
        sys.exit(DONE)
    rest = flags.FLAGS(sys.argv)
    if len(rest) > 1:
        raise ConfigError(f"{rest[1]!r} is no flag; flags look like --name=value")


def _guarded(function: Callable[[], None], unexpected: int) -> int:
    try:
        function()
    except ConfigError as error:
        return _say(error, BAD_USAGE)
    except UserError as error:
        return _say(error, FAILED)
    except KeyboardInterrupt:
        return _say("interrupted; a training goes on from its last checkpoint with the same command", FAILED)
    except OSError as error:
        return _say(_disk(error), FAILED if unexpected == FAILED else BAD_USAGE, error)
    except flags.Error as error:
        return _say(f"{error}; see --help", BAD_USAGE)
    except Exception as error:
        cause = _os_error(error)
        text = _disk(cause) if cause else f"{type(error).__name__}: {error}; --verbosity=1 shows where"
        return _say(text, unexpected, error)
    return DONE


def _os_error(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        if os.strerror(errno.ENOSPC) in str(error):  # Orbax raises a full disk as a ValueError
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error


def _disk(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return (
        f"{error.strerror or error}{where}; what was written before is kept, mend this and run the same command again"
    )


def _say(what: object, code: int, error: BaseException | None = None) -> int:
    if error is not None and flags.FLAGS.is_parsed() and flags.FLAGS.verbosity >= 1:
        logging.getLogger(__name__).error("traceback of the error below", exc_info=error)
    print("error: " + " ".join(str(what).split()), file=sys.stderr, flush=True)
    return code


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _quiet() -> None:
    # Read by the packages when they are imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def _log_plainly() -> None:
    """Our own messages as they are, what other packages log or print of failures only under ``--verbosity=1``.

    A failure in one of their threads, as of writing a checkpoint, is raised in the main thread too.
    """
    verbose = flags.FLAGS.verbosity >= 1
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    logging.basicConfig(format="%(message)s", level=logging.INFO if verbose else logging.CRITICAL, stream=sys.stderr)
    logging.getLogger("lstm_jax").setLevel(logging.INFO)
    logging.getLogger("absl").setLevel(logging.NOTSET)  # the flag has given it a level of its own
    if not verbose:
        # Orbax leaves one behind when the disk is full, and Python tells of it after our line of error.
        warnings.filterwarnings("ignore", r"coroutine .* was never awaited", RuntimeWarning)
        threading.excepthook = lambda _: None
        sys.unraisablehook = lambda _: None
        sys.excepthook = lambda *_: None  # _guarded has said what ended the main thread
