"""One field of a config over several values: test accuracy after each epoch, as a table and a picture."""

import copy
import csv
import dataclasses
import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config, validate
from lstm_jax.errors import ConfigError
from lstm_jax.evaluation.epochs import EpochFigures
from lstm_jax.files import write_text
from lstm_jax.reports import plots, tables
from lstm_jax.studies import arms
from lstm_jax.studies.arms import Arm
from lstm_jax.training.logging import read_metrics
from lstm_jax.training.workdir import Lane


class Outcome(NamedTuple):
    """What became of one value."""

    rows: list[EpochFigures]  # of the epochs before a lane diverged
    diverged: dict[int, int]  # seed → epoch in which its loss or gradient became NaN or infinite


@dataclasses.dataclass
class Grid:
    """A study of one field.

    Where the field is a traced hyper-parameter, all values and seeds are lanes of one program; otherwise each
    value is compiled by itself and its seeds are lanes.
    """

    base: Config
    field: str  # dotted path
    values: tuple[Any, ...]
    seeds: int = 1  # from the base's seed on

    def arms(self) -> list[Arm]:
        """The stacks of lanes to be trained.

        Raises:
          ConfigError: there is no such field, no value, or one that the field cannot have.
        """
        configs.check_path(f"config.{self.field}")
        if not self.values:
            raise ConfigError(f"the study of {self.field} has no values")
        each = [validate(_changed(self.base, self.field, value)) for value in self.values]
        seeds = range(self.base.seed, self.base.seed + self.seeds)
        if self.field in configs.hparams(self.base):
            lanes = tuple(Lane(seed, {self.field: float(value)}) for value in self.values for seed in seeds)
            return [Arm(self.field, copy.deepcopy(self.base), lanes)]
        own = tuple(Lane(seed, {}) for seed in seeds)
        return [Arm(f"{self.field}={value}", config, own) for value, config in zip(self.values, each, strict=True)]

    def run(self, workdir: Path) -> str:
        """Trains what is not trained yet and returns the table; writes it, ``runs.csv`` and pictures.

        These are the accuracy over epochs by value, and for each value the training loss of its first seed.
        """
        stacks = self.arms()
        summaries = [arms.train(arm, workdir) for arm in stacks]
        found = {value: Outcome([], {}) for value in self.values}
        for n, (arm, summary) in enumerate(zip(stacks, summaries, strict=True)):
            own = self.values[n : n + 1] if len(stacks) > 1 else self.values
            ends = _divergences(summary)
            for lane, epoch in ends.items():
                found[own[lane // self.seeds]].diverged[self.base.seed + lane % self.seeds] = epoch
            for row in arms.by_epoch(arm, workdir):
                if row.epoch < ends.get(row.lane, math.inf):
                    found[own[row.lane // self.seeds]].rows.append(row)
            losses = read_metrics(workdir / arm.name / "metrics.jsonl")
            for k, value in enumerate(own):
                plots.epochs(losses, workdir / f"loss-{value}.png", lane=k * self.seeds)
        table = self.table(found)
        write_text(workdir / "table.md", table)
        write_text(workdir / "runs.csv", self._csv(found))
        self._picture(found, workdir / "accuracy.png")
        return table

    def table(self, found: dict[Any, Outcome]) -> str:
        """Markdown: epochs down, values across, test accuracy as mean ± standard deviation over the seeds."""
        name = self.field.split(".")[-1].replace("_", " ")
        lines = ["| " + " | ".join([name, *map(str, self.values)]) + " |", "|" + "---|" * (len(self.values) + 1)]
        for epoch in range(1, self.base.train.epochs + 1):
            cells = [self._cell(outcome, epoch) for outcome in found.values()]
            lines.append("| " + " | ".join([f"epoch {epoch}", *cells]) + " |")
        return "\n".join(lines) + "\n"

    def _cell(self, outcome: Outcome, epoch: int) -> str:
        lost = sum(end <= epoch for end in outcome.diverged.values())
        if lost == self.seeds:
            return "diverged"
        text = tables.mean_and_deviation([row.accuracy for row in _of(outcome.rows, "test", epoch)])
        return f"{text} ({lost} of {self.seeds} diverged)" if lost else text

    def _csv(self, found: dict[Any, Outcome]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([self.field, "seed", "epoch", "split", "loss", "accuracy", "status"])
        for value, outcome in found.items():
            for row in outcome.rows:
                seed = self.base.seed + row.lane % self.seeds
                writer.writerow([value, seed, row.epoch, row.split, row.loss, row.accuracy, "ok"])
            for seed, epoch in outcome.diverged.items():
                writer.writerow([value, seed, epoch, "train", "", "", "diverged"])
        return text.getvalue()

    def _picture(self, found: dict[Any, Outcome], path: Path) -> None:
        drawn, axes = plots.figure(7, 4.2)
        for n, (value, outcome) in enumerate(found.items()):
            epochs = sorted({row.epoch for row in outcome.rows})
            means = [np.mean([r.accuracy for r in _of(outcome.rows, "test", epoch)]) for epoch in epochs]
            axes.plot(epochs, means, marker="o", color=plots.progress((n + 1) / len(found)), label=str(value))
        axes.set(xlabel="epoch", ylabel="accuracy on test reviews")
        axes.set_xticks(range(1, self.base.train.epochs + 1))
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, title=self.field, loc="center left", bbox_to_anchor=(1, 0.5))
        plots.save(drawn, path)


def _divergences(summary: dict[str, Any]) -> dict[int, int]:
    """Lane → the epoch, from 1, in which it diverged."""
    ends = {n: lane["diverged_at"] for n, lane in enumerate(summary["lanes"]) if lane["diverged_at"] is not None}
    return {n: math.ceil(step * summary["epochs"] / summary["steps"]) for n, step in ends.items()}


def _of(rows: list[EpochFigures], split: str, epoch: int) -> list[EpochFigures]:
    return [row for row in rows if row.split == split and row.epoch == epoch]


def _changed(base: Config, path: str, value: Any) -> Config:
    config = copy.deepcopy(base)
    configs.change(config, path, value)
    return config
