"""Runs implementations in their own processes, which answer requests one at a time.

A process runs a *service*: a class that is created with the name of an implementation and whose methods take and return
JSON values. The parent writes one JSON object per line to the process's standard input, ``{"do": METHOD, …arguments}``,
and reads one answer per line from its standard output. This module imports neither JAX nor NumPy, so that the service
alone decides what its process imports.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 3 * 3600.0  # Maximum seconds for an answer, because a collective of XLA may hang.
MAX_ERROR_CHARS = 200  # Maximum number of characters that are kept of an error message.


def package_environment() -> dict[str, str]:
    """This process's environment variables, with which another process finds the package from any folder."""
    paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    return dict(os.environ) | {"PYTHONPATH": paths}


class Worker:
    """The parent's end of one process; a context manager.

    Args:
      service: The class that the process runs, as ``module:Class``.
      name: The implementation.
      environment: Environment variables of the process in addition to its parent's.
    """

    def __init__(self, service: str, name: str, environment: Mapping[str, str] | None = None) -> None:
        with contextlib.ExitStack() as stack:
            self._stderr = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, service, name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                text=True,
                env=package_environment() | dict(environment or {}),
            )
            self._open = stack.pop_all()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._open.close()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Calls a method and returns its answer: ``error`` if the process failed, ended, or took too long."""
        assert self._process.stdin
        assert self._process.stdout
        impatient = threading.Timer(TIMEOUT_SECONDS, self._process.kill)
        impatient.start()
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            impatient.cancel()
        return json.loads(line) if line.endswith("\n") else {"error": self._how_it_ended()}

    def _how_it_ended(self) -> str:
        """The exit code and the last line of standard error."""
        code = self._process.wait()
        self._stderr.seek(0)
        last = self._stderr.read().strip().splitlines()[-1:]
        return ": ".join([f"its process ended with code {code}", *(line[-MAX_ERROR_CHARS:] for line in last)])


def _answer(service: str, name: str) -> None:
    """Runs in the process: answers requests until the input ends. A request that fails is answered with ``error``."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps what libraries print, also from C, out of the answers
    made = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if made is None:  # created here, so that a missing package becomes an answer too
                module, _, kind = service.partition(":")
                made = getattr(importlib.import_module(module), kind)(name)
            answer = getattr(made, request.pop("do"))(**request)
        except ModuleNotFoundError as error:
            answer = {"error": f"{error.name} is not installed"}
        except Exception as error:  # the parent reports it and goes on without this implementation
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:MAX_ERROR_CHARS]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _answer(*sys.argv[1:])
