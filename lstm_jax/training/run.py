"""One training run in its workdir, from a config to a summary: the loop with one lane."""

import contextlib
import dataclasses
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.data import corpus
from lstm_jax.data.batching import steps_per_epoch
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.examples import class_names
from lstm_jax.data.tokenizer import write_tokenizer
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.reports import plots, tables
from lstm_jax.training import journal
from lstm_jax.training import loop as loops
from lstm_jax.training import warm_start as transfer
from lstm_jax.training.checkpoints import Checkpoint, Checkpoints
from lstm_jax.training.experiment import evaluated_params, experiment
from lstm_jax.training.feed import make_feed
from lstm_jax.training.gradient_chain import optimizer
from lstm_jax.training.journal import Follow
from lstm_jax.training.lanes import Program, make_mesh
from lstm_jax.training.loop import Loop
from lstm_jax.training.loop_state import LaneNotes, Notes
from lstm_jax.training.network import classifier
from lstm_jax.training.startup import Startup
from lstm_jax.training.workdir import Lane, Workdir, git_commit, lanes_of, versions, write_json

log = logging.getLogger(__name__)


def train(
    config: Config,
    workdir: str | Path,
    lanes: list[Lane] | None = None,
    corpora: Corpora | None = None,
    follow: Follow | None = None,
) -> dict[str, Any]:
    """Trains the run of a config, or goes on with it, and returns its summary.

    A finished run is left alone. See README for the files that a workdir holds.

    Args:
      config: validated.
      workdir: made if need be; it must not belong to another config.
      lanes: trained side by side; without them those that the config asks for.
      corpora: its reviews, where they are prepared already.
      follow: shows the progress; then the run itself prints and draws nothing.

    Raises:
      UserError: the data, the workdir or the disk is at fault.
    """
    startup = Startup()
    lanes = lanes or lanes_of(config)
    with Workdir(workdir, config, lanes) as place:
        summary = place.summary()
        if summary is not None and summary["status"] != "interrupted":
            return summary
        if corpora is None:
            corpora = corpus.prepare(config.data)
            log.info("%s reviews are ready %.1f s after the start", _counts(corpora), startup.reviews_ready())
        return _train(config, lanes, corpora, place, follow, startup)


def _train(
    config: Config, lanes: list[Lane], corpora: Corpora, place: Workdir, follow: Follow | None, startup: Startup
) -> dict[str, Any]:
    path, checkpoints = place.path, Checkpoints(place.path)
    if place.claimed:
        _check_reviews(corpora, path)
    loop, first = assemble(config, corpora, lanes)
    checkpoint = checkpoints.restore(first) or begin(config, corpora, first)
    parameters = sum(leaf.size // len(lanes) for leaf in jax.tree.leaves(checkpoint.state.params))
    if not follow:
        log.info("%s", tables.summary(checkpoint.state.params, checkpoint.state.frozen))
        log.info("%d steps, reviews padded to %s words", loop.total_steps, ", ".join(map(str, loop.buckets)))
    _write_data(corpora, path)
    place.claim(config, lanes)
    notes, status = Notes.from_json(checkpoint.notes), "interrupted"
    if notes.step and not follow:
        log.warning("going on from step %d", notes.step)
    told = None if follow else startup
    try:
        loops.run(loop, checkpoint.state, checkpoint.best, notes, checkpoints, path, follow, told)
        checkpoints.finish()
        if not follow:
            rows = journal.read(path / "metrics.jsonl")
            plots.curves(rows, _best_lane(notes).best_step, path / "plots")
            plots.epochs(rows, path / "plots" / "loss-epochs.png")
        status = "done" if all(lane.diverged_at is None for lane in notes.lanes) else "diverged"
    except BaseException:
        with contextlib.suppress(Exception):  # a write under way may end; the first error is the one to tell
            checkpoints.finish()
        raise
    finally:
        summary = _summary(status, notes, loop, parameters) | ({"startup": startup.seconds} if told else {})
        write_json(path / "summary.json", summary)
    return summary


def assemble(config: Config, corpora: Corpora, lanes: list[Lane]) -> tuple[Loop, Checkpoint]:
    """What ``loop.run`` needs for a stack of lanes, at step 0.

    Args:
      config: of all lanes, but for what they change.
      corpora: the reviews.
      lanes: their seeds and hyper-parameters.
    """
    hparams = [lane.hparams(config) for lane in lanes]
    _check_parts(config, hparams)
    total_steps = total_steps_of(config, corpora)
    mesh = make_mesh(len(lanes), config.train.batch_size, config.train.devices)
    functions = experiment(config, classifier(config, corpora), total_steps, data_axis="data")
    program = Program(functions, mesh, config.train.lane_map)
    train_feed, validation_feed = make_feed(corpora.train, mesh), make_feed(corpora.validation, mesh)
    name = partial(configs.epoch_name, config) if config.train.keep_epochs else None
    loop = loops.make_loop(program, config.train, train_feed, validation_feed, total_steps, name)
    return loop, fresh(program, [lane.seed for lane in lanes], hparams)


def total_steps_of(config: Config, corpora: Corpora) -> int:
    """The steps of a run."""
    per_epoch = steps_per_epoch(len(corpora.train.labels), config.train.batch_size)
    return config.train.steps or config.train.epochs * per_epoch


def begin(config: Config, corpora: Corpora, first: Checkpoint) -> Checkpoint:
    """Step 0 with the weights of another run where the config asks for them."""
    if not config.model.init_from:
        return first
    state = transfer.begin(first.state, corpora.tokenizer, Path(config.model.init_from), config.model.layer)
    # Some optimizers remember the weights that they began with.
    anew = jax.vmap(lambda hparams, params: optimizer(config.optimizer, hparams, total_steps=1).init(params))
    opt_state = jax.tree.map(
        lambda new, old: jax.device_put(new, old.sharding), anew(state.hparams, state.params), state.opt_state
    )
    state = state._replace(opt_state=opt_state)
    return first._replace(state=state, best=jax.tree.map(jnp.copy, evaluated_params(state)))


def _check_parts(config: Config, hparams: list[dict[str, float]]) -> None:
    known = configs.hparams(config)
    for path in sorted({path for lane in hparams for path in lane} - set(known)):
        raise ConfigError(f"a lane changes {path!r}, which is no traced hyper-parameter; those are {', '.join(known)}")
    for lane in hparams:
        for path, shared in configs.hparams(config).items():
            left_out = configs.is_off(config, path, shared)
            if left_out != configs.is_off(config, path, lane[path]):
                raise ConfigError(
                    f"a lane has {path} = {lane[path]} and the config has {shared}: one of them leaves that part out "
                    "of the program, so they cannot share it; give all lanes a value that does not"
                )


def fresh(program: Program, seeds: list[int], hparams: list[dict[str, float]]) -> Checkpoint:
    """Step 0 of a stack of lanes, one seed and one set of hyper-parameters each."""
    stacked = {path: jnp.array([lane[path] for lane in hparams], jnp.float32) for path in hparams[0]}
    state = program.init(np.array(seeds), stacked)
    best = jax.tree.map(jnp.copy, evaluated_params(state))
    return Checkpoint(state, best, Notes([LaneNotes(seed) for seed in seeds]).to_json())


def _check_reviews(corpora: Corpora, path: Path) -> None:
    facts = json.loads((path / "data.json").read_text(encoding="utf-8"))
    if facts["fingerprint"] != corpus.corpora_fingerprint(corpora):
        raise UserError(
            f"the reviews or their vocabulary have changed since the run in {path} began, so it cannot go on; "
            "restore them, or use a new --workdir"
        )


def _write_data(corpora: Corpora, path: Path) -> None:
    facts = {
        "classes": class_names(corpora.classes),
        "reviews": _counts(corpora),
        "fingerprint": corpus.corpora_fingerprint(corpora),
    }
    write_tokenizer(corpora.tokenizer, path / "tokenizer.json")
    write_json(path / "data.json", facts)


def _counts(corpora: Corpora) -> dict[str, int]:
    return {part: len(getattr(corpora, part).labels) for part in ("train", "validation", "test")}


def _best_lane(notes: Notes) -> LaneNotes:
    return max(notes.lanes, key=lambda lane: lane.best_accuracy)


def _summary(status: str, notes: Notes, loop: Loop, parameters: int) -> dict[str, Any]:
    lane = _best_lane(notes)
    steps = min((lane.diverged_at for lane in notes.lanes if lane.diverged_at is not None), default=notes.step)
    return {
        "status": status,
        "best_validation_accuracy": lane.best_accuracy if lane.best_step else None,
        "best_step": lane.best_step,
        "steps": steps,
        "epochs": steps / loop.per_epoch,
        "train_seconds": round(notes.train_seconds, 3),
        "compile_seconds": round(notes.compile_seconds, 3),
        "parameters": parameters,
        "lanes": [dataclasses.asdict(lane) for lane in notes.lanes],
        "git_commit": git_commit(),
        "versions": versions(),
    }


def check_finished(summary: dict[str, Any], workdir: str | Path) -> None:
    """Raises what a command should end with where training did not come to a good end.

    Raises:
      UserError: the run diverged.
    """
    if summary["status"] == "diverged":
        raise UserError(
            f"the run in {workdir} diverged at step {summary['steps']}: its loss or gradient was NaN or infinite. "
            "Lower config.optimizer.learning_rate or set config.optimizer.clip_norm, with a new --workdir"
        )
