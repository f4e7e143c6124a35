"""The host loop that trains a stack of lanes. One lane is a run; many lanes are a study.

Calls are asynchronous: while one runs on the device, the host prepares the next one's examples and fetches the last
one's sums. Every call, and so every number written, is determined by the config and the step alone, so a resumed run
equals an uninterrupted one.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.config import TrainConfig
from lstm_jax.data.batching import EMPTY, bucket_lengths, evaluation_plan, steps_per_epoch
from lstm_jax.data.flat_corpus import lengths
from lstm_jax.objectives.base import Sums
from lstm_jax.registry import TRACKERS
from lstm_jax.stages import stage
from lstm_jax.training.batch_schedule import ScheduledChunk, first_step_alone, lane_plan, scheduled_chunks
from lstm_jax.training.checkpoints import Checkpoint, Checkpoints
from lstm_jax.training.experiment import TrainState, evaluated_variables
from lstm_jax.training.feed import Feed, feed_arguments
from lstm_jax.training.lanes import Program
from lstm_jax.training.logging import ProgressCallback, RunLog, Startup
from lstm_jax.training.loop_state import Clock, LoopState
from lstm_jax.training.profile import Profile
from lstm_jax.training.recorder import HostSums, Recorder, fetched
from lstm_jax.training.trackers import TrackedLane
from lstm_jax.types import HostArray, Params


class Loop(NamedTuple):
    """What does not change while a stack of lanes trains.

    Attributes:
      program: The compiled functions.
      config: The group ``train`` of a config.
      train: The training examples.
      validation: The validation examples.
      buckets: Lengths that batches are padded to.
      per_epoch: Number of steps of an epoch.
      total_steps: Number of steps of the run.
      epoch_name: Function from an epoch to the name of its kept weights; ``None`` keeps none.
    """

    program: Program
    config: TrainConfig
    train: Feed
    validation: Feed
    buckets: tuple[int, ...]
    per_epoch: int
    total_steps: int
    epoch_name: Callable[[int], str] | None


def make_loop(
    program: Program,
    config: TrainConfig,
    train: Feed,
    validation: Feed,
    total_steps: int,
    epoch_name: Callable[[int], str] | None = None,
) -> Loop:
    """A Loop with buckets chosen for the given corpora."""
    of = np.concatenate([lengths(train.host), lengths(validation.host)])
    per_epoch = steps_per_epoch(len(train.host.labels), config.batch_size)
    buckets = bucket_lengths(of, config.buckets)
    return Loop(program, config, train, validation, buckets, per_epoch, total_steps, epoch_name)


def run_loop(
    loop: Loop,
    state: TrainState,
    best: Params,
    loop_state: LoopState,
    checkpoints: Checkpoints,
    workdir: Path,
    follow: ProgressCallback | None = None,
    startup: Startup | None = None,
    tracked: Sequence[TrackedLane] = (),
    draw: Callable[[], object] = lambda: None,
) -> tuple[TrainState, Params, LoopState]:
    """Trains every lane from ``loop_state.step`` until the last step, its early stop or its divergence.

    Args:
      loop: Program, corpora and schedule.
      state: The state of all lanes; donated.
      best: The best evaluated weights of all lanes so far; donated.
      loop_state: The state of the loop, which is updated in place.
      checkpoints: The checkpoints, written after every validation and every ``config.checkpoint_seconds``.
      workdir: Folder of the run's log.
      follow: Callback that shows the progress instead of the terminal.
      startup: Records the time of the first step, which is then made in its own call.
      tracked: The lanes, for the tracker; without any there is none.
      draw: Called after every checkpoint, to renew pictures. Its time does not count as training.

    Returns:
      The final ``state``, ``best`` and ``loop_state``.
    """
    if not startup:
        checkpoints.open()
    config, clock = loop.config, Clock(loop.program, loop_state)
    seeds = [lane.seed for lane in loop_state.lanes]
    plan = partial(lane_plan, lengths(loop.train.host), loop.buckets, config, seeds)
    every = config.validate_every or loop.per_epoch
    run_log = RunLog(workdir, loop_state.step, loop.total_steps, clock, TRACKERS[config.tracker], list(tracked), follow)
    with run_log, Profile(config.profile_steps, workdir / "profile") as profile:
        recorder = Recorder(run_log, loop_state, clock, config.log_every, loop.per_epoch)
        save = partial(_save, checkpoints, loop_state, clock, recorder)
        in_flight: tuple[ScheduledChunk, Sums] | None = None
        chunks = scheduled_chunks(plan, loop.per_epoch, loop_state.step, loop.total_steps, every, profile.steps)
        saved_at = time.monotonic()
        for chunk in first_step_alone(chunks) if startup else chunks:
            if not any(lane.running for lane in loop_state.lanes):
                if checkpoints.is_empty:  # Every lane has diverged before the first one.
                    save(state, best, chunk.first_step)
                break
            corpus, feed = feed_arguments(loop.train, chunk.examples, chunk.length, config.steps_per_call)
            profile.before(chunk.first_step)
            before = time.perf_counter() - loop.program.compile_seconds
            state, sums = loop.program.train(state, corpus, feed, chunk.examples.shape[1], chunk.length)
            if startup:
                jax.block_until_ready(sums)
                startup.first_step_done(loop.program, time.perf_counter() - loop.program.compile_seconds - before)
                startup = None
                with clock.paused():
                    checkpoints.open()
            profile.after(chunk.last_step, sums)
            if in_flight is not None:
                recorder.training(*in_flight)
            in_flight = chunk, sums
            due = 0 < config.checkpoint_seconds <= time.monotonic() - saved_at
            if not (chunk.validate or due):
                continue
            recorder.training(*in_flight)
            in_flight = None
            if chunk.validate:
                best = _validate(loop, state, best, recorder, chunk.last_step)
                if loop.epoch_name:
                    checkpoints.keep(loop.epoch_name(chunk.last_step // loop.per_epoch), state)
            save(state, best, chunk.last_step)
            with clock.paused():
                run_log.send()
                draw()
            saved_at = time.monotonic()
        run_log.send()
        clock.save()
    return state, best, loop_state


def _save(
    checkpoints: Checkpoints,
    loop_state: LoopState,
    clock: Clock,
    recorder: Recorder,
    state: TrainState,
    best: Params,
    step: int,
) -> None:
    """Writes a checkpoint after ``step`` steps."""
    loop_state.step = step
    clock.save()
    recorder.save()
    checkpoints.save(step, Checkpoint(state, best, loop_state.to_json()))


def _validate(loop: Loop, state: TrainState, best: Params, recorder: Recorder, step: int) -> Params:
    """Validates all lanes; returns the best weights so far."""
    variables = evaluated_variables(state)
    with stage("validating"):
        sums = evaluate_corpus(loop.program, loop.validation, loop.buckets, loop.config, variables)
    improved = recorder.validation(sums, step, loop.config.patience, loop.config.best_by)
    return keep_best(jnp.asarray(improved), variables["params"], best)


def evaluate_corpus(
    program: Program,
    feed: Feed,
    buckets: tuple[int, ...],
    config: TrainConfig,
    variables: Params,
    rows: HostArray | None = None,
) -> HostSums:
    """Sums ``[L]`` over a corpus, or its examples ``rows``, for all lanes, added up over calls in double precision."""
    in_flight, of = [], lengths(feed.host)
    rows = np.arange(len(of)) if rows is None else rows
    for chunk in evaluation_plan(of[rows], buckets, config.batch_size, config.steps_per_call):
        numbers = np.where(chunk.examples >= 0, rows[chunk.examples], EMPTY).astype(np.int32)
        corpus, examples = feed_arguments(feed, numbers, chunk.length, config.steps_per_call)
        in_flight.append(program.evaluate(variables, corpus, examples, len(chunk.examples), chunk.length))
    all_calls = [fetched(sums) for sums in in_flight]
    return {name: reduce(np.add, [sums[name] for sums in all_calls]) for name in all_calls[0]}


@partial(jax.jit, donate_argnums=2)
def keep_best(improved: jax.Array, new: Params, best: Params) -> Params:
    """The weights of ``new`` in the lanes that have ``improved[L]``, those of ``best`` in the others."""
    return jax.tree.map(lambda n, b: jnp.where(improved.reshape(-1, *[1] * (n.ndim - 1)), n, b), new, best)
