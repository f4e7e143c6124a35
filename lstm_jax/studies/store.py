"""Which runs of a study are finished, by the content that defines them: none is made twice."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.errors import UserError
from lstm_jax.files import write_text
from lstm_jax.training.logging import read_metrics

DONE, DIVERGED = "done", "diverged"


class Finished(NamedTuple):
    """What became of a run."""

    key: str
    status: str  # done | diverged
    best_validation_accuracy: float | None  # None: no validation before it diverged
    best_step: int
    final_train_loss: float | None  # nats, over the last steps that were logged; None: diverged
    test_accuracy: float | None  # of the best weights, or of the first where it diverged early; None: not tested
    folder: str  # in the workdir of the study, where its stack was trained
    lane: int


class Ledger:
    """The file ``ledger.jsonl`` of a study."""

    def __init__(self, workdir: Path) -> None:
        """Reads what is finished.

        Raises:
          UserError: the file is damaged.
        """
        self.path = workdir / "ledger.jsonl"
        self._workdir = workdir
        self._rows: dict[str, Finished] = {}
        self._curves: dict[str, list[dict[str, Any]]] = {}
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        for n, line in enumerate(lines, start=1):
            try:
                row = Finished(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{self.path}, line {n}, is damaged ({error}); delete that line, its run is made again"
                ) from error
            if (workdir / row.folder / "metrics.jsonl").exists():  # otherwise its curve is lost: it is made again
                self._rows[row.key] = row

    def folders(self) -> set[str]:
        """Where the finished runs were trained."""
        return {row.folder for row in self._rows.values()}

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> Finished:
        return self._rows[key]

    def add(self, rows: list[Finished]) -> None:
        """Writes down finished runs, all or none."""
        self._rows.update({row.key: row for row in rows})
        write_text(self.path, "".join(json.dumps(row._asdict()) + "\n" for row in self._rows.values()))

    def curve(self, key: str) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl`` of a finished run."""
        row = self._rows[key]
        if row.folder not in self._curves:
            self._curves[row.folder] = read_metrics(self._workdir / row.folder / "metrics.jsonl")
        return [each for each in self._curves[row.folder] if each["lane"] == row.lane]
