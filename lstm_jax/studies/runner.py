"""Trains those trials of a study that are missing, in its workdir."""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax

from lstm_jax.config import Config, to_json
from lstm_jax.data import corpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.files import digest
from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.studies import stacks, timing, trials
from lstm_jax.studies.progress import Progress
from lstm_jax.studies.stacks import Stack
from lstm_jax.studies.store import Finished, Store
from lstm_jax.studies.timing import LaneChoice
from lstm_jax.studies.trials import Trial
from lstm_jax.training.network import checkpoint_bytes
from lstm_jax.training.workdir import write_json

_log = logging.getLogger(__name__)


class Runner:
    """The trials of some tasks in one workdir: which are finished, and what is still to be trained."""

    def __init__(self, tasks: Mapping[str, Config], workdir: Path, lanes: int = 0) -> None:
        """Reads what is finished; data are prepared when they are first needed.

        Args:
          tasks: by label.
          workdir: of the study.
          lanes: at once, at most; 0: as many as fit in memory.
        """
        self.store, self.workdir = Store(workdir), workdir
        self._tasks, self._most = tasks, lanes
        self._corpora: dict[str, Corpora] = {}
        self._fingerprints: dict[str, str] = {}
        self._keys: dict[Trial, str] = {}

    def config(self, trial: Trial) -> Config:
        """The config of a trial by itself."""
        return trials.config_of(self._tasks[trial.task], trial.changes, trial.seed)

    def corpora(self, config: Config) -> Corpora:
        """The data of a config; configs with equal fields of data share them."""
        data = to_json(config.data)
        if data not in self._corpora:
            self._corpora[data] = corpus.prepare(config.data)
        return self._corpora[data]

    def key(self, trial: Trial) -> str:
        """What the store knows a trial by."""
        if trial not in self._keys:
            config = self.config(trial)
            self._keys[trial] = trials.key(config, trial, self._fingerprint(config))
        return self._keys[trial]

    def _fingerprint(self, config: Config) -> str:
        read = to_json(config.data) + config.model.init_from
        if read not in self._fingerprints:
            self._fingerprints[read] = trials.fingerprint(config, self.corpora(config))
        return self._fingerprints[read]

    def missing(self, planned: Iterable[Trial]) -> int:
        """How many of some trials are not finished."""
        return sum(self.key(trial) not in self.store for trial in planned)

    def __getitem__(self, trial: Trial) -> Finished:
        """What became of a finished trial."""
        return self.store[self.key(trial)]

    def train(self, planned: list[Trial], progress: Progress | None = None) -> None:
        """Trains the missing ones of some trials of a task and a stage, as many lanes at once as fit.

        Args:
          planned: all trials, finished ones too.
          progress: shows it; without it each run shows its own.
        """
        for group in trials.alike(planned, self._tasks[planned[0].task]):
            if self.missing(group):
                for stack in self._stacks(group):
                    if progress:
                        progress.begin(f"{group[0].name} ({group[0].stage.name})", len(stack.trials))
                    self.train_stack(stack, progress)
                    if progress:
                        progress.end()
            if not group[0].stage.keeps_weights:
                self.store.drop_weights(map(self.key, group))

    def train_stack(self, stack: Stack, progress: Progress | None = None) -> None:
        """Trains a stack unless all of its trials are finished."""
        if all(key in self.store for key in stack.keys):
            return
        _log.info("%s", stack.folder)
        follow = progress.follow if progress else None
        self.store.add(stacks.train_stack(stack, self.corpora(stack.config), self.workdir, follow))
        if not stack.trials[0].stage.keeps_weights:
            self.store.drop_weights(stack.keys)

    def _stacks(self, group: list[Trial]) -> list[Stack]:
        """The missing trials of a program in stacks."""
        first, config = group[0], self.config(group[0])
        choice, periodic = self._choice(config), OPTIMIZERS[config.optimizer.name].periodic
        changes = (*first.changes, ("train.lane_map", "map" if periodic else choice.lane_map))
        config = trials.config_of(self._tasks[first.task], changes, first.seed)
        most = self._most or timing.most_lanes(choice, checkpoint_bytes(config, self.corpora(config)))
        keys = {trial: self.key(trial) for trial in group}
        return stacks.chunked(group, config, keys, self.store, most, len(jax.devices()))

    def _choice(self, config: Config) -> LaneChoice:
        """How lanes of a program share a device, the same from the study's first lane to its last."""
        key = digest(trials.cost(config), self._fingerprint(config))
        measured = self.remembered("lane-choices.json", key, lambda: self._autotuned(config))
        return LaneChoice(**measured)

    def _autotuned(self, config: Config) -> dict[str, Any]:
        return timing.autotune_lanes(config, self.corpora(config))._asdict()

    def remembered(self, name: str, key: str, measure: Any) -> Any:
        """The value of a key in a JSON file of the workdir; measured, and written there, where it is missing."""
        file = self.workdir / name
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if key not in known:
            known[key] = measure()
            write_json(file, known)
        return known[key]
