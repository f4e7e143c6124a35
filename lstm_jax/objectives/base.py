"""The Objective contract: what a training step minimises, and from which streams of batches."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from lstm_jax.data.batching import Batch
from lstm_jax.models.classifier import Network
from lstm_jax.registry import OBJECTIVES
from lstm_jax.types import ExampleKeys, Key, Params, Scalar

LABELLED = "labelled"  # The stream of labelled training examples.

Sums = dict[str, Scalar]  # Sums and counts over examples by name; those of two batches add up.
Loss = Callable[
    [Network, Params, Mapping[str, Batch], Mapping[str, ExampleKeys | None], Mapping[str, Scalar | float]],
    tuple[Scalar, Sums],
]


def no_params(key: Key) -> Params:
    """The parameters of an objective that has none of its own."""
    del key
    return {}


class Objective(NamedTuple):
    """What a training step minimises.

    Attributes:
      loss: ``(network, params, batches, keys, hparams) -> (loss, sums)``. ``params`` holds the network's variables
        ``params`` and ``frozen``, and the objective's ``own``. ``batches`` and ``keys`` are by stream, with one key
        for each example. The loss is this device's part: its sum over the batch divided by ``batch.total``, the number
        of examples on all devices. ``sums`` are unnormalised sums and counts, ``loss`` among them in nats.
      hparams: Default values of its hyper-parameters by name. All are traced.
      streams: The streams that it draws batches from.
      init: ``(key) -> own parameters``, which are trained with the network's.
    """

    loss: Loss
    hparams: dict[str, float]
    streams: tuple[str, ...] = (LABELLED,)
    init: Callable[[Key], Params] = no_params


def register(
    name: str, loss: Loss, *, streams: tuple[str, ...] = (LABELLED,), init=no_params, **hparams: float
) -> None:
    """Makes an objective known by name, for ``config.objectives``.

    Args:
      name: Its name.
      loss: As in ``Objective``.
      streams: As in ``Objective``.
      init: As in ``Objective``.
      **hparams: Default values of its hyper-parameters; ``weight`` is every objective's and not among them.

    Raises:
      ConfigError: The name is taken.
    """
    OBJECTIVES.register(name, Objective(loss, hparams, streams, init))
