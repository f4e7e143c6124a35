"""The finished trials of a study, identified by the content that defines them, so that none is trained twice."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.errors import UserError
from lstm_jax.files import write_text
from lstm_jax.training.logging import read_metrics

DONE, DIVERGED = "done", "diverged"


class Finished(NamedTuple):
    """The outcome of a trial."""

    key: str
    status: str  # done | diverged
    best_validation_accuracy: float | None  # None: no validation before it diverged.
    best_step: int
    final_train_loss: float | None  # In nats, over the last steps that were logged; None: diverged.
    # Test accuracy of the best weights, or of the initial ones if it diverged before any validation; None: not tested.
    test_accuracy: float | None
    folder: str  # The folder in the study's workdir where its stack was trained.
    lane: int  # Its lane in that stack.


class Store:
    """The file ``runs.jsonl`` of a study, and the folders of the runs that it names."""

    def __init__(self, workdir: Path) -> None:
        """Reads the finished trials.

        Raises:
          UserError: The file is damaged.
        """
        self.path, self.workdir = workdir / "runs.jsonl", workdir
        self._rows: dict[str, Finished] = {}
        self._curves: dict[str, list[dict[str, Any]]] = {}
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        for n, line in enumerate(lines, start=1):
            try:
                row = Finished(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{self.path}, line {n}, is damaged ({error}); delete that line, and its run is trained again"
                ) from error
            if (workdir / row.folder / "metrics.jsonl").exists():  # without its curve the run is trained again
                self._rows[row.key] = row

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> Finished:
        return self._rows[key]

    def add(self, rows: list[Finished]) -> None:
        """Adds finished runs to the file, all or none."""
        self._rows.update({row.key: row for row in rows})
        write_text(self.path, "".join(json.dumps(row._asdict()) + "\n" for row in self._rows.values()))

    def drop_weights(self, keys: Iterable[str]) -> None:
        """Deletes the checkpoints of those of the runs that are finished."""
        for folder in {self._rows[key].folder for key in keys if key in self}:
            shutil.rmtree(self.workdir / folder / "checkpoints", ignore_errors=True)

    def curve(self, key: str) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl`` of a finished run."""
        row = self._rows[key]
        if row.folder not in self._curves:
            self._curves[row.folder] = read_metrics(self.workdir / row.folder / "metrics.jsonl")
        return [each for each in self._curves[row.folder] if each["lane"] == row.lane]

    def read(self, key: str, name: str) -> Any:
        """A JSON file in the folder of a finished run, such as ``summary.json``."""
        return json.loads((self.workdir / self._rows[key].folder / name).read_text(encoding="utf-8"))
