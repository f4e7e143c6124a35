"""Made-up results of a study, for the tests of reports."""

import math

import numpy as np

from lstm_jax.studies import results, statistics
from lstm_jax.studies.plan import Tried, choose
from lstm_jax.studies.results import Entry, Result, RunRow
from lstm_jax.studies.store import DIVERGED, DONE, Finished
from lstm_jax.studies.trials import HELD_OUT, SEARCH, StudyStage, Trial

BEST = {"adam": 1e-3, "sgd": 1.0, "my_<b>adam": 1e-3, "lion": 1e-4}
STEPS = range(50, 401, 50)


def invented(
    task: str = "embedded reviews", target: float = 0.8, seeds: int = 10, names: tuple[str, ...] = tuple(BEST)
) -> tuple[Result, list[RunRow]]:
    """A result and the rows of its runs. The last learning rate of every optimizer diverges."""
    entries, rows = [], []
    for n, name in enumerate(names):
        rng = np.random.default_rng(n)
        tried = []
        for k in range(7):
            learning_rate = BEST[name] * 10 ** ((k - 3) / 2)
            level = 0.93 - 0.01 * n - 0.02 * (k - 3) ** 2
            setting = (("learning_rate", learning_rate),)
            runs = [_finished(f"{name}{k}{s}", level + rng.normal(0, 0.003), k == 6) for s in range(3)]
            tried.append(Tried(setting, runs))
            rows += [
                RunRow(_trial(task, name, s, SEARCH), setting, run, _curve(run, rng), target, 2.0)
                for s, run in enumerate(runs)
            ]
        best = choose(tried)
        held_out = [_finished(f"{name}f{s}", best.accuracy + rng.normal(0, 0.003), False, True) for s in range(seeds)]
        curves = [_curve(run, rng) for run in held_out]
        rows += [
            RunRow(_trial(task, name, 1000 + s, HELD_OUT), best.setting, run, curve, target, 2.0)
            for s, (run, curve) in enumerate(zip(held_out, curves, strict=True))
        ]
        test = statistics.bootstrap_interval([run.test_accuracy for run in held_out])
        steps = [results.steps_to(curve, target) for curve in curves]
        entries.append(Entry(name, tried, 0 if n else 1, True, best, held_out, curves, test, steps, 2.0 + n))
    return results.result(task, target, entries), rows


def _trial(task: str, name: str, seed: int, stage: StudyStage) -> Trial:
    return Trial(task, name, (("optimizer.name", name),), seed, stage)


def _finished(key: str, level: float, diverged: bool, tested: bool = False) -> Finished:
    status = DIVERGED if diverged else DONE
    return Finished(key, status, level, 400, None if diverged else 0.1, level - 0.01 if tested else None, "lanes/x", 0)


def _curve(run: Finished, rng: np.random.Generator) -> list[dict]:
    points = []
    for step in STEPS:
        accuracy = 0.5 + (run.best_validation_accuracy - 0.5) * (1 - math.exp(-step / 90)) + rng.normal(0, 0.004)
        for split in ("train", "validation"):
            row = {"step": step, "epoch": step / 200, "split": split, "loss": 1 - accuracy, "accuracy": accuracy}
            points.append(row)
    return points
