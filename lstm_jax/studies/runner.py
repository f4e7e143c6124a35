"""Trains the missing trials of a study in its workdir."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
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

    def __init__(
        self,
        tasks: Mapping[str, Config],
        workdir: Path,
        lanes: int = 0,
        prepare: Callable[[Config], Corpora] = lambda config: corpus.prepare(config.data),
    ) -> None:
        """Reads which trials are finished. Data are prepared when they are first needed.

        Args:
          tasks: The config of each task, by its label.
          workdir: The folder of the study.
          lanes: Maximum number of lanes at once; 0: as many as fit in memory.
          prepare: Function from a config to its data, which depend on the fields of ``config.data`` alone.
        """
        self.store, self.workdir = Store(workdir), workdir
        self._tasks, self._most, self._prepare = tasks, lanes, prepare
        self._corpora: dict[str, Corpora] = {}
        self._fingerprints: dict[str, str] = {}
        self._keys: dict[Trial, str] = {}

    def config(self, trial: Trial, *further: tuple[str, Any]) -> Config:
        """The config of a trial as a single run, with further changes."""
        return trials.config_of(self._tasks[trial.task], (*trial.changes, *further), trial.seed)

    def corpora(self, config: Config) -> Corpora:
        """The data of a config. Configs with equal data fields share them."""
        data = to_json(config.data)
        if data not in self._corpora:
            self._corpora[data] = self._prepare(config)
        return self._corpora[data]

    def key(self, trial: Trial) -> str:
        """The key of a trial in the store."""
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
        """The number of trials that are not finished."""
        return sum(self.key(trial) not in self.store for trial in planned)

    def __getitem__(self, trial: Trial) -> Finished:
        """The outcome of a finished trial."""
        return self.store[self.key(trial)]

    def train(self, planned: list[Trial], progress: Progress | None = None) -> None:
        """Trains the missing trials, as many lanes at once as fit. All must have one task and one stage.

        Args:
          planned: All trials, including finished ones.
          progress: Shows the progress of the study. Without it each run shows its own.
        """
        for group in trials.group_by_program(planned, self._tasks[planned[0].task]):
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
        """Groups the missing trials of one program into stacks."""
        config, devices = self.config(group[0]), len(jax.devices())
        if len(group) <= timing.PER_DEVICE * devices:  # Measuring would train as many lanes.
            lane_map, most = config.train.lane_map, -(-len(group) // devices) * devices
        else:
            choice = self._choice(config)
            lane_map, most = choice.lane_map, timing.most_lanes(choice, self._state_bytes(config))
        if OPTIMIZERS[config.optimizer.name].periodic:
            lane_map = "map"
        keys = {trial: self.key(trial) for trial in group}
        # A stack has the config of its own first trial, so that the same keys mean the same config and lanes.
        return [
            stack._replace(config=self.config(stack.trials[0], ("train.lane_map", lane_map)))
            for stack in stacks.chunked(group, config, keys, self.store, self._most or most, devices)
        ]

    def _state_bytes(self, config: Config) -> int:
        return checkpoint_bytes(config, self.corpora(config))

    def _choice(self, config: Config) -> LaneChoice:
        """How lanes of a program share a device. The workdir keeps it, so it is the same for all lanes of the study."""
        key = digest(trials.cost_key(config), self._fingerprint(config))
        measured = self.cached("lane-choices.json", key, lambda: self._autotuned(config))
        return LaneChoice(**measured)

    def _autotuned(self, config: Config) -> dict[str, Any]:
        return timing.autotune_lanes(config, self.corpora(config))._asdict()

    def cached(self, name: str, key: str, measure: Any) -> Any:
        """The value of a key in a JSON file of the workdir. If it is missing, it is measured and written there."""
        file = self.workdir / name
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if key not in known:
            known[key] = measure()
            write_json(file, known)
        return known[key]
