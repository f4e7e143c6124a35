"""Made-up results of a grid, for the tests of its reports."""

import itertools

from lstm_jax.studies.grid_results import GridResult, GridRun, GridSetting, grid_result
from lstm_jax.studies.settings import labels_of
from lstm_jax.studies.store import DIVERGED, DONE, Finished


def grid_run(seed=0, validation=0.9, test=0.8, diverged_at=None, key="", **others) -> GridRun:
    status = DONE if diverged_at is None else DIVERGED
    finished = Finished(key, status, validation, 8 if validation else 0, 0.1, test, "lanes/x", 0)
    values = {"parameters": 10, "seconds": 1.0, "curve": [], "epochs": [], "diverged_epoch": None} | others
    return GridRun(seed, finished, diverged_at, **values)


def grid_setting(changes, runs) -> GridSetting:
    named = [run._replace(finished=run.finished._replace(key=f"{changes}{run.seed}")) for run in runs]
    return GridSetting(tuple(changes.items()), named, 1.0)


def invented_grid(fields, accuracy=lambda *values: 0.9, seeds=2) -> GridResult:
    """A grid of all combinations; ``accuracy`` gives the validation accuracy of the first seed, None if it diverged."""
    settings = []
    for values in itertools.product(*fields.values()):
        level = accuracy(*values)
        runs = [
            grid_run(seed, diverged_at=3, validation=None) if level is None else grid_run(seed, level - 0.01 * seed)
            for seed in range(seeds)
        ]
        settings.append(grid_setting(dict(zip(fields, values, strict=True)), runs))
    return grid_result(labels_of(list(fields)), settings)
