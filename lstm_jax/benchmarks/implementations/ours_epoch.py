"""An epoch of training by this project's own loop, and the task that others are given to do the same."""

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lstm_jax import config as configs
from lstm_jax.benchmarks import epoch_task
from lstm_jax.benchmarks.epoch_task import Reviews, Task
from lstm_jax.config import validate
from lstm_jax.data import corpus
from lstm_jax.data import tokenizer as tokens
from lstm_jax.data.batching import Call, FlatCorpus, bucket_lengths, evaluation_plan, steps_per_epoch
from lstm_jax.runtime import machine
from lstm_jax.studies import stepping
from lstm_jax.training import loop as loops
from lstm_jax.training import run
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.experiment import TrainState, evaluated_params, to_evaluate
from lstm_jax.training.feed import Feed, make_feed
from lstm_jax.training.gradient_chain import schedule
from lstm_jax.training.lanes import make_mesh
from lstm_jax.training.loop_state import Notes
from lstm_jax.training.workdir import Lane
from lstm_jax.types import HostArray


class Epochs:
    """What a worker does for ``ours``."""

    def __init__(self, name: str) -> None:
        del name  # there is one of ours

    def prepare(self, config: str, folder: str, padding: str) -> dict[str, Any]:
        """Prepares the reviews, compiles all that an epoch runs, and writes the task for the others.

        Args:
          config: as JSON; ``train.steps`` are the most that an epoch is to have, 0 for all.
          folder: for the task.
          padding: that ``torch_padded`` is to use: front | end.
        """
        own = configs.from_json(config)
        corpora = corpus.prepare(own.data)
        whole = steps_per_epoch(len(corpora.train.labels), own.train.batch_size)
        own.train.epochs, own.train.steps = 1, min(own.train.steps or whole, whole)
        own.train.keep_epochs = ""  # nothing is kept, and steps could not be limited with it
        self._config, self._lane = validate(own), Lane(own.seed, {})
        self.loop, first = run.assemble(own, corpora, [self._lane])
        self._mesh = make_mesh(1, own.train.batch_size, own.train.devices)
        self._test = make_feed(corpora.test, self._mesh)
        self._calls = stepping.first_epoch(self.loop, [self._lane])
        task = self._task(corpora, first.state, padding)
        epoch_task.write(Path(folder), task)
        losses = self._first_losses(corpora.train, first.state, task)
        self._warm(first.state)
        return {
            "first_losses": losses,
            "device": machine(),
            "compile_seconds": self.loop.program.compile_seconds,
            "steps": self.loop.total_steps,
            "reviews": int((task.train.batches >= 0).sum()),
        }

    def epoch(self) -> dict[str, Any]:
        """Trains an epoch from the first weights, as ``train.py`` does; seconds of training, and with validation and
        checkpoints too."""
        first = run.fresh(self.loop.program, [self._lane.seed], [self._lane.hparams(self._config)])
        jax.block_until_ready(first.state)
        moments = []  # when the metrics of steps have come, the last step's before its weights are validated
        with tempfile.TemporaryDirectory() as folder:
            checkpoints, notes = Checkpoints(Path(folder)), Notes.from_json(first.notes)
            checkpoints.open()
            start = time.perf_counter()
            self.state, _, _ = loops.run(
                self.loop,
                first.state,
                first.best,
                notes,
                checkpoints,
                Path(folder),
                lambda step, steps: moments.append(time.perf_counter()),
            )
            checkpoints.finish()
            end = time.perf_counter()
        return {"train_seconds": moments[-1] - start, "epoch_seconds": end - start}

    def evaluate(self) -> dict[str, Any]:
        """The accuracy on test reviews of what the last epoch trained."""
        buckets = bucket_lengths(corpus.lengths(self._test.host), self._config.train.buckets)
        sums = loops.evaluate(self.loop.program, self._test, buckets, self._config.train, to_evaluate(self.state))
        return {"accuracy": float(sums.correct[0] / sums.reviews[0]), "reviews": int(sums.reviews[0])}

    def weights(self, state: TrainState) -> dict[str, HostArray]:
        """Weights that are evaluated, by path."""
        leaves, _ = jax.tree_util.tree_flatten_with_path({**evaluated_params(state), **state.frozen})
        return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf[0]) for path, leaf in leaves}

    def _task(self, corpora: corpus.Corpora, state: TrainState, padding: str) -> Task:
        config, loop = self._config, self.loop
        calls = [Call(call.length, call.reviews[0]) for call in self._calls]
        plans = {
            part: evaluation_plan(
                corpus.lengths(reviews), buckets, config.train.batch_size, config.train.steps_per_call
            )
            for part, reviews, buckets in (
                ("validation", corpora.validation, loop.buckets),
                ("test", corpora.test, bucket_lengths(corpus.lengths(corpora.test), config.train.buckets)),
            )
        }
        factor = schedule(config.optimizer, loop.total_steps)
        return Task(
            config=dataclasses.asdict(config),
            hparams=self._lane.hparams(config),
            unknown=tokens.unknown(corpora.tokenizer),
            platform=jax.default_backend(),
            padding=padding,
            factors=np.array([factor(step) for step in range(loop.total_steps)], np.float64),
            weights=self.weights(state),
            train=_reviews(corpora.train, calls, loop.total_steps),
            validation=_reviews(corpora.validation, plans["validation"]),
            test=_reviews(corpora.test, plans["test"]),
        )

    def _first_losses(self, reviews: FlatCorpus, state: TrainState, task: Task) -> dict[str, float]:
        """Of the first batch, without dropout, as it is read in buckets and as it is read padded."""
        rows, tokens_config = task.train.batches[:1], self._config.data.tokens
        alone = corpus.take(reviews, rows[rows >= 0])
        if task.padding == "front":
            alone = corpus.pad_left(alone, tokens_config.max_length)
        numbers = np.where(rows >= 0, np.cumsum(rows >= 0) - 1, rows).astype(np.int32)
        return {
            "bucketed": self._loss(state, self.loop.train, rows, int(task.train.lengths[0])),
            "padded": self._loss(state, make_feed(alone, self._mesh), numbers, tokens_config.max_length),
        }

    def _loss(self, state: TrainState, feed: Feed, rows: HostArray, length: int) -> float:
        given, reviews = loops.feed_arguments(feed, rows, length, self._config.train.steps_per_call)
        sums = self.loop.program.evaluate(to_evaluate(state), given, reviews, 1, length)
        return float(sums.loss[0] / sums.reviews[0])

    def _warm(self, state: TrainState) -> None:
        """Compiles what an epoch runs by running a call of every length, and a validation; the state is donated."""
        for call in {call.length: call for call in self._calls}.values():
            state = stepping.make(self.loop, state, call)
        loops.evaluate(
            self.loop.program, self.loop.validation, self.loop.buckets, self._config.train, to_evaluate(state)
        )


def _reviews(reviews: FlatCorpus, calls: list[Call], steps: int | None = None) -> Reviews:
    batches = np.concatenate([call.reviews for call in calls])
    lengths = np.concatenate([np.full(len(call.reviews), call.length) for call in calls])
    return Reviews(*reviews, batches[:steps], lengths[:steps])
