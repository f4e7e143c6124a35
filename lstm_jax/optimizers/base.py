"""The Optimizer contract: a function like optax's, its hyper-parameters, and where to search for its learning rate."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import optax

from lstm_jax.errors import ConfigError
from lstm_jax.identity import identity_of
from lstm_jax.registry import OPTIMIZERS
from lstm_jax.types import Bounds

SEARCH_FACTOR = 10**1.5  # Default search spaces reach this factor to either side of the recommended learning rate.


class Range(NamedTuple):
    """The range in which a study searches for a hyper-parameter, both ends included."""

    low: float
    high: float
    log: bool = True  # Whether the values are spaced or drawn evenly on a logarithmic scale.


Space = Mapping[str, Range | tuple[float, ...]]  # Hyper-parameter → its range, or the values to try.


class Optimizer(NamedTuple):
    """A registered optimizer.

    Attributes:
      make: ``(learning-rate schedule, **hparams) -> transformation``.
      learning_rate: The learning rate that the source recommends; the default search space is centred there.
      source: Where that learning rate comes from: a paper, or the library whose default it is.
      hparams: Default values of the hyper-parameters by name.
      warmup_only: Whether the method needs no decaying learning rate. Studies then use only the warm-up of a schedule.
      periodic: Whether it does extra work only every few steps. Lanes under ``vmap`` do that work in every step.
      averages: Whether it keeps an average of the weights, as schedule-free optimizers do. A config then cannot ask
        for another average or scale the embedding's updates.
      bounds: The allowed values of hyper-parameters, both ends included. Others may be any finite number.
    """

    make: Callable[..., optax.GradientTransformation]
    learning_rate: float
    source: str
    hparams: dict[str, float]
    warmup_only: bool = False
    periodic: bool = False
    averages: bool = False
    bounds: Bounds = MappingProxyType({})

    @property
    def space(self) -> Space:
        """The default search space: the learning rate alone, 1.5 decades to either side of the recommended one."""
        return self.learning_rates(1 / SEARCH_FACTOR, SEARCH_FACTOR)

    def learning_rates(self, lowest: float, highest: float) -> Space:
        """A search space of the learning rate alone, from ``lowest`` to ``highest`` times the recommended one."""
        return {"learning_rate": Range(self.learning_rate * lowest, self.learning_rate * highest)}


def register(
    name: str,
    make: Callable[..., optax.GradientTransformation],
    *,
    learning_rate: float,
    source: str = "its author",
    warmup_only: bool = False,
    periodic: bool = False,
    averages: bool = False,
    bounds: Bounds = MappingProxyType({}),
    hparams: Mapping[str, float] = MappingProxyType({}),
    **others: float,
) -> None:
    """Registers an optimizer under a name, for configs and studies.

    Args:
      name: The name, for ``config.optimizer.name``.
      make: Called as ``make(schedule, **hparams)`` while tracing. ``schedule`` gives the learning rate of a step, as
        optax's functions take it. Every hyper-parameter is a traced scalar, so ``make`` must not branch on one. The
        update may take the extra arguments ``value``, ``obj_fn`` and ``total``; see ``special.hutchinson``.
      learning_rate: Recommended learning rate, the centre of the default search space.
      source: Source of that learning rate.
      warmup_only: As in ``Optimizer``.
      periodic: As in ``Optimizer``.
      averages: As in ``Optimizer``.
      bounds: As in ``Optimizer``.
      hparams: Default values of hyper-parameters, for those with the name of another argument, such as ``source``.
      **others: Default values of the other hyper-parameters.

    Raises:
      ConfigError: The name is taken, or a hyper-parameter is called ``learning_rate``.
    """
    own = {**hparams, **others}
    if "learning_rate" in own:
        raise ConfigError(f"the schedule gives {name!r} its learning_rate; give that hyper-parameter another name")
    OPTIMIZERS.register(name, Optimizer(make, learning_rate, source, own, warmup_only, periodic, averages, bounds))


def identity(name: str) -> str:
    """A digest of an optimizer's code and of all code of the user and the project that it names.

    Raises:
      ConfigError: The source of a part cannot be read, or the part can only be identified by its memory address.
    """
    return identity_of(OPTIMIZERS[name].make)
