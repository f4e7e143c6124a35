"""What every file of measurements says of itself."""

import datetime
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from lstm_jax.training.workdir import git_commit, versions


def about(command: str, device: str | dict[str, str], peers: Sequence[str] = ()) -> dict[str, Any]:
    """By which command, when, on what device and by what code something was measured.

    Args:
      command: that repeats it.
      device: in words, or by implementation.
      peers: packages that were measured beside this one, whose versions are told as well.
    """
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "device": device,
        "versions": versions() | {name: _version(name) for name in peers},
        "git_commit": git_commit(),
    }


def _version(name: str) -> str | None:
    """Of an installed package; ``None`` where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
