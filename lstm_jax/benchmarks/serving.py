"""The answering side of a worker: a JSON object a line from standard input, an answer a line to standard output."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def serve(answer: Callable[..., dict[str, Any]]) -> None:
    """Answers until the input ends; a failure is an answer with ``error``, for the parent to tell.

    Args:
      answer: called as ``answer(do, **arguments)`` with what the request names.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print, also those in C, is no answer
    for line in sys.stdin:
        request = json.loads(line)
        try:
            found = answer(request.pop("do"), **request)
        except Exception as error:  # it is the parent that says what went wrong, and goes on
            found = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:200]}
        print(json.dumps(found), file=answers, flush=True)
