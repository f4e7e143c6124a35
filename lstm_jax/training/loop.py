"""The host loop that trains a stack of lanes. One lane is a run; many lanes are a study.

The device works ahead: while one call runs, the next one's reviews are made ready and the last one's
metrics are fetched. Every call, and so every number written, follows from the config and the step alone,
which is what makes a resumed run equal to an uninterrupted one.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.config import TrainConfig
from lstm_jax.data.batching import bucket_lengths, evaluation_plan, steps_per_epoch
from lstm_jax.data.corpus import lengths
from lstm_jax.training.batch_schedule import Piece, first_alone, lane_plan, pieces
from lstm_jax.training.checkpoints import Checkpoint, Checkpoints
from lstm_jax.training.experiment import TrainState, evaluated_params, to_evaluate
from lstm_jax.training.feed import Feed, feed_arguments
from lstm_jax.training.journal import Follow, Journal
from lstm_jax.training.lanes import Program
from lstm_jax.training.loop_state import Notes
from lstm_jax.training.metrics import Metrics
from lstm_jax.training.record import Clock, Record
from lstm_jax.training.startup import Startup
from lstm_jax.types import Params


class Loop(NamedTuple):
    """What does not change while a stack of lanes trains."""

    program: Program
    config: TrainConfig
    train: Feed
    validation: Feed
    buckets: tuple[int, ...]
    per_epoch: int
    total_steps: int
    epoch_name: Callable[[int], str] | None  # of the weights kept of an epoch; ``None``: none are


def make_loop(
    program: Program,
    config: TrainConfig,
    train: Feed,
    validation: Feed,
    total_steps: int,
    epoch_name: Callable[[int], str] | None = None,
) -> Loop:
    """Chooses the buckets for the given corpora."""
    of = np.concatenate([lengths(train.host), lengths(validation.host)])
    per_epoch = steps_per_epoch(len(train.host.labels), config.batch_size)
    buckets = bucket_lengths(of, config.buckets)
    return Loop(program, config, train, validation, buckets, per_epoch, total_steps, epoch_name)


def run(
    loop: Loop,
    state: TrainState,
    best: Params,
    notes: Notes,
    checkpoints: Checkpoints,
    workdir: Path,
    follow: Follow | None = None,
    startup: Startup | None = None,
) -> tuple[TrainState, Params, Notes]:
    """Trains every lane from ``notes.step`` until the last step, its early stop or its divergence.

    Args:
      loop: program, corpora and schedule.
      state: of all lanes; donated.
      best: the best evaluated weights of all lanes so far; donated.
      notes: changed as the run goes.
      checkpoints: written after every validation.
      workdir: where the journal lies.
      follow: shows the progress in place of the journal.
      startup: told of the first step, which is made by itself then.
    """
    if not startup:
        checkpoints.open()
    config, clock = loop.config, Clock(loop.program, notes)
    plan = partial(lane_plan, lengths(loop.train.host), loop.buckets, config, [lane.seed for lane in notes.lanes])
    every = config.validate_every or loop.per_epoch
    with Journal(workdir, len(notes.lanes), notes.step, loop.total_steps, follow) as journal:
        record = Record(journal, notes, clock, config.log_every, loop.per_epoch)
        flying: tuple[Piece, Metrics] | None = None
        todo = pieces(plan, loop.per_epoch, notes.step, loop.total_steps, every)
        for piece in first_alone(todo) if startup else todo:
            if not any(lane.running for lane in notes.lanes):
                break
            corpus, feed = feed_arguments(loop.train, piece.reviews, piece.length, config.steps_per_call)
            before = time.perf_counter() - loop.program.compile_seconds
            state, metrics = loop.program.train(state, corpus, feed, piece.reviews.shape[1], piece.length)
            if startup:
                jax.block_until_ready(metrics)
                startup.first_step_done(loop.program, time.perf_counter() - loop.program.compile_seconds - before)
                startup = None
                with clock.aside():
                    checkpoints.open()
            if flying is not None:
                record.training(*flying)
            flying = piece, metrics
            if piece.validate:
                record.training(*flying)
                flying = None
                metrics = evaluate(loop.program, loop.validation, loop.buckets, config, to_evaluate(state))
                improved = record.validation(metrics, piece.last_step, config.patience)
                best = keep_best(jnp.asarray(improved), evaluated_params(state), best)
                notes.step = piece.last_step
                clock.note()
                if loop.epoch_name:
                    checkpoints.keep(loop.epoch_name(notes.step // loop.per_epoch), state)
                checkpoints.save(notes.step, Checkpoint(state, best, notes.to_json()))
                journal.send()
        journal.send()
        clock.note()
    return state, best, notes


def evaluate(program: Program, feed: Feed, buckets: tuple[int, ...], config: TrainConfig, state: TrainState) -> Metrics:
    """Metrics of all lanes ``[L]`` on any reviews; sums over calls are made in double precision."""
    flying = []
    for call in evaluation_plan(lengths(feed.host), buckets, config.batch_size, config.steps_per_call):
        corpus, rows = feed_arguments(feed, call.reviews, call.length, config.steps_per_call)
        flying.append(program.evaluate(state, corpus, rows, len(call.reviews), call.length))
    fetched = [jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), metrics) for metrics in flying]
    return jax.tree.map(lambda *leaves: sum(leaves), *fetched)


@partial(jax.jit, donate_argnums=2)
def keep_best(improved: jax.Array, new: Params, best: Params) -> Params:
    """The weights of ``new`` in the lanes that have ``improved[L]``, of ``best`` in the others."""
    return jax.tree.map(lambda n, b: jnp.where(improved.reshape(-1, *[1] * (n.ndim - 1)), n, b), new, best)
