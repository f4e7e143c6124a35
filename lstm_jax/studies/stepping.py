"""Calls of the compiled program by themselves, for whoever measures."""

from typing import Any

import jax

from lstm_jax.data.batching import Chunk
from lstm_jax.data.corpus import lengths
from lstm_jax.training.batch_schedule import lane_plan
from lstm_jax.training.feed import feed_arguments
from lstm_jax.training.loop import Loop
from lstm_jax.training.workdir import Lane


def first_epoch(loop: Loop, lanes: list[Lane]) -> list[Chunk]:
    """The calls of the first epoch."""
    return lane_plan(lengths(loop.train.host), loop.buckets, loop.config, [lane.seed for lane in lanes], epoch=0)


def longest_call(loop: Loop, lanes: list[Lane]) -> Chunk:
    """The call of most steps, and among those of most words, in the first epoch."""
    return max(first_epoch(loop, lanes), key=lambda call: (call.examples.shape[1], call.length))


def make(loop: Loop, state: Any, call: Chunk, times: int = 1) -> Any:
    """Makes the steps of a call, so many times, and waits for the last of them; the state after them."""
    for _ in range(times):
        corpus, feed = feed_arguments(loop.train, call.examples, call.length, loop.config.steps_per_call)
        state, metrics = loop.program.train(state, corpus, feed, call.examples.shape[1], call.length)
    jax.block_until_ready((state, metrics))
    return state
