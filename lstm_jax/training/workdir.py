"""The folder of a run: its lock, its config and lanes, its summary, and the versions that it ran with."""

import io
import json
import logging
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax import config as configs
from lstm_jax import runtime
from lstm_jax.config import Config, UserFile
from lstm_jax.errors import UserError
from lstm_jax.files import lock_folder, named_folder, write_bytes, write_text
from lstm_jax.training.trust import trusted_plugins, vouch
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)

PLUGINS = "plugins.json"  # The ``UserFile`` of each file with the user's own code that a run uses.
DIGESTS = "examples.npz"  # What identifies the texts of each split.
ENVIRONMENTS = "environments.json"  # Where the run was trained, from which step on.
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "datasets", "tokenizers", "numpy")


class Lane(NamedTuple):
    """One of the training runs that share a folder and a compiled program."""

    seed: int  # Seeds the initial weights, the order of the examples and dropout.
    changes: dict[str, float]  # Traced hyper-parameters that differ from the config, by dotted path.

    def hparams(self, config: Config) -> dict[str, float]:
        """All traced hyper-parameters of the lane, by dotted path."""
        return {**configs.hparams(config), **self.changes}


def lanes_of(config: Config) -> list[Lane]:
    """The lanes of a config: one, or those of an ensemble."""
    return [Lane(config.seed + n, {}) for n in range(config.ensemble)]


class Workdir:
    """A run's folder, locked by one process at a time; a context manager."""

    def __init__(self, path: str | Path, config: Config, lanes: list[Lane]) -> None:
        """Locks the folder for a config and its lanes, and creates it if needed.

        Raises:
          UserError: Another process works there, or the folder belongs to another config or other lanes.
        """
        self.path = named_folder(path)
        self._lock = lock_folder(self.path)
        try:
            self._check(config, lanes)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> "Workdir":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    @property
    def claimed(self) -> bool:
        """Whether the folder belongs to a config."""
        return (self.path / "config.json").exists()

    def claim(self, config: Config, lanes: list[Lane]) -> None:
        """Writes config and lanes into the folder, once training can begin, so that a failed start leaves no trace."""
        write_json(self.path / "lanes.json", [lane._asdict() for lane in lanes])
        if own := configs.merged(_read_user_files(self.path), configs.user_files(config)):
            write_json(self.path / PLUGINS, [file._asdict() for file in own])
        self._vouch(config)
        later = configs.with_fields(config, {"data.rebuild": False})  # Evaluations need not rebuild the cache again.
        write_text(self.path / "config.json", configs.to_json(later))

    def _check(self, config: Config, lanes: list[Lane]) -> None:
        if not self.claimed:
            return
        changed = [
            f"{path} is {theirs!r} there and {ours!r} here"
            for path, theirs, ours in configs.differences(read_config(self.path), config)
        ]
        if changed:
            raise UserError(
                f"{self.path} belongs to another config: {'; '.join(changed)}. "
                "Use another --workdir, or the config of that one"
            )
        there, here = ([(n.seed, n.hparams(config)) for n in each] for each in (read_lanes(self.path, config), lanes))
        if there != here:
            raise UserError(f"{self.path} holds other lanes than are asked for; use another --workdir")
        _warn_of_changes(self.path, config, _read_user_files(self.path))
        self._vouch(config)

    def _vouch(self, config: Config) -> None:
        """Trusts the code of this run from now on, since the training command itself has named and executed it."""
        vouch(self.path, [*config.plugins, *(file.plugin for file in configs.user_files(config))])

    def environments(self) -> list[dict[str, Any]]:
        """Where the run was trained so far: ``environment()``, the step from which on it holds, and the command."""
        return read_environments(self.path)

    def enter_environment(self, step: int) -> list[str]:
        """Records this environment if it differs from the one before; returns the differences.

        Args:
          step: The number of steps that the run has made.
        """
        known, now = self.environments(), environment()
        before = known[-1] if known else now
        changes = [
            f"{name} was {before[name]!r} and is {value!r}"
            for name, value in now.items()
            if before.get(name, value) != value
        ]
        if changes or not known:
            write_json(self.path / ENVIRONMENTS, [*known, {"step": step, **now, "command": command_line()}])
        return changes

    def summary(self) -> dict[str, Any] | None:
        """The summary that an earlier command wrote; ``None`` if there is none."""
        return read_summary(self.path)


def read_config(workdir: Path) -> Config:
    """The config of a run, not yet validated, since that needs the user's code to be loaded.

    Raises:
      UserError: The folder is not a run's.
    """
    file = workdir / "config.json"
    if not file.exists():
        raise UserError(
            f"{workdir} holds no config.json, so it is not a run's folder; train first, or correct --workdir"
        )
    try:
        return configs.from_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON ({error}); restore it or use a new --workdir") from error


def evaluation_config(
    workdir: Path, config: Config | None = None, plugins: str | Sequence[str] = (), trust_code: bool = False
) -> Config:
    """The validated config for an evaluation of a run, after loading the user's code that it needs.

    A warning is logged for each file of that code whose content has changed since the run began.

    Args:
      workdir: Folder of the run.
      config: The run's config with changes; by default as it was trained.
      plugins: Modules or files that the caller names, which are loaded before those that the folder names.
      trust_code: Whether code that the folder names may be executed though this user did not train the run there.

    Raises:
      UserError: The folder is not a run's, a file of that code is missing or not trusted, or a field is wrong.
    """
    config, recorded = config or read_config(workdir), _read_user_files(workdir)
    known = (read_json(workdir / "data.json", dict) or {}).get("download", {})
    if config.data.url and config.data.url == known.get("url") and not config.data.sha256:
        config.data.sha256 = known["sha256"]  # The file may have changed since, and the cache may be empty.
    own = {*config.plugins, *(file.plugin for file in recorded)}
    config.plugins = configs.load_recorded(config, recorded, plugins, own if trust_code else trusted_plugins(workdir))
    configs.validate(config, trains=False)
    _warn_of_changes(workdir, config, recorded)
    return config


def _read_user_files(workdir: Path) -> list[UserFile]:
    file = workdir / PLUGINS
    try:
        return [UserFile(**each) for each in json.loads(file.read_text(encoding="utf-8"))] if file.exists() else []
    except (ValueError, TypeError) as error:
        raise UserError(f"{file} is damaged ({error}); restore it or use a new --workdir") from error


def _warn_of_changes(workdir: Path, config: Config, recorded: list[UserFile]) -> None:
    for path in configs.changed_files(config, recorded):
        _log.warning("%s has changed since the run in %s began", path, workdir)


def read_lanes(workdir: Path, config: Config) -> list[Lane]:
    """The lanes of a run with this config."""
    found = read_json(workdir / "lanes.json", list)
    try:
        return lanes_of(config) if found is None else [Lane(**lane) for lane in found]
    except TypeError as error:
        raise UserError(f"{workdir / 'lanes.json'} is damaged ({error}); restore it or use a new --workdir") from error


def read_summary(workdir: Path) -> dict[str, Any] | None:
    """The summary of a run; ``None`` if there is none yet."""
    return read_json(workdir / "summary.json", dict)


def read_environments(workdir: Path) -> list[dict[str, Any]]:
    """Where a run was trained so far, as ``Workdir.environments``."""
    file = workdir / ENVIRONMENTS
    try:
        return list(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else []
    except ValueError:
        _log.warning("%s is damaged, so it is not known where the run was trained before", file)
        return []


def write_digests(workdir: Path, digests: Mapping[str, Any]) -> None:
    """Writes what identifies the texts of each split, ``[N]`` uint64, so that evaluations know what was trained on."""
    content = io.BytesIO()
    np.savez(content, **digests)
    write_bytes(workdir / DIGESTS, content.getvalue())


def read_digests(workdir: Path) -> dict[str, HostArray]:
    """What ``write_digests`` wrote.

    Raises:
      UserError: The file is missing or damaged.
    """
    file = workdir / DIGESTS
    try:
        with np.load(file, allow_pickle=False) as found:
            return {split: found[split].astype(np.uint64, casting="safe") for split in ("train", "validation", "test")}
    except FileNotFoundError:
        raise UserError(f"{file} is missing, so it is not known what the run was trained on; restore it") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{file} is damaged, so it is not known what the run was trained on; restore it, or train again"
        ) from error


def read_json(file: Path, kind: type) -> Any:
    """The content of a JSON file of a run; ``None`` if there is no such file.

    Args:
      file: The file.
      kind: What it holds, ``dict`` or ``list``.

    Raises:
      UserError: The file is damaged.
    """
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is damaged ({error}); restore it or use a new --workdir") from error
    if not isinstance(found, kind):
        raise UserError(f"{file} is damaged (it holds no {kind.__name__}); restore it or use a new --workdir")
    return found


def write_json(file: Path, value: Any) -> None:
    """Writes a value atomically, as indented JSON."""
    write_text(file, json.dumps(value, indent=2) + "\n")


def git_commit() -> str | None:
    """The commit of the code that runs, with ``-dirty`` if there are uncommitted changes."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():  # Installed, perhaps inside another repository.
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def command_line() -> str:
    """The command of this process, as a shell takes it; empty in a notebook or an interactive session."""
    program, *arguments = sys.argv or [""]
    if program in ("", "-c") or "ipykernel" in program:
        return ""
    return shlex.join([*(["python"] if program.endswith(".py") else []), program, *arguments])


def environment() -> dict[str, str]:
    """Everything outside the config on which the last bits of a run depend."""
    return versions() | runtime.jax_environment()


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that results depend on."""
    return {"python": sys.version.split()[0]} | {name: metadata.version(name) for name in PACKAGES}
