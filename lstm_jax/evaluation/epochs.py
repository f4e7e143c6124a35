"""How a run came along: every epoch's kept weights evaluated on training and test reviews."""

from typing import NamedTuple

import jax
import numpy as np

from lstm_jax.config import epoch_name
from lstm_jax.data import corpus
from lstm_jax.data.batching import bucket_lengths
from lstm_jax.errors import UserError
from lstm_jax.evaluation.figures import Trained, fitting, mesh_of, program_of, shapes_of
from lstm_jax.training import loop
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.feed import make_feed
from lstm_jax.training.workdir import write_json


class EpochFigures(NamedTuple):
    """What the weights of one lane after one epoch do on one part of the reviews."""

    epoch: int
    lane: int
    split: str
    loss: float | None  # nats a review; None where it is not finite
    accuracy: float


def every_epoch(trained: Trained, corpora: corpus.Corpora) -> list[EpochFigures]:
    """Loss and accuracy on training and test reviews after each epoch; writes ``epochs.json``.

    Raises:
      UserError: the run kept no weights of its epochs.
    """
    config, mesh = trained.config.train, mesh_of(trained)
    program, state = program_of(trained, mesh)
    checkpoints, shapes = Checkpoints(trained.workdir, read_only=True), shapes_of(trained.model, trained.lanes)
    feeds = {split: make_feed(fitting(trained, corpora, split), mesh) for split in ("train", "test")}
    rows = []
    for epoch in range(1, config.epochs + 1):
        kept = checkpoints.kept(epoch_name(trained.config, epoch), shapes) if config.keep_epochs else None
        if kept is None:
            continue
        own = jax.device_put(kept, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lane")))
        state = state._replace(params=own["params"], frozen=own["frozen"])
        for split, feed in feeds.items():
            buckets = bucket_lengths(corpus.lengths(feed.host), config.buckets)
            sums = loop.evaluate(program, feed, buckets, config, state)
            for lane, (loss, correct, reviews, _) in enumerate(np.stack(sums, axis=-1)):
                mean = float(loss / reviews) if np.isfinite(loss) else None
                rows.append(EpochFigures(epoch, lane, split, mean, float(correct / reviews)))
    checkpoints.finish()
    if not rows:
        raise UserError(
            f"the run in {trained.workdir} kept no weights of its epochs; train with "
            "--config.train.keep_epochs=epoch_{epoch}"
        )
    write_json(trained.workdir / "epochs.json", [row._asdict() for row in rows])
    return rows
