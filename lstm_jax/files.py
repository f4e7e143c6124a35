"""Files written whole or not at all, and what identifies the code that a cached file was made by."""

import fcntl
import hashlib
import os
from pathlib import Path
from types import ModuleType
from typing import TextIO

from lstm_jax.errors import UserError


def hold(folder: Path) -> TextIO:
    """Locks a folder for this process, making it if need be; closing the file that it returns lets go.

    Raises:
      UserError: Another process holds it, or the path cannot be a folder.
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


def write_bytes(file: Path, content: bytes) -> None:
    """Writes a file whole or not at all, making its folder if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Writes a file of UTF-8 text whole or not at all, making its folder if need be."""
    write_bytes(file, text.encode())


def digest(*parts: object) -> str:
    """16 hexadecimal digits that tell apart what the parts' ``repr`` tells apart."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def code_digest(*modules: ModuleType) -> str:
    """A digest of modules' source, part of the key of what they make: edited code makes it anew."""
    return digest(*(Path(str(module.__file__)).read_bytes() for module in modules))
