"""Ticks of axes whose labels say exactly where they are."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

MOST_DECIMALS = 8  # More are written with an exponent.


def tick_labels(values: Iterable[float], percent: bool = False) -> list[str]:
    """Labels of ticks on a linear axis, with as many decimals as tell exactly where the ticks are.

    Args:
      values: The positions of the ticks.
      percent: Whether to write them as percentages.
    """
    scaled = np.asarray(list(values), np.float64) * (100 if percent else 1)
    spacing = np.diff(np.unique(scaled))
    # Positions are sums of rounded floats. A thousandth of the spacing cannot be seen.
    tolerance = 1e-3 * spacing.min() if len(spacing) else 1e-6 * np.abs(scaled).max(initial=0)
    decimals = next((n for n in range(MOST_DECIMALS) if np.all(np.abs(scaled.round(n) - scaled) <= tolerance)), None)
    if decimals is None:
        return [f"{value:.{MOST_DECIMALS}g}{'%' * percent}" for value in scaled]
    return [f"{value:,.{decimals}f}{'%' * percent}" for value in scaled.round(decimals) + 0.0]  # No label is "-0".


def label_numbers(axis: Any) -> None:
    """Labels a linear axis by ``tick_labels``."""
    _label(axis, tick_labels)


def label_percent(axis: Any) -> None:
    """Labels a linear axis of shares by ``tick_labels``, as percentages."""
    _label(axis, partial(tick_labels, percent=True))


def label_counts(axis: Any, most: int = 6) -> None:
    """Puts the ticks of a linear axis at whole numbers, such as steps, in at most ``most`` intervals."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    _label(axis, lambda values: [f"{value:,.0f}" for value in values])


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` ticks for a logarithmic axis: at 1, 2 and 5, at 1 and 3, or at 1 of every power of ten.

    An axis too long for these has ticks at every n-th power of ten, one that would have fewer than two evenly spaced
    ones.
    """
    from matplotlib.ticker import MaxNLocator

    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for factors, stride in (((1, 2, 5), 1), ((1, 3), 1), *(((1,), stride) for stride in range(1, len(powers) + 1))):
        every = [power for power in powers if power % stride == 0]
        ticks = [factor * 10.0**power for power in every for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    if len(ticks) > 1:
        return ticks
    return [tick for tick in MaxNLocator(min(most, 4)).tick_values(low, high) if low <= tick <= high]


def label_plain(axis: Any, most: int = 6) -> None:
    """Puts plain numbers on a logarithmic axis, at ``log_ticks``.

    Matplotlib's own labels are formulas, which would be drawn literally.
    """
    from matplotlib.ticker import Locator, NullLocator

    class Ticks(Locator):
        def __call__(self) -> list[float]:
            return self.tick_values(*sorted(axis.get_view_interval()))

        def tick_values(self, vmin: float, vmax: float) -> list[float]:
            return log_ticks(vmin, vmax, most)

    axis.set_major_locator(Ticks())
    axis.set_minor_locator(NullLocator())
    _label(axis, lambda values: [f"{value:,.6g}" for value in values])


def _label(axis: Any, labels: Callable[[list[float]], list[str]]) -> None:
    """Labels the major ticks of an axis. ``labels`` sees all of them, since how exact one is depends on the others."""
    from matplotlib.ticker import Formatter

    class Labels(Formatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return labels([x])[0]

        def format_ticks(self, values: Any) -> list[str]:
            return labels(list(values))

    axis.set_major_formatter(Labels())
