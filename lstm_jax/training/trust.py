"""Whose code a run may execute: that with which this user trained it, in the folder where it still is.

A folder can come from anywhere, and its ``config.json`` and ``plugins.json`` can name any file or module. So what the
folder says about itself proves nothing. A training command, which names its code itself, writes a random id into the
folder, and the same id, with the folder's path and the names of that code, into this user's cache. Later commands load
recorded code without being asked to only if both agree.
"""

import json
import logging
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from lstm_jax.files import digest, write_text
from lstm_jax.runtime import cache_dir

_log = logging.getLogger(__name__)

ORIGIN = "origin.json"  # In the folder of a run.


def vouch(workdir: Path, plugins: Iterable[str]) -> None:
    """Notes in the cache that this user's own command has executed these plugins for the run in a folder.

    Args:
      workdir: Folder of the run.
      plugins: Modules and absolute paths of files. Without any, nothing is written.
    """
    known, given = trusted_plugins(workdir), {*plugins}
    if given <= known:
        return
    own = _id(workdir) if known else secrets.token_hex(16)
    write_text(workdir / ORIGIN, json.dumps({"id": own}) + "\n")
    record = {"workdir": str(workdir.resolve()), "id": own, "plugins": sorted(given | known)}
    try:
        write_text(_record(workdir), json.dumps(record, indent=2) + "\n")
    except OSError as error:
        _log.warning(
            "%s cannot be written (%s), so later commands will ask whether they may load the run's own code",
            _record(workdir),
            error.strerror,
        )


def trusted_plugins(workdir: Path) -> set[str]:
    """The plugins that this user has executed for the run in a folder; none if it was moved, copied or downloaded."""
    own, file = _id(workdir), _record(workdir)
    if not own:
        return set()
    try:
        if hasattr(os, "getuid") and file.stat().st_uid != os.getuid():
            return set()  # A shared cache may hold what others have written.
        found = json.loads(file.read_text(encoding="utf-8"))
        return set(found["plugins"]) if (found["workdir"], found["id"]) == (str(workdir.resolve()), own) else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _id(workdir: Path) -> str:
    try:
        return str(json.loads((workdir / ORIGIN).read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _record(workdir: Path) -> Path:
    return cache_dir() / "runs" / f"{digest(str(workdir.resolve()))}.json"
