"""The settings of an optimizer that a study tries: grids or quasi-random points, equally many for every optimizer."""

import dataclasses
import itertools
import math
import numbers
from collections.abc import Mapping

import numpy as np
from scipy.stats import qmc

from lstm_jax.errors import ConfigError
from lstm_jax.optimizers import Range, Space

KINDS = ("grid", "halton", "sobol")
DIGITS = 4  # Significant digits of every value, so that a table shows exactly what was run.
LEARNING_RATE = "learning_rate"

Setting = tuple[tuple[str, float], ...]  # Hyper-parameters and their values.


@dataclasses.dataclass(frozen=True)
class Search:
    """How settings are taken from a search space.

    ``grid`` takes ``points`` values of every range and all combinations; ``halton`` and ``sobol`` (scipy, scrambled)
    take ``points`` settings that fill the space evenly in any number of dimensions (for the reasons see Bergstra &
    Bengio 2012).
    """

    points: int = 7
    kind: str = "grid"  # grid | halton | sobol
    seed: int = 0  # Seeds the scrambling.

    def settings(self, space: Space, lower: int = 0, upper: int = 0) -> list[Setting]:
        """All settings, including ``lower`` extensions below the range of learning rates and ``upper`` above it.

        Raises:
          ConfigError: The space or the search is invalid, or a setting occurs twice.
        """
        check(self, space)
        found = self._within(space, 0)
        for n in range(1, lower + 1):
            found += self._within(self._beyond(space, n, -1), -n)
        for n in range(1, upper + 1):
            found += self._within(self._beyond(space, n, 1), n)
        if len(set(found)) < len(found):
            twice = max(found, key=found.count)
            spoken = ", ".join(f"{name} {value:g}" for name, value in twice)
            raise ConfigError(f"the search has the setting {spoken} twice; take fewer points, or other values")
        return found

    def at_edge(self, best: Setting, tried: list[Setting]) -> int:
        """−1 or 1 if the best learning rate is the lowest or the highest that was tried, or near it; otherwise 0."""
        learning_rates = sorted({learning_rate_of(setting) for setting in tried})
        if len(learning_rates) < 2:
            return 0
        margin = 1 if self.kind == "grid" else math.ceil(len(learning_rates) / 10)
        if learning_rate_of(best) in learning_rates[:margin]:
            return -1
        return 1 if learning_rate_of(best) in learning_rates[-margin:] else 0

    def _within(self, space: Space, part: int) -> list[Setting]:
        if self.kind == "grid":
            names, values = list(space), [self._spaced(where) for where in space.values()]
            return [tuple(zip(names, each, strict=True)) for each in itertools.product(*values)]
        count = self.points if part == 0 else self._added
        rng = np.random.default_rng([self.seed, part % 2**32])
        if self.kind == "halton":
            unit = qmc.Halton(len(space), rng=rng).random(count)
        else:  # Sobol points come in powers of two.
            unit = qmc.Sobol(len(space), rng=rng).random(2 ** math.ceil(math.log2(count)))[:count]
        return [
            tuple((name, _at(where, float(x))) for (name, where), x in zip(space.items(), row, strict=True))
            for row in unit
        ]

    @property
    def _added(self) -> int:
        """The number of points in one extension."""
        return 2 if self.kind == "grid" else max(2, round(self.points / 3))

    def _spaced(self, where: Range | tuple[float, ...]) -> list[float]:
        if isinstance(where, Range):
            return [_at(where, x) for x in (np.linspace(0, 1, self.points) if self.points > 1 else (0.5,))]
        return [float(value) for value in where]

    def _beyond(self, space: Space, n: int, side: int) -> Space:
        """The space with the learning rates that the n-th extension to one side adds."""
        rates = space[LEARNING_RATE]
        if not isinstance(rates, Range):
            raise ConfigError("only a range of learning rates can be extended; this study lists them, add to that list")
        width = math.log(rates.high / rates.low)
        if self.kind == "grid":
            step = width / max(self.points - 1, 1)
            start = step * (1 + self._added * (n - 1))
            steps = [start + step * k for k in range(self._added)]
            anchor = rates.high if side > 0 else rates.low
            return {**space, LEARNING_RATE: tuple(_rounded(anchor * math.exp(side * each)) for each in steps)}
        start, end = width / 3 * (n - 1), width / 3 * n
        if side > 0:
            return {**space, LEARNING_RATE: Range(rates.high * math.exp(start), rates.high * math.exp(end))}
        return {**space, LEARNING_RATE: Range(rates.low * math.exp(-end), rates.low * math.exp(-start))}


def learning_rate_of(setting: Setting) -> float:
    """The learning rate of a setting."""
    return dict(setting)[LEARNING_RATE]


def check(search: Search, space: Space) -> None:
    """Refuses an invalid search or search space.

    Raises:
      ConfigError: One of them is invalid; the message says why.
    """
    if search.kind not in KINDS:
        raise ConfigError(f"the search's kind is {search.kind!r}; it must be one of {', '.join(KINDS)}")
    if search.points < 1:
        raise ConfigError(f"the search has {search.points} points; it needs at least 1")
    if not isinstance(space, Mapping):
        raise ConfigError(f"a search space is {space!r}; give a dict, as {{'learning_rate': Range(1e-4, 1e-1)}}")
    if LEARNING_RATE not in space:
        raise ConfigError(f"the search space holds {', '.join(space) or 'nothing'}; it needs a learning_rate")
    for name, where in space.items():
        if not isinstance(where, Range) and (not isinstance(where, tuple) or not where):
            raise ConfigError(f"the search space of {name} is {where!r}; give a Range or a tuple of values, not empty")
        values = where[:2] if isinstance(where, Range) else where
        if not all(isinstance(value, numbers.Real) and math.isfinite(value) for value in values):
            raise ConfigError(f"the search space of {name} is {where!r}; its values must be finite numbers")
        if isinstance(where, Range) and not where.low < where.high:
            raise ConfigError(f"the search space of {name} reaches from {where.low} to {where.high}; it is empty")
        if min(values) <= 0 and (name == LEARNING_RATE or (isinstance(where, Range) and where.log)):
            raise ConfigError(f"the search space of {name} holds {min(values)}; it must be above 0")


def _at(where: Range | tuple[float, ...], x: float) -> float:
    """The value at a fraction ``x`` in [0, 1] of the range."""
    if not isinstance(where, Range):
        return float(where[min(int(x * len(where)), len(where) - 1)])
    if where.log:
        return _rounded(math.exp((1 - x) * math.log(where.low) + x * math.log(where.high)))
    return _rounded((1 - x) * where.low + x * where.high)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
