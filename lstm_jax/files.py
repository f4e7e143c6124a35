"""Folder locks, atomic writes, and digests for cache keys."""

import fcntl
import hashlib
import os
from pathlib import Path
from types import ModuleType
from typing import TextIO

from lstm_jax.errors import ConfigError, UserError


def lock_folder(folder: Path) -> TextIO:
    """Locks a folder for this process and creates it if needed. Closing the returned file releases the lock.

    Raises:
      UserError: Another process holds the lock, or the path cannot be a folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder} cannot be a folder, since {error.filename} is a file; use another path") from None
    lock = (folder / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UserError(f"{folder} is in use by another process; wait for it or use another --workdir") from None
    return lock


def listed_folders(given: str) -> list[Path]:
    """The folders that a list with commas names. A folder that exists may have commas in its own name."""
    parts, folders = given.split(","), []
    while parts:
        ends = [n for n in range(len(parts), 1, -1) if Path(",".join(parts[:n])).is_dir()]
        taken = ends[0] if ends else 1
        folders.append(Path(",".join(parts[:taken])))
        parts = parts[taken:]
    return folders


def named_folder(given: str | Path) -> Path:
    """The path of a folder. Python takes an empty path for the current folder, which nobody has asked for.

    Raises:
      ConfigError: It is empty, or no path.
    """
    if not isinstance(given, str | Path) or not str(given):
        raise ConfigError(f"the folder of the run is {given!r}; name it, such as 'runs/first'")
    return Path(given)


def write_bytes(file: Path, content: bytes) -> None:
    """Writes a file atomically and creates its folder if needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Writes a UTF-8 text file atomically and creates its folder if needed."""
    write_bytes(file, text.encode())


def digest(*parts: object) -> str:
    """A hash of the parts' ``repr``, as 16 hexadecimal digits."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def file_digest(file: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def code_digest(*modules: ModuleType) -> str:
    """A digest of the modules' source. As part of a cache key it makes edited code recompute its results."""
    return digest(*(Path(str(module.__file__)).read_bytes() for module in modules))
