"""The published systems, as published and improved: one table of their accuracies here."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.config import Config
from lstm_jax.data import corpus
from lstm_jax.errors import UserError
from lstm_jax.evaluation.baselines import bag_of_words_baselines, leaking_baseline, linear_baselines
from lstm_jax.files import lock_folder, write_text
from lstm_jax.reports import tables
from lstm_jax.studies import trials
from lstm_jax.studies.runner import Runner
from lstm_jax.studies.stacks import Stack
from lstm_jax.studies.trials import SYSTEM, Trial
from lstm_jax.training.workdir import write_json

SYSTEM_SEEDS = 3  # Number of seeds of a system whose epoch takes less than SHORT seconds. A slower one has 1.
SHORT = 60.0
SYSTEM_COLUMNS = (
    *("system", "data", "variant", "published", "test accuracy here"),
    *("trained on", "tested on", "trained weights", "seconds an epoch"),
)


@dataclasses.dataclass
class System:
    """One config under several variants; see the files of ``configs``."""

    letter: str
    name: str  # The name of its config and of its folders.
    data: str  # The data in words, for the table.
    variants: dict[str, Config]  # Config by variant.
    baselines: bool = False  # Whether to evaluate the bag-of-words and the linear baselines.
    leaking: bool = False  # Whether to evaluate the baseline that is fitted on the test split too.


@dataclasses.dataclass
class SystemResult:
    """What a variant of a system reached on the test split."""

    accuracies: list[float]  # Test accuracy by seed.
    epoch_seconds: float  # Median over the seeds, with validation and without compiling.
    parameters: int
    examples: dict[str, int]  # The number of examples by split.
    baselines: dict[str, float]  # Accuracy by name.


@dataclasses.dataclass
class Systems:
    """The study of all systems. Every run has its own folder, and a finished run is not trained again."""

    systems: tuple[System, ...]

    def run(self, workdir: Path) -> str:
        """Trains and tests what is missing, writes ``table.md`` and returns that table.

        Raises:
          UserError: A run diverged, the workdir is in use, or the data or the disk is at fault.
        """
        rows: list[Sequence[str]] = [SYSTEM_COLUMNS]
        with lock_folder(workdir):
            for system in self.systems:
                for variant, config in system.variants.items():
                    rows += _rows(system, variant, config, _result(system, variant, config, workdir))
                    write_text(workdir / "table.md", tables.markdown(rows) + "\n")
        return tables.markdown(rows) + "\n"


def repetition(label: str, config: Config, n: int, runner: Runner) -> Stack:
    """The stack of repetition ``n``: one lane, or the lanes of an ensemble. No two lanes share a seed."""
    first = config.seed + n * config.ensemble
    planned = [Trial(label, f"seed{first}", (), first + k, SYSTEM) for k in range(config.ensemble)]
    keys = [runner.key(trial) for trial in planned]
    return Stack(trials.config_of(config, (), first), planned, keys, f"{label}/seed{first}")


def _result(system: System, variant: str, config: Config, workdir: Path) -> SystemResult:
    label = f"{system.name}/{variant}"
    runner = Runner({label: config}, workdir)
    accuracies: list[float] = []
    seconds: list[float] = []
    for n in range(SYSTEM_SEEDS):
        stack = repetition(label, config, n, runner)
        runner.train_stack(stack)
        summary = runner.store.read(stack.keys[0], "summary.json")
        if summary["status"] == "diverged":
            raise UserError(f"{workdir / stack.folder} diverged; lower its config.optimizer.learning_rate")
        accuracies.append(runner.store.read(stack.keys[0], "eval-test.json")["accuracy"])
        seconds.append(summary["train_seconds"] / summary["epochs"])
        if seconds[0] >= SHORT:
            break
    splits = runner.store.read(stack.keys[0], "data.json")["splits"]
    examples = {split: own["examples"] for split, own in splits.items()}
    baselines = _baselines(system, config, runner, workdir / label / "baselines.json") if system.baselines else {}
    return SystemResult(accuracies, float(np.median(seconds)), summary["parameters"], examples, baselines)


def _baselines(system: System, config: Config, runner: Runner, file: Path) -> dict[str, float]:
    if not file.exists():
        corpora = runner.corpora(config)
        found = bag_of_words_baselines(corpora, corpora.test)
        found |= linear_baselines(config.data, corpus.rows_of(config.data, "test"))
        write_json(file, found | (leaking_baseline(config.data, "test") if system.leaking else {}))
    return json.loads(file.read_text(encoding="utf-8"))


def _rows(system: System, variant: str, config: Config, result: SystemResult) -> list[list[str]]:
    """The row of a variant, and one row per baseline."""
    leaks = " (labels leak)" if config.data.vectors.fit_on == "all" else ""
    published = f"{config.reference_accuracy:.2%}{leaks}" if config.reference_accuracy else "–"
    accuracy = f"{tables.mean_and_deviation(result.accuracies)} %{leaks}"
    counts = [f"{result.examples['train']:,}", f"{result.examples['test']:,}", f"{result.parameters:,}"]
    first = [f"{system.letter} `{system.name}`", system.data, variant, published, accuracy, *counts]
    baselines = [(f"{variant}: {name}", f"{share:.2%}") for name, share in result.baselines.items()]
    return [
        [*first, f"{result.epoch_seconds:.1f}"],
        *(["", "", name, "", share, "", "", "", ""] for name, share in baselines),
    ]
