"""Metrics of a run after every epoch, from the weights that ``train.keep_epochs`` kept, and by number of tokens."""

from typing import NamedTuple

import jax
import numpy as np

from lstm_jax.config import epoch_name
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.batching import FlatCorpus, bucket_lengths
from lstm_jax.errors import UserError
from lstm_jax.evaluation.predictions import mesh_of, program_of
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.feed import make_feed
from lstm_jax.training.loop import evaluate_corpus
from lstm_jax.training.restore import Trained, shapes_of
from lstm_jax.training.workdir import write_json


class EpochFigures(NamedTuple):
    """The metrics of one lane after one epoch on one split."""

    epoch: int
    lane: int
    split: str
    loss: float | None  # Mean cross-entropy in nats; None if it is not finite.
    accuracy: float


class LengthFigures(NamedTuple):
    """The metrics of one lane on the examples with one number of tokens."""

    tokens: int
    lane: int
    loss: float  # Mean cross-entropy in nats.
    accuracy: float


def every_epoch(trained: Trained, corpora: corpus.Corpora) -> list[EpochFigures]:
    """Loss and accuracy on the training and the test split after each epoch; writes ``epochs.json``.

    Raises:
      UserError: The run kept no weights of its epochs.
    """
    config, mesh = trained.config.train, mesh_of(trained)
    program, _ = program_of(trained, mesh)
    checkpoints = Checkpoints(trained.workdir, read_only=True)
    shapes = shapes_of(trained.config, trained.model, trained.lanes)
    feeds = {
        split: make_feed(corpus.named_part(corpora, split, trained.config.data).examples, mesh)
        for split in ("train", "test")
    }
    rows = []
    for epoch in range(1, config.epochs + 1):
        kept = checkpoints.restore_epoch(epoch_name(trained.config, epoch), shapes) if config.keep_epochs else None
        if kept is None:
            continue
        variables = jax.device_put(kept, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lane")))
        for split, feed in feeds.items():
            buckets = bucket_lengths(flat_corpus.lengths(feed.host), config.buckets)
            sums = evaluate_corpus(program, feed, buckets, config, variables)
            for lane, examples in enumerate(sums["examples"]):
                loss, correct = sums["loss"][lane], sums["correct"][lane]
                mean = float(loss / examples) if np.isfinite(loss) else None
                rows.append(EpochFigures(epoch, lane, split, mean, float(correct / examples)))
    checkpoints.finish()
    if not rows:
        raise UserError(
            f"the run in {trained.workdir} kept no weights of its epochs; train with "
            "--config.train.keep_epochs=epoch_{epoch}"
        )
    write_json(trained.workdir / "epochs.json", [row._asdict() for row in rows])
    return rows


def every_length(trained: Trained, examples: FlatCorpus) -> list[LengthFigures]:
    """Loss and accuracy of the best weights by the examples' number of tokens; writes ``lengths.json``."""
    config, mesh = trained.config.train, mesh_of(trained)
    program, variables = program_of(trained, mesh)
    counts, feed, rows = flat_corpus.lengths(examples), make_feed(examples, mesh), []
    buckets = bucket_lengths(counts, 1)  # Compiling for each length would take longer than reading padding.
    for tokens in np.unique(counts):
        own = np.flatnonzero(counts == tokens)
        sums = evaluate_corpus(program, feed, buckets, config, variables, own)
        for lane, found in enumerate(sums["examples"]):
            figures = float(sums["loss"][lane] / found), float(sums["correct"][lane] / found)
            rows.append(LengthFigures(int(tokens), lane, *figures))
    write_json(trained.workdir / "lengths.json", [row._asdict() for row in rows])
    return rows
