"""What an optimizer is here: a function like optax's own, its hyper-parameters, and where to search for its rate."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import optax

from lstm_jax.errors import ConfigError
from lstm_jax.optimizers.identity import identity_of

# Hyper-parameters that an optimizer may have beside its rate, which are fields of ``config.optimizer``.
NAMES = ("momentum", "b1", "b2", "b3", "eps", "alpha", "gamma", "weight_decay")
HALF_WIDTH = 10**1.5  # default search spaces reach so far to either side of the rate that the source recommends


class Range(NamedTuple):
    """Where the values of a hyper-parameter are searched for, both ends included."""

    low: float
    high: float
    log: bool = True  # spaced, or drawn, evenly in the logarithm


Space = Mapping[str, Range | tuple[float, ...]]  # name → a range, or the values that there are


class Optimizer(NamedTuple):
    """A row of the registry."""

    make: Callable[..., optax.GradientTransformation]  # (rate schedule, **hparams) → transformation
    rate: float  # that the source recommends; the default space is centred there
    source: str  # of the rate: a paper, or the library whose default it is
    hparams: dict[str, float]  # by name, with their defaults
    flat: bool = False  # its rate must not fall: studies leave of a schedule the warm-up alone
    periodic: bool = False  # works hard every so many steps, which lanes by vmap would do at every step

    @property
    def space(self) -> Space:
        """The default search space: the rate alone, 1.5 decades to either side of the recommended one."""
        return self.rates(1 / HALF_WIDTH, HALF_WIDTH)

    def rates(self, lowest: float, highest: float) -> Space:
        """A search space of the rate alone, from ``lowest`` to ``highest`` times the recommended one."""
        return {"learning_rate": Range(self.rate * lowest, self.rate * highest)}


OPTIMIZERS: dict[str, Optimizer] = {}


def register(
    name: str,
    make: Callable[..., optax.GradientTransformation],
    *,
    rate: float,
    source: str = "this study",
    flat: bool = False,
    periodic: bool = False,
    **hparams: float,
) -> None:
    """Makes an optimizer known by name, for configs and studies.

    Args:
      name: for ``config.optimizer.name``.
      make: called as ``make(rate, **hparams)`` while tracing. ``rate`` is a schedule ``step → Scalar``, as optax's
        functions take it, and every hyper-parameter is a traced scalar, so ``make`` must not branch on one. The
        update may take the extra arguments ``value``, ``obj_fn`` and ``total``; see ``special.hutchinson``.
      rate: the centre of its default search space.
      source: of that rate.
      flat: its rate must not fall.
      periodic: it works hard every so many steps.
      **hparams: defaults of those of ``NAMES`` that it has.

    Raises:
      ConfigError: the name is taken by another one, or a hyper-parameter has no field in the config.
    """
    for unknown in sorted(set(hparams) - set(NAMES)):
        raise ConfigError(
            f"optimizer {name!r} is registered with a hyper-parameter {unknown!r}; they are called by the fields of "
            f"config.optimizer: {', '.join(NAMES)}"
        )
    if name in OPTIMIZERS and identity(name) != identity_of(make):
        raise ConfigError(f"there is an optimizer {name!r} already; register yours by another name")
    OPTIMIZERS[name] = Optimizer(make, rate, source, hparams, flat, periodic)


def identity(name: str) -> str:
    """A digest of an optimizer's code, with all that it calls of the user's and the project's own.

    Raises:
      ConfigError: a part of it can only be told by its place in memory.
    """
    return identity_of(OPTIMIZERS[name].make)
