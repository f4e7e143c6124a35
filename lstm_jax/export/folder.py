"""The folder of an export: which files are its own, and how they are replaced."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstm_jax.errors import ConfigError
from lstm_jax.files import write_bytes
from lstm_jax.training.workdir import write_json

MANIFEST = "export.json"  # Which run the files are of, and the SHA-256 of each file that an export wrote.

Files = dict[str, bytes]  # The content of files by name.


def read_manifest(folder: Path) -> dict[str, Any]:
    """``run`` and ``files`` of the last export into a folder, both empty if there was none.

    Raises:
      ConfigError: The folder cannot be used, or the file is damaged or someone else's.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--output={folder} is a file; give a folder")
    if (folder / "checkpoints").exists():
        raise ConfigError(f"--output={folder} is the folder of a run; give another folder")
    file = folder / MANIFEST
    if not file.exists():
        return {"run": "", "files": {}}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {"run": str(found["run"]), "files": {str(name): list(own) for name, own in found["files"].items()}}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{file} is damaged or not of an export; delete it, or give another --output") from None


def write_files(folder: Path, files: Mapping[str, bytes], run: str) -> list[Path]:
    """Writes the files of an export, each atomically, and returns their paths.

    Files of an earlier export are replaced. If that was of another run, its other files are deleted, so that a folder
    never mixes two runs. Everything else in the folder stays as it is.

    Args:
      folder: The folder, which is created if needed.
      files: The content of each file.
      run: Identifies the run and the step of its weights.

    Raises:
      ConfigError: A file would be replaced or deleted that no export wrote, or that was changed since.
    """
    manifest = read_manifest(folder)
    known = manifest["files"]
    new = {name: [hashlib.sha256(content).hexdigest()] for name, content in files.items()}
    stale = [name for name in known if name not in files] if manifest["run"] != run else []
    for name in [*files, *stale]:
        _check_own(folder / name, [*known.get(name, []), *new.get(name, [])])
    kept = {name: own for name, own in known.items() if name not in stale}
    # During the writing both versions of a file are known, so that an interrupted export can be repeated.
    both = {name: [*known.get(name, []), *new.get(name, [])] for name in {**known, **new}}
    write_json(folder / MANIFEST, {"run": run, "files": both})
    for name in stale:
        (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        write_bytes(folder / name, content)
    write_json(folder / MANIFEST, {"run": run, "files": {**kept, **new}})
    return [folder / name for name in files]


def _check_own(file: Path, digests: list[str]) -> None:
    if not file.exists() and not file.is_symlink():
        return
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() not in digests:
        raise ConfigError(
            f"{file} is not of an earlier export, or was changed since, and would be replaced; move it, or give "
            "another --output"
        )
