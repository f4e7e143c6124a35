"""The search for a learning rate: short runs with different learning rates, side by side as lanes of one program.

Raising the learning rate within a single run (Smith 2017, arXiv 1506.01186) costs fewer steps. It fails on tasks whose
loss begins to fall only after some hundred steps.
"""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config, validate
from lstm_jax.data import corpus
from lstm_jax.data.cache import renewing
from lstm_jax.data.flat_corpus import lengths
from lstm_jax.errors import UserError
from lstm_jax.files import lock_folder
from lstm_jax.reports.learning_rates import draw_losses
from lstm_jax.training.batch_schedule import lane_plan, scheduled_chunks
from lstm_jax.training.experiment import TrainState
from lstm_jax.training.feed import feed_arguments
from lstm_jax.training.loop import Loop
from lstm_jax.training.recorder import fetched
from lstm_jax.training.run import assemble, first_checkpoint
from lstm_jax.training.workdir import Lane, write_json
from lstm_jax.types import HostArray

LEARNING_RATES = [10 ** (power / 2) for power in range(-10, 2)]  # From 1e-5 to 3.2. Twelve lanes share 2, 4 or 6 cores.
ROUND = 50  # Number of steps after which the losses are compared.
ENOUGH = 0.9  # The search ends when the lowest loss is below this share of the loss at the beginning.

_log = logging.getLogger(__name__)


class Losses(NamedTuple):
    """The training losses of some learning rates.

    Attributes:
      learning_rates: The learning rates, ``[L]``, ascending.
      losses: The mean loss over the last round of each, in nats, ``[L]``; NaN if it has diverged.
      first_loss: The mean loss of the first step, before any update.
      steps: The number of steps of each.
    """

    learning_rates: HostArray
    losses: HostArray
    first_loss: float
    steps: int

    @property
    def best(self) -> float:
        """The learning rate with the lowest loss."""
        return float(self.learning_rates[np.nanargmin(self.losses)])


def find_learning_rate(config: Config, workdir: Path) -> Losses:
    """Trains with every learning rate until one has lowered the loss by a tenth, without a schedule.

    It writes ``learning-rates.json`` and ``plots/learning-rates.png``. No other file of the folder is changed, so a run
    may be trained there.

    Args:
      config: The config. Its learning rate, its schedule and the size of its ensemble do not matter.
      workdir: The folder, created if needed.

    Raises:
      UserError: The data are invalid, the folder cannot be used, or no learning rate lowers the loss by a tenth within
        the steps of the config.
    """
    own = configs.from_json(configs.to_json(config))
    own.optimizer.schedule, own.optimizer.warmup, own.ensemble = "constant", 0.0, 1
    lanes = [Lane(own.seed, {"optimizer.learning_rate": rate}) for rate in LEARNING_RATES]
    validate(own)
    with lock_folder(workdir), renewing(own.data.rebuild):
        corpora = corpus.prepare(own.data)
        loop = assemble(own, corpora, lanes)
        state = first_checkpoint(loop.program, own, lanes, corpora).state
        for found in rounds(loop, state, own.seed):
            lowest = np.nanmin(found.losses, initial=np.inf)
            _log.info("step %d of at most %d: the lowest training loss is %.4f", found.steps, loop.total_steps, lowest)
            if lowest < ENOUGH * found.first_loss:
                break
        picture = workdir / "plots" / "learning-rates.png"
        draw_losses(found.learning_rates, found.losses, found.first_loss, picture)
        losses = [None if np.isnan(loss) else loss for loss in found.losses.tolist()]
        values = {"learning_rates": found.learning_rates.tolist(), "losses": losses}
        write_json(workdir / "learning-rates.json", {**found._asdict(), **values})
    if not lowest < ENOUGH * found.first_loss:
        raise UserError(
            f"no learning rate lowers the training loss from {found.first_loss:.4f} by a tenth within {found.steps} "
            f"steps, as {picture} shows; raise config.train.epochs, or look at the data and the model"
        )
    return found


def rounds(loop: Loop, state: TrainState, seed: int) -> Iterator[Losses]:
    """The losses after each round, until the last step of the loop.

    Args:
      loop: Program and examples of lanes with the learning rates.
      state: The state of the lanes at step 0; donated.
      seed: The seed of all lanes.
    """
    config, lanes = loop.config, len(LEARNING_RATES)
    plan = partial(lane_plan, lengths(loop.train.host), loop.buckets, config, [seed] * lanes)
    total, examples, first_loss = np.zeros(lanes), 0.0, None
    for chunk in scheduled_chunks(plan, loop.per_epoch, 0, loop.total_steps, ROUND):
        feed = feed_arguments(loop.train, chunk.examples, chunk.length, config.steps_per_call)
        state, sums = loop.program.train(state, *feed, chunk.examples.shape[1], chunk.length)
        own = fetched(sums)
        first_loss = own["loss"][0, 0] / own["examples"][0, 0] if first_loss is None else first_loss
        total, examples = total + own["loss"].sum(axis=1), examples + own["examples"][0].sum()
        if chunk.validate:  # A round ends.
            yield Losses(np.array(LEARNING_RATES), total / examples, float(first_loss), chunk.last_step)
            total, examples = np.zeros(lanes), 0.0
