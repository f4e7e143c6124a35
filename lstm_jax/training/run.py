"""One training run in its workdir, from a config to a summary: the loop with one lane."""

import contextlib
import dataclasses
import json
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import STARTED, runtime
from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.data import corpus
from lstm_jax.data.batching import steps_per_epoch
from lstm_jax.data.cache import renewing
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.sources.download import downloaded
from lstm_jax.data.summary import SplitSummary, summarize, warnings
from lstm_jax.data.tokenizer import write_tokenizer
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.reports import plots, tables
from lstm_jax.stages import stage
from lstm_jax.training.checkpoints import Checkpoint, Checkpoints
from lstm_jax.training.continued import continued_state, takes_optimizer
from lstm_jax.training.experiment import evaluated_variables, experiment
from lstm_jax.training.feed import make_feed
from lstm_jax.training.lanes import Program, make_mesh
from lstm_jax.training.logging import ProgressCallback, Startup, read_metrics
from lstm_jax.training.loop import Loop, make_loop, run_loop
from lstm_jax.training.loop_state import LaneState, LoopState
from lstm_jax.training.network import classifier, parts_of
from lstm_jax.training.trackers import TrackedLane, check_installed
from lstm_jax.training.warm_start import transfer
from lstm_jax.training.workdir import (
    Lane,
    Workdir,
    git_commit,
    lanes_of,
    read_json,
    versions,
    write_digests,
    write_json,
)

_log = logging.getLogger(__name__)

DRAW_SECONDS = 5  # Least time between two drawings of the curves.
DRAW_SHARE = 0.05  # Largest share of the time that is spent on drawing them.


def train_lanes(
    config: Config,
    workdir: str | Path,
    lanes: list[Lane] | None = None,
    corpora: Corpora | None = None,
    follow: ProgressCallback | None = None,
    started: float = STARTED,
) -> dict[str, Any]:
    """Trains a config in a workdir, or resumes the run there, and returns the run's summary.

    A finished run is left unchanged. docs/workdirs.md lists the files that a workdir holds.

    Args:
      config: The config, validated.
      workdir: Folder of the run, created if needed. It must not belong to another config.
      lanes: Lanes to train side by side; by default those that the config asks for.
      corpora: The config's examples, if they are already prepared.
      follow: Callback that shows the progress. The run itself then prints and plots nothing.
      started: The value of ``time.perf_counter`` from which the time to the first step counts.

    Raises:
      UserError: The data are invalid, or the workdir or the disk cannot be used.
    """
    startup = Startup(started)
    lanes = lanes or lanes_of(config)
    with Workdir(workdir, config, lanes) as place, renewing(config.data.rebuild):
        summary = place.summary()
        if summary is not None and summary["status"] != "interrupted":
            if not follow:
                _log.info("the run in %s has ended before; nothing was trained", workdir)
            return summary
        if not follow:
            check_installed(config.train.tracker)
        if corpora is None:
            corpora = corpus.prepare(config.data)
            _log.info("the examples are ready %.1f s after the start", startup.examples_ready())
        return _train(config, lanes, corpora, place, follow, startup)


def _train(
    config: Config,
    lanes: list[Lane],
    corpora: Corpora,
    place: Workdir,
    follow: ProgressCallback | None,
    startup: Startup,
) -> dict[str, Any]:
    path, checkpoints = place.path, Checkpoints(place.path)
    if place.claimed:
        _check_examples(corpora, path)
    loop = assemble(config, corpora, lanes)
    first = first_checkpoint(loop.program, config, lanes, corpora if checkpoints.is_empty else None)
    with stage("loading the last checkpoint"):
        checkpoint = checkpoints.restore(first) or first
    parameters = sum(leaf.size // len(lanes) for leaf in jax.tree.leaves(checkpoint.state.params))
    splits = summarize(corpora)
    if not follow:
        _log.info("%s", tables.splits({split: own._asdict() for split, own in splits.items()}))
        for warning in warnings(splits):
            _log.warning("%s", warning)
        _log.info("%s", tables.summary(parts_of(config, corpora, checkpoint.state.params, checkpoint.state.frozen)))
        _log.info("training on %s", runtime.machine())
        _log.info("%d steps, examples padded to %s tokens", loop.total_steps, ", ".join(map(str, loop.buckets)))
        for entry in configs.lost_entries(config):
            _log.warning(
                "later commands cannot load the %s; move it into a file that --config.plugins names",
                entry,
            )
    _write_data(config, corpora, splits, path)
    place.claim(config, lanes)
    loop_state, status = LoopState.from_json(checkpoint.loop_state), "interrupted"
    for change in place.enter_environment(loop_state.step):
        _log.warning("%s, so the last bits of this run may differ from those of an uninterrupted one", change)
    if loop_state.step and not follow:
        _log.warning("resuming from step %d", loop_state.step)
    timed = None if follow else startup
    tracked = [] if follow else _tracked(config, len(lanes), path, loop_state.step + 1)
    try:
        pictures = Pictures(path, config.train.best_by)
        draw = (lambda: None) if follow else pictures.renew
        run_loop(loop, checkpoint.state, checkpoint.best, loop_state, checkpoints, path, follow, timed, tracked, draw)
        with stage("writing the last checkpoint"):
            checkpoints.finish()
        if not follow:
            with stage("drawing the curves"):
                pictures.draw()
        status = "done" if all(lane.diverged_at is None for lane in loop_state.lanes) else "diverged"
    except BaseException:
        with contextlib.suppress(Exception):  # Lets a pending write finish. The first error is the one to report.
            checkpoints.finish()
        raise
    finally:
        summary = _summary(status, loop_state, loop, parameters) | {"environments": place.environments()}
        summary |= {"startup": startup.seconds} if timed else {}
        write_json(path / "summary.json", summary)
    return summary


class Pictures:
    """The pictures of a run's curves, drawn again while it trains."""

    def __init__(self, workdir: Path, best_by: str) -> None:
        self._workdir, self._best_by = workdir, best_by
        self._next = time.monotonic() + DRAW_SECONDS

    def renew(self) -> None:
        """Draws the curves so far, unless that was done just before, so that drawing takes little of the time."""
        began = time.monotonic()
        if began >= self._next:
            self.draw()
            took = time.monotonic() - began
            self._next = began + took + max(DRAW_SECONDS, took / DRAW_SHARE)

    def draw(self) -> None:
        """Draws the curves so far."""
        rows, folder = read_metrics(self._workdir / "metrics.jsonl"), self._workdir / "plots"
        if not rows:  # A checkpoint may be written before the first row.
            return
        plots.draw_curves(rows, self._best_by, folder)
        plots.draw_epochs(rows, folder / "loss-epochs.png")


def _tracked(config: Config, lanes: int, path: Path, first_step: int) -> list[TrackedLane]:
    values = json.loads(configs.to_json(config))
    names = [f"lane{n}" for n in range(lanes)] if lanes > 1 else [""]
    return [TrackedLane(path, name, values, first_step) for name in names]


def assemble(config: Config, corpora: Corpora, lanes: list[Lane]) -> Loop:
    """The loop of a stack of lanes: program, corpora and number of steps.

    Args:
      config: The config that the lanes share.
      corpora: The examples.
      lanes: Seeds of the lanes, and hyper-parameters that differ from the config.
    """
    _check_parts(config, [lane.hparams(config) for lane in lanes])
    total_steps = total_steps_of(config, corpora)
    mesh = make_mesh(len(lanes), config.train.batch_size, config.train.devices)
    per_epoch = steps_per_epoch(len(corpora.train.labels), config.train.batch_size)
    functions = experiment(config, classifier(config, corpora), total_steps, "data", per_epoch)
    program = Program(functions, mesh, config.train.lane_map)
    train_feed, validation_feed = make_feed(corpora.train, mesh), make_feed(corpora.validation, mesh)
    name = partial(configs.epoch_name, config) if config.train.keep_epochs else None
    return make_loop(program, config.train, train_feed, validation_feed, total_steps, name)


def total_steps_of(config: Config, corpora: Corpora) -> int:
    """The number of steps of a run."""
    per_epoch = steps_per_epoch(len(corpora.train.labels), config.train.batch_size)
    return config.train.steps or config.train.epochs * per_epoch


def first_checkpoint(program: Program, config: Config, lanes: list[Lane], corpora: Corpora | None = None) -> Checkpoint:
    """The checkpoint at step 0 of a stack of lanes.

    Args:
      program: The compiled functions of the lanes.
      config: The config that the lanes share.
      lanes: Seeds of the lanes, and hyper-parameters that differ from the config.
      corpora: The examples, whose vocabulary is needed to load the weights of ``config.model.init_from``.
        Without them the weights are newly initialised.
    """
    seeds, hparams = np.array([lane.seed for lane in lanes]), [lane.hparams(config) for lane in lanes]
    variables = program.weights(seeds)
    if config.model.init_from and corpora is not None and not takes_optimizer(config):
        variables = transfer(variables, corpora.tokenizer, corpora.classes, config.model)
    stacked = {path: jnp.array([lane[path] for lane in hparams], jnp.float32) for path in hparams[0]}
    state = program.begin(seeds, stacked, variables)
    if corpora is not None and takes_optimizer(config):
        state = continued_state(state, corpora, config, total_steps_of(config, corpora))
    best = jax.tree.map(jnp.copy, evaluated_variables(state)["params"])
    return Checkpoint(state, best, LoopState([LaneState(lane.seed) for lane in lanes]).to_json())


def _check_parts(config: Config, hparams: list[dict[str, float]]) -> None:
    known = configs.hparams(config)
    for path in sorted({path for lane in hparams for path in lane} - set(known)):
        raise ConfigError(
            f"a lane changes {path!r}, which is not a traced hyper-parameter; those are {', '.join(known)}"
        )
    for lane in hparams:
        for path, shared in configs.hparams(config).items():
            left_out = configs.is_off(config, path, shared)
            if left_out != configs.is_off(config, path, lane[path]):
                raise ConfigError(
                    f"a lane has {path} = {lane[path]} and the config has {shared}: one of them leaves that part out "
                    "of the program, so they cannot share it; give all lanes a value that does not"
                )


def _check_examples(corpora: Corpora, path: Path) -> None:
    facts = read_json(path / "data.json", dict)
    if facts["fingerprint"] != corpus.corpora_fingerprint(corpora):
        raise UserError(
            f"the reviews or their vocabulary have changed since the run in {path} began, so it cannot be resumed; "
            "restore them, or use a new --workdir"
        )


def _write_data(config: Config, corpora: Corpora, splits: dict[str, SplitSummary], path: Path) -> None:
    facts = {
        "classes": corpora.classes.names,
        "labels": corpora.classes.labels,
        "splits": {split: own._asdict() for split, own in splits.items()},
        "left_out": corpora.left_out,
        "fingerprint": corpus.corpora_fingerprint(corpora),
        **({"download": downloaded(config.data)[1]} if config.data.url else {}),
    }
    write_tokenizer(corpora.tokenizer, path / "tokenizer.json")
    write_digests(path, corpora.digests)
    write_json(path / "data.json", facts)


def _summary(status: str, loop_state: LoopState, loop: Loop, parameters: int) -> dict[str, Any]:
    lane = loop_state.best_lane
    diverged = [lane.diverged_at for lane in loop_state.lanes if lane.diverged_at is not None]
    steps = min(diverged, default=loop_state.step)
    return {
        "status": status,
        "best_validation_accuracy": lane.best_accuracy if lane.best_step else None,
        "best_validation_loss": lane.best_loss,
        "best_step": lane.best_step,
        "steps": steps,
        "epochs": steps / loop.per_epoch,
        "train_seconds": round(loop_state.train_seconds, 3),
        "compile_seconds": round(loop_state.compile_seconds, 3),
        "parameters": parameters,
        "lanes": [dataclasses.asdict(lane) for lane in loop_state.lanes],
        "git_commit": git_commit(),
        "versions": versions(),
    }


def raise_if_diverged(summary: dict[str, Any], workdir: str | Path) -> None:
    """Checks that a run did not diverge.

    Raises:
      UserError: The run diverged.
    """
    if summary["status"] == "diverged":
        raise UserError(
            f"the run in {workdir} diverged at step {summary['steps']}: its loss or gradient was NaN or infinite. "
            "Lower config.optimizer.learning_rate or set config.optimizer.clip_norm, with a new --workdir"
        )
