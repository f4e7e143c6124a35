"""What every file of measurements says of itself."""

import datetime
from typing import Any

from lstm_jax.training.workdir import git_commit, versions


def about(command: str, device: str) -> dict[str, Any]:
    """By which command, when, on what device and by what code something was measured.

    Args:
      command: that repeats it.
      device: in words.
    """
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "device": device,
        "versions": versions(),
        "git_commit": git_commit(),
    }
