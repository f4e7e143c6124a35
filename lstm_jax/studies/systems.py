"""The published systems, as published and improved: one table of what they reach here."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from lstm_jax.config import Config
from lstm_jax.errors import UserError
from lstm_jax.evaluation.baselines import bag_of_words_baselines, leaking_baseline, linear_baseline
from lstm_jax.files import write_text
from lstm_jax.reports import tables
from lstm_jax.studies import arms
from lstm_jax.studies.arms import Arm
from lstm_jax.training.workdir import Lane, write_json

SEEDS = 3  # of a system whose epoch takes less than
SHORT = 60.0  # seconds
REVIEWS = ("trained on", "tested on")  # columns: numbers of reviews
COSTS = ("trained weights", "seconds an epoch")


@dataclasses.dataclass
class System:
    """One config under several variants; see the files of ``configs``."""

    letter: str
    name: str  # of its config, and of its folders
    data: str  # in words, for the table
    variants: dict[str, Config]  # column → config
    baselines: bool = False  # whether the counting and the linear baselines are of interest
    leaking: bool = False  # whether that is of interest too which is counted on the test reviews


@dataclasses.dataclass
class Result:
    """What a variant of a system reached on test reviews."""

    accuracies: list[float]  # one a seed
    epoch_seconds: float  # the median over the seeds, validation included and compiling aside
    parameters: int
    reviews: dict[str, int]  # of each part


@dataclasses.dataclass
class Systems:
    """The study of all systems. Every run lies in a folder of its own, and a finished one is not made again."""

    systems: tuple[System, ...]

    def run(self, workdir: Path) -> str:
        """Trains and tests what is not yet, and returns the table in Markdown; also written as ``table.md``."""
        columns = ("system", "data", "variant", "published", "test accuracy here", *REVIEWS, *COSTS)
        lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        for system in self.systems:
            for variant, config in system.variants.items():
                result = self._result(system, variant, config, workdir)
                leaks = " (labels leak)" if config.data.vectors.fit_on == "all" else ""
                published = f"{config.reference_accuracy:.2%}{leaks}" if config.reference_accuracy else "–"
                accuracy = f"{tables.mean_and_deviation(result.accuracies)} %{leaks}"
                lines.append(
                    f"| {system.letter} `{system.name}` | {system.data} | {variant} | {published} "
                    f"| {accuracy} | {result.reviews['train']:,} | {result.reviews['test']:,} "
                    f"| {result.parameters:,} | {result.epoch_seconds:.1f} |"
                )
                if system.baselines:
                    for name, share in self._baselines(system, variant, config, workdir).items():
                        lines.append(f"| | | {variant}: {name} | | {share:.2%} | | | | |")
                write_text(workdir / "table.md", "\n".join(lines) + "\n")
        return "\n".join(lines) + "\n"

    def _result(self, system: System, variant: str, config: Config, workdir: Path) -> Result:
        accuracies: list[float] = []
        seconds: list[float] = []
        parameters = 0
        for n in range(SEEDS):
            arm = _arm(system, variant, config, n)
            summary = arms.train(arm, workdir)
            if summary["status"] == "diverged":
                raise UserError(f"{workdir / arm.name} diverged; lower its config.optimizer.learning_rate")
            accuracies.append(arms.tested(arm, workdir).accuracy)
            seconds.append(summary["train_seconds"] / summary["epochs"])
            parameters = summary["parameters"]
            if seconds[0] >= SHORT:
                break
        facts = json.loads((workdir / arm.name / "data.json").read_text(encoding="utf-8"))
        return Result(accuracies, float(np.median(seconds)), parameters, facts["reviews"])

    def _baselines(self, system: System, variant: str, config: Config, workdir: Path) -> dict[str, float]:
        arm = _arm(system, variant, config, 0)
        file = workdir / arm.name / "baselines.json"
        if not file.exists():
            _, corpora = arms.loaded(arm, workdir)
            found = bag_of_words_baselines(corpora, "test") | linear_baseline(config.data, "test")
            write_json(file, found | (leaking_baseline(config.data, "test") if system.leaking else {}))
        return json.loads(file.read_text(encoding="utf-8"))


def _arm(system: System, variant: str, config: Config, n: int) -> Arm:
    """The repetition numbered ``n``; no two share a seed, ensembles neither."""
    first = config.seed + n * config.ensemble
    lanes = tuple(Lane(seed, {}) for seed in range(first, first + config.ensemble))
    return Arm(f"{system.name}/{variant}/seed{first}", config, lanes)
