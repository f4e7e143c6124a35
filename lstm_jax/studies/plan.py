"""Which trials a comparison has, and which of them are finished."""

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.config import Config
from lstm_jax.data.corpus import Corpora
from lstm_jax.files import digest
from lstm_jax.optimizers import Range, Space
from lstm_jax.studies import results, trials
from lstm_jax.studies.results import Tried
from lstm_jax.studies.search import RATE, Search, Setting
from lstm_jax.studies.store import Ledger
from lstm_jax.studies.trials import FRESH, SEARCH, Trial
from lstm_jax.training.workdir import write_json

FRESH_FROM = 1000  # seeds of the second stage are so much higher, so that none serves in both


@dataclasses.dataclass
class Task:
    """What optimizers are compared on: data, network, budget."""

    config: Config  # its optimizer's name, rate and hyper-parameters give way to those of the search
    target: float = 0.0  # validation accuracy; the steps to it are counted; 0: none


class Plan:
    """The trials of one optimizer on one task, its settings extended or not."""

    def __init__(
        self, label: str, optimizer: str, task: Config, space: Space, search: Search, seeds: tuple[int, int]
    ) -> None:
        """Begins with the settings of the search.

        Args:
          label: of the task.
          optimizer: its name.
          task: the config of the task.
          space: of the optimizer's settings.
          search: how they are taken from it.
          seeds: how many the search has, and the second stage.
        """
        self.label, self.optimizer, self.task = label, optimizer, task
        self._space, self._search, self._seeds = space, search, seeds
        self.extended = [0, 0]  # how often the rates were extended down and up

    @property
    def identity(self) -> str:
        """What extensions belong to."""
        return f"{self.label}/{self.optimizer}/{digest(dict(self._space), self._search)}"

    @property
    def extensible(self) -> bool:
        """Whether there are rates beyond those listed."""
        return isinstance(self._space[RATE], Range)

    @property
    def held_out_seeds(self) -> int:
        """How many runs are compared."""
        return self._seeds[1]

    def settings(self) -> list[Setting]:
        """All settings of the search."""
        return self._search.settings(self._space, *self.extended)

    def search(self) -> list[Trial]:
        """The runs that choose."""
        seeds = range(self.task.seed, self.task.seed + self._seeds[0])
        return [Trial(self.label, SEARCH, self.optimizer, each, seed) for each in self.settings() for seed in seeds]

    def fresh(self, best: Setting) -> list[Trial]:
        """The runs that are compared."""
        first = self.task.seed + FRESH_FROM
        return [Trial(self.label, FRESH, self.optimizer, best, first + n) for n in range(self.held_out_seeds)]

    def edge(self, best: Setting) -> int:
        """−1 or 1 where the best rate is the lowest or the highest, or near it."""
        return self._search.at_edge(best, self.settings())


class Register:
    """The ledger of a study by trial: which are finished, and what became of them."""

    def __init__(self, workdir: Path, fingerprints: dict[str, str], tasks: dict[str, Config]) -> None:
        """Reads the ledger, and deletes weights of finished runs that an interruption has left."""
        self.ledger = Ledger(workdir)
        for folder in self.ledger.folders():
            shutil.rmtree(workdir / folder / "checkpoints", ignore_errors=True)
        self.fingerprints, self._tasks = fingerprints, tasks
        self._keys: dict[Trial, str] = {}

    def key(self, trial: Trial) -> str:
        """What the ledger knows a trial by."""
        if trial not in self._keys:
            self._keys[trial] = trials.key(self._tasks[trial.task], trial, self.fingerprints[trial.task])
        return self._keys[trial]

    def finished(self, found: list[Trial]) -> int:
        """How many of some trials are finished."""
        return sum(self.key(trial) in self.ledger for trial in found)

    def tried(self, plan: Plan) -> list[Tried]:
        """The settings of a search that is finished, and what their seeds reached."""
        runs: dict[Setting, list[Any]] = {}
        for trial in plan.search():
            runs.setdefault(trial.setting, []).append(self.ledger[self.key(trial)])
        return [Tried(setting, own) for setting, own in runs.items()]

    def best(self, plan: Plan) -> Setting:
        """The setting that a finished search chooses."""
        return results.choose(self.tried(plan)).setting


class Extensions:
    """The file ``extensions.json``: which rates were extended how often, and whether that command came to its end."""

    def __init__(self, workdir: Path, plans: list[Plan]) -> None:
        """Reads it into the plans whose space and search are as they were."""
        self._file, self._plans = workdir / "extensions.json", plans
        known = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        self._counts: dict[str, list[int]] = known.get("counts", {})
        for plan in plans:
            plan.extended = list(self._counts.get(plan.identity, (0, 0)))
        self.pending = bool(known.get("pending")) and any(any(plan.extended) for plan in plans)

    def write(self, pending: bool) -> None:
        """Keeps how often each plan is extended; ``pending`` until its runs are made."""
        self.pending = pending
        self._counts |= {plan.identity: plan.extended for plan in self._plans if any(plan.extended)}
        if self._counts or self._file.exists():
            write_json(self._file, {"pending": pending, "counts": self._counts})


def fingerprint(config: Config, corpora: Corpora) -> str:
    """A digest of all that runs read: reviews, vocabulary, text or file of word vectors, weights to begin with."""
    content = hashlib.sha256(corpora.tokenizer.to_str().encode())
    read = [config.data.vectors.path] if config.data.vectors.source == "file" else []
    read += [str(Path(config.model.init_from) / "summary.json")] if config.model.init_from else []
    for file in filter(os.path.exists, read):
        with open(file, "rb") as opened:
            content.update(hashlib.file_digest(opened, "sha256").digest())
    for part in (corpora.train, corpora.validation, corpora.test, corpora.whole):
        for array in part or ():
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]
