"""A command ends with the right exit code. What a user can fix is one clear line; a bug shows its traceback."""

import bz2
import errno
import logging
import os
import threading

import pytest

from lstm_jax.errors import ConfigError, UserError
from tests.commands.helpers import WARNINGS, subprocess_command

pytestmark = WARNINGS

KEPT = "what was written before is kept; fix this and run the same command again"


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UserError("two\nlines"), 1, "two lines"),
        (ConfigError("no such thing"), 2, "no such thing"),
        (KeyboardInterrupt(), 1, "interrupted; the same command goes on from what was written before"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a/file"),
            1,
            f"No space left on device (a/file); {KEPT}",
        ),
        (
            ValueError("RESOURCE_EXHAUSTED: Failed to write 5 bytes to file: No space left on device [source.cc:1]"),
            1,
            f"No space left on device; {KEPT}",
        ),
    ],
)
def test_failure_is_one_line(command, raised, code, line):
    def main():
        raise raised

    ended = command("train", "--workdir=x", main=main)
    assert (ended.code, ended.err) == (code, f"error: {line}\n")


def run_in_thread(module: str):
    """Fails in a thread that runs a function of a module."""
    scope = {"__name__": module}
    exec("def fail(): 1 / 0", scope)
    thread = threading.Thread(target=scope["fail"])
    thread.start()
    thread.join()


def test_failures_in_threads_of_orbax_are_quiet(command):
    def main():
        logging.getLogger("another.package").error("background noise")
        run_in_thread("orbax.checkpoint.writer")
        raise ValueError("odd") from OSError(errno.EIO, "Input/output error")

    ended = command("train", "--workdir=x", main=main)
    assert ended.error.startswith("Input/output error; what was written before is kept")
    assert ended.err.count("\n") == 1


def test_failures_in_other_threads_show_their_traceback(command):
    ended = command("train", "--workdir=x", main=lambda: run_in_thread("mine"))
    assert "ZeroDivisionError" in ended.err


@pytest.mark.parametrize("raised", [ValueError("odd"), FileNotFoundError(errno.ENOENT, "No such file", "mine.txt")])
def test_a_bug_shows_its_traceback(command, raised):
    def main():
        raise raised

    ended = command("train", "--workdir=x", main=main)
    assert ended.code == 1
    assert ended.err.startswith("Traceback (most recent call last)")
    assert f'File "{__file__}"' in ended.err
    assert ended.err.splitlines()[-1] == f"{type(raised).__name__}: {raised}"


def test_a_reader_that_has_seen_enough(command):
    def main():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    ended = command("train", "--workdir=x", main=main)
    assert (ended.code, ended.err) == (1, "")


def test_success(command):
    assert command("train", "--workdir=x", main=lambda: print("done")) == (0, "done\n", "")


@pytest.mark.long
def test_errors_of_the_command_itself(tmp_path):
    """What the other tests check in this process also holds in a separate process."""
    ended = subprocess_command("train", "--help")
    assert (ended.code, ended.err) == (0, "")
    assert "--workdir: Folder of the run" in ended.out

    ended = subprocess_command("train", f"--workdir={tmp_path}", "--config.model.hiden_size=3")
    assert ended == (2, "", ended.err)
    assert ended.error.startswith("config.model has no field 'hiden_size'; did you mean 'hidden_size'?")

    path = tmp_path / "a.txt.bz2"
    path.write_bytes(bz2.compress(b"__label__1 fine\n" * 1000)[:-10])
    arguments = (f"--workdir={tmp_path / 'run'}", "--config.data.source=files", f"--config.data.path={path}")
    ended = subprocess_command("train", *arguments)
    assert ended == (1, "", ended.err)
    assert ended.error.startswith(f"{path} breaks off after line ")
    assert ended.err.count("\n") == 1
