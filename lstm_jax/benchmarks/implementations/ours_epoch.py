"""An epoch of training by lstm_jax's loop, which also writes the task from which the others train the same epoch."""

import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lstm_jax import config as configs
from lstm_jax import runtime
from lstm_jax.benchmarks.implementations import epoch_task
from lstm_jax.benchmarks.implementations.epoch_task import Batches, EpochTask
from lstm_jax.config import validate
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.batching import Chunk, FlatCorpus, bucket_lengths, evaluation_plan, steps_per_epoch
from lstm_jax.data.tokenizer import unknown_id
from lstm_jax.studies import timing
from lstm_jax.training import run
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.experiment import TrainState, evaluated_variables
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.gradient_chain import schedule
from lstm_jax.training.lanes import make_mesh
from lstm_jax.training.loop import evaluate_corpus, run_loop
from lstm_jax.training.loop_state import LoopState
from lstm_jax.training.workdir import Lane
from lstm_jax.types import HostArray


class OurEpoch:
    """The process of ``ours``; see ``worker.py``."""

    def __init__(self, name: str) -> None:
        del name  # there is only one
        runtime.configure()

    def prepare(self, config: str, folder: str, padding: str) -> dict[str, Any]:
        """Prepares the data, compiles everything that an epoch runs, and writes the task for the others.

        Args:
          config: The config as JSON. Its ``train.steps`` limits the steps of the epoch; 0 uses all.
          folder: The folder for the task.
          padding: See ``Task``.
        """
        own = configs.from_json(config)
        corpora = corpus.prepare(own.data)
        whole = steps_per_epoch(len(corpora.train.labels), own.train.batch_size)
        own.train.epochs, own.train.steps = 1, min(own.train.steps or whole, whole)
        own.train.keep_epochs = ""  # a limit on steps excludes it
        self._config, self._lane = validate(own), Lane(own.seed, {})
        self.loop = run.assemble(own, corpora, [self._lane])
        first = run.first_checkpoint(self.loop.program, own, [self._lane])
        self._test = make_feed(corpora.test, make_mesh(1, own.train.batch_size, own.train.devices))
        self._chunks = timing.first_epoch(self.loop, [self._lane])
        task = self._task(corpora, first.state, padding)
        epoch_task.write_task(Path(folder), task)
        loss = self._loss(first.state, task.batches["train"])
        self._warm_up(first.state)
        return {
            "first_loss": loss,
            "device": runtime.machine(),
            "compile_seconds": self.loop.program.compile_seconds,
            "steps": self.loop.total_steps,
            "examples": int((task.batches["train"].examples >= 0).sum()),
        }

    def epoch(self) -> dict[str, Any]:
        """Trains an epoch from the initial weights as ``train.py`` does.

        Returns:
          Seconds of training, and of training with validation and checkpoints.
        """
        first = run.first_checkpoint(self.loop.program, self._config, [self._lane])
        jax.block_until_ready(first.state)
        moments = []  # Times at which metrics arrived. Those of the last step arrive before the validation.
        follow = lambda step, steps: moments.append(time.perf_counter())
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            checkpoints, loop_state = Checkpoints(folder), LoopState.from_json(first.loop_state)
            checkpoints.open()
            start = time.perf_counter()
            self.state, _, _ = run_loop(self.loop, first.state, first.best, loop_state, checkpoints, folder, follow)
            checkpoints.finish()
            end = time.perf_counter()
        return {"train_seconds": moments[-1] - start, "epoch_seconds": end - start}

    def evaluate(self) -> dict[str, Any]:
        """The test accuracy after the last epoch that was trained."""
        buckets = bucket_lengths(flat_corpus.lengths(self._test.host), self._config.train.buckets)
        variables = evaluated_variables(self.state)
        sums = evaluate_corpus(self.loop.program, self._test, buckets, self._config.train, variables)
        return {"accuracy": float(sums["correct"][0] / sums["examples"][0]), "examples": int(sums["examples"][0])}

    def weights(self, state: TrainState) -> dict[str, HostArray]:
        """The evaluated weights by path."""
        leaves, _ = jax.tree_util.tree_flatten_with_path(_network_variables(state))
        return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf[0]) for path, leaf in leaves}

    def _task(self, corpora: corpus.Corpora, state: TrainState, padding: str) -> EpochTask:
        config, total = self._config, self.loop.total_steps
        factor = schedule(config.optimizer, total)
        train = [Chunk(chunk.length, chunk.examples[0]) for chunk in self._chunks]
        return EpochTask(
            config=config,
            hparams=self._lane.hparams(config),
            unknown=unknown_id(corpora.tokenizer),
            platform=jax.default_backend(),
            padding=padding,
            factors=np.array([factor(step) for step in range(total)], np.float64),
            weights=self.weights(state),
            batches={
                "train": _batches(corpora.train, train, total),
                "validation": self._evaluated(corpora.validation),
                "test": self._evaluated(corpora.test),
            },
        )

    def _evaluated(self, split: FlatCorpus) -> Batches:
        """The batches in which a split is evaluated."""
        train, lengths = self._config.train, flat_corpus.lengths(split)
        buckets = bucket_lengths(lengths, train.buckets)
        return _batches(split, evaluation_plan(lengths, buckets, train.batch_size, train.steps_per_call))

    def _loss(self, state: TrainState, batches: Batches) -> float:
        """The loss of the first batch, without dropout."""
        length, program = int(batches.lengths[0]), self.loop.program
        steps = self._config.train.steps_per_call
        given, batch = feed_arguments(self.loop.train, batches.examples[:1], length, steps)
        sums = program.evaluate(evaluated_variables(state), given, batch, 1, length)
        return float(sums["loss"][0] / sums["examples"][0])

    def _warm_up(self, state: TrainState) -> None:
        """Compiles everything that an epoch runs by running it. Donates ``state``."""
        loop, stepper = self.loop, timing.Stepper(self.loop, state)
        for chunk in {chunk.length: chunk for chunk in self._chunks}.values():
            stepper.steps(chunk)
        variables = evaluated_variables(stepper.state)
        evaluate_corpus(loop.program, loop.validation, loop.buckets, self._config.train, variables)


def _network_variables(state: TrainState) -> dict[str, Any]:
    """The network's evaluated parameters, trained and frozen, in one tree."""
    variables = evaluated_variables(state)
    return {**variables["params"], **variables["frozen"]}


def _batches(split: FlatCorpus, chunks: list[Chunk], steps: int | None = None) -> Batches:
    examples = np.concatenate([chunk.examples for chunk in chunks])
    lengths = np.concatenate([np.full(len(chunk.examples), chunk.length) for chunk in chunks])
    return Batches(split.tokens, split.offsets, split.labels, examples[:steps], lengths[:steps])
