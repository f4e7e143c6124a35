"""Memory over distance: which layers of equal size learn tasks that need it, and up to which length."""

import dataclasses
import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.flat_corpus import lengths
from lstm_jax.data.memory_tasks import TASKS, MemoryTask, task_corpora
from lstm_jax.errors import ConfigError
from lstm_jax.files import lock_folder
from lstm_jax.registry import nearest
from lstm_jax.studies import trials
from lstm_jax.studies.progress import Progress
from lstm_jax.studies.reports.memory import MemoryResult, MemoryRun, TaskResult, write_memory
from lstm_jax.studies.runner import Runner
from lstm_jax.studies.settings import file_name
from lstm_jax.studies.trials import MEMORY, Changes, Trial
from lstm_jax.training.experiment import first_weights
from lstm_jax.training.network import classifier

_log = logging.getLogger(__name__)

SIZE_FIELD, RATE_FIELD = "model.hidden_size", "optimizer.learning_rate"
VALIDATED = 256  # Number of validation examples.


class TaskLengths(NamedTuple):
    """The lengths of a task's examples."""

    longest: int  # The longest in training and validation, which mix all lengths up to it.
    tested: tuple[int, ...]  # Those that are tested, each by itself; they may be longer.


@dataclasses.dataclass
class Memory:
    """The study. All layers have the same number of weights, examples, steps and learning rates.

    Training mixes lengths, so that short examples are a curriculum for long ones; it is the same for all layers. Every
    example is new: a run sees each once. Learning rates and seeds are lanes of one program. Validation examples choose
    each layer's learning rate; test examples, one set for each length, are drawn apart from both.
    """

    base: Config  # The network besides its layers, the optimizer, the number of steps.
    tasks: Mapping[str, TaskLengths]  # By the name of the task.
    layers: Mapping[str, Mapping[str, Any]]  # The fields of the config that make a layer, by the layer's label.
    weights: int  # The number of weights of each network, embedding and output layer included.
    learning_rates: tuple[float, ...]
    seeds: int = 2
    tested: int = 256  # Number of test examples of each length.

    def check(self) -> None:
        """Refuses an inconsistent study before anything is trained.

        Raises:
          ConfigError: The study is inconsistent; the message says why.
        """
        if not self.tasks or not self.layers or not self.learning_rates or self.seeds < 1 or self.tested < 1:
            raise ConfigError("the study needs at least one task, layer, learning rate, seed and test example")
        for name, asked in self.tasks.items():
            if name not in TASKS:
                raise ConfigError(f"there is no memory task {name!r}; {nearest(name, TASKS)}")
            if not asked.tested or min(*asked.tested, asked.longest) < TASKS[name].shortest:
                raise ConfigError(f"the lengths of {name} are {asked}; give some, of at least {TASKS[name].shortest}")
            if list(asked.tested) != sorted(set(asked.tested)):
                raise ConfigError(f"the tested lengths of {name} are {asked.tested}; give them in ascending order")
        if not self.base.train.steps:
            raise ConfigError("the base of the study has no config.train.steps; set it, since examples never run out")
        for label, fields in self.layers.items():
            if {SIZE_FIELD, RATE_FIELD} & set(fields):
                raise ConfigError(f"the layer {label!r} sets its hidden size or learning rate, which the study does")
            trials.config_of(self._config(next(iter(self.tasks))), tuple(fields.items()), self.base.seed)

    def run(self, workdir: str | Path) -> str:
        """Trains what is missing, writes tables, picture and page, and returns the tables.

        Args:
          workdir: The folder of the study. No other process may use it.

        Raises:
          ConfigError: The study is inconsistent.
          UserError: The workdir is in use, or the disk is at fault.
        """
        self.check()
        workdir = Path(workdir)
        with lock_folder(workdir):
            plans = {task: self._plan(task) for task in self.tasks}
            missing = sum(self._runner(task, workdir).missing(_all(plan)) for task, plan in plans.items())
            total = sum(len(_all(plan)) for plan in plans.values())
            if missing:
                _log.info("%d of %d runs are to be trained", missing, total)
                with Progress(total, total - missing) as progress:
                    for task, plan in plans.items():
                        runner = self._runner(task, workdir)  # It reads what earlier ones have finished.
                        for own in plan.values():
                            runner.train(own, progress)
            else:
                _log.info("all %d runs of the study were finished; none was trained again", total)
            found = [self._result(task, plan, self._runner(task, workdir)) for task, plan in plans.items()]
            return write_memory(MemoryResult(self.weights, self.base.train.steps, self.seeds, found), workdir)

    def _config(self, task: str) -> Config:
        """The base with the pooling that a task's labels need."""
        config = configs.from_json(configs.to_json(self.base))
        config.train.epochs = 1
        config.model.pooling = "last" if self._corpora(task).train.token_labels is None else "every"
        return config

    def _corpora(self, task: str) -> Corpora:
        asked, train = self.tasks[task], self.base.train
        counts = (train.steps * train.batch_size, VALIDATED, self.tested)
        return _corpora_of(TASKS[task], asked.longest, counts, asked.tested, self.base.data.seed)

    def _runner(self, task: str, workdir: Path) -> Runner:
        return Runner({task: self._config(task)}, workdir, prepare=lambda _: self._corpora(task))

    def _plan(self, task: str) -> dict[str, list[Trial]]:
        """The runs of each layer on a task: every learning rate with every seed."""
        config, corpora, found = self._config(task), self._corpora(task), {}
        for label, fields in self.layers.items():
            size = hidden_size_for(self.weights, config, tuple(fields.items()), corpora)
            found[label] = [
                Trial(task, file_name(label), (*fields.items(), (SIZE_FIELD, size), (RATE_FIELD, rate)), seed, MEMORY)
                for rate in self.learning_rates
                for seed in range(self.base.seed, self.base.seed + self.seeds)
            ]
            count = number_of_weights(trials.config_of(config, found[label][0].changes, self.base.seed), corpora)
            _log.info("%s: %s has %s units and %s weights", task, label, f"{size:,}", f"{count:,}")
        return found

    def _result(self, task: str, plan: Mapping[str, list[Trial]], runner: Runner) -> TaskResult:
        asked = self.tasks[task]
        runs = [_run(label, trial, asked.tested, runner) for label, planned in plan.items() for trial in planned]
        chance = _chance(self._corpora(task).test)
        return TaskResult(task, TASKS[task].unit, asked.longest, asked.tested, chance, runs)


@functools.lru_cache(maxsize=8)
def _corpora_of(
    task: MemoryTask, longest: int, counts: tuple[int, int, int], tested: tuple[int, ...], seed: int
) -> Corpora:
    return task_corpora(task, longest, counts, tested, seed)


def _all(plan: Mapping[str, list[Trial]]) -> list[Trial]:
    return [trial for planned in plan.values() for trial in planned]


def number_of_weights(config: Config, corpora: Corpora) -> int:
    """The number of trained weights of a network."""
    model = classifier(config, corpora)
    variables = jax.eval_shape(lambda: first_weights(model, {}, jnp.uint32(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def hidden_size_for(weights: int, config: Config, fields: Changes, corpora: Corpora) -> int:
    """The hidden size with which a network's number of weights is nearest to ``weights``.

    Args:
      weights: The wanted number.
      config: The config besides the layers.
      fields: The fields that make the layers.
      corpora: The data, whose vocabulary and classes the network has.
    """

    @functools.cache
    def count(size: int) -> int:
        return number_of_weights(trials.config_of(config, (*fields, (SIZE_FIELD, size)), config.seed), corpora)

    high = 2
    while count(high) < weights:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < weights else (low, middle)
    return min(low, high, key=lambda size: abs(count(size) - weights))


def _run(label: str, trial: Trial, tested: tuple[int, ...], runner: Runner) -> MemoryRun:
    key, finished = runner.key(trial), runner[trial]
    summary = runner.store.read(key, "summary.json")
    rows = [row for row in runner.store.read(key, "lengths.json") if row["lane"] == finished.lane]
    of_length = dict(zip(tested, (row["accuracy"] for row in rows), strict=True))  # Both are in ascending order.
    changes = dict(trial.changes)
    return MemoryRun(
        layer=label,
        hidden_size=changes[SIZE_FIELD],
        weights=summary["parameters"],
        learning_rate=changes[RATE_FIELD],
        seed=trial.seed,
        status=finished.status,
        validation=finished.best_validation_accuracy,
        accuracies=of_length,
        seconds=summary["train_seconds"] / len(summary["lanes"]),
    )


def _chance(examples: FlatCorpus) -> list[float]:
    """The accuracy of the best constant answer for each length, in ascending order."""
    counts, found = lengths(examples), []
    for tokens in np.unique(counts):
        own = counts == tokens
        labels = examples.labels[own]
        if examples.token_labels is not None:
            labels = examples.token_labels[np.repeat(own, counts)]
        found.append(float(np.bincount(labels[labels >= 0]).max() / np.count_nonzero(labels >= 0)))
    return found
