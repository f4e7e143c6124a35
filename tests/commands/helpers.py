"""Helpers for the tests of the commands: a tiny run, how a command ended, the contents of a run's folder."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

WARNINGS = [
    pytest.mark.filterwarnings("ignore:the load_module.. method is deprecated:DeprecationWarning"),  # ml_collections
    pytest.mark.filterwarnings("ignore:Sharding info not provided when restoring:UserWarning"),  # not needed to compare
]
ROOT = Path(__file__).parents[2]
TINY = (  # 12 steps, saved after 6 and 12
    "--config.data.reviews=300",
    "--config.model.hidden_size=8",
    "--config.model.embedding_size=8",
    "--config.train.epochs=2",
    "--config.train.buckets=1",
    "--config.train.batch_size=32",
)


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The single line with the error message."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert self.err.splitlines()[-1] == line
        assert "Traceback" not in self.err
        return line.removeprefix("error: ")


def subprocess_command(name: str, *arguments: object) -> Ended:
    """Runs a command in a process of its own, which takes seconds."""
    command = [sys.executable, f"{name}.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return Ended(done.returncode, done.stdout, done.stderr)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def weights(workdir: Path, step: int) -> list[np.ndarray]:
    """Every array of a checkpoint."""
    with ocp.PyTreeCheckpointer() as reader:
        return [
            leaf
            for item in ("state", "best")
            for leaf in jax.tree.leaves(reader.restore(workdir / "checkpoints" / str(step) / item))
        ]


def assert_same_weights(one: Path, other: Path, step: int = 12) -> None:
    for a, b in zip(weights(one, step), weights(other, step), strict=True):
        np.testing.assert_array_equal(a, b)
