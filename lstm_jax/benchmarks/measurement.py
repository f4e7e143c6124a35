"""The result of every benchmark, and the ratio of two of them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

PASSES = ("forward", "train")
MAX_RELATIVE_IQR = (
    0.15  # A ratio is reported only if its interquartile range over the rounds is below this share of its median.
)


class Device(NamedTuple):
    """The device that all implementations use."""

    name: str  # The device's name in words.
    platform: str  # JAX's name for its kind: cpu | gpu | tpu


class Measurement(NamedTuple):
    """Time and memory of one implementation for one pass over one case. Absent figures are ``None``."""

    suite: str
    case: str
    implementation: str
    pass_: str  # Named "pass" in files: forward | train for layers; other suites have their own.
    dtype: str = "float32"
    device: str = ""
    error: str | None = None  # The error in one line. If there is one, there are no figures.
    compile_seconds: float | None = None  # For PyTorch, the time of the first call.
    median_ms: float | None = None  # Median over all calls, as are the quantiles.
    p10_ms: float | None = None
    p90_ms: float | None = None
    gflops: float | None = None  # 1e9 operations of matrix products per second, without those on padding.
    limit_ms: float | None = None  # The least time that products, memory or steps allow at XLA's best rates.
    limited_by: str | None = None  # products | memory | steps
    fraction_of_limit: float | None = None
    difference: float | None = None  # Maximum difference from the reference, relative to an array's largest value.
    # Peak main memory of the process during the pass, minus what it held before the case was built.
    peak_bytes: int | None = None
    details: Mapping[str, Any] = {}  # Figures that only this suite measures.
    rounds: tuple[float, ...] = ()  # The median of each round, ms.

    def timed(self, rounds: Sequence[Sequence[float]]) -> "Measurement":
        """Adds the figures that follow from the seconds of all calls, given by round."""
        ms = 1e3 * np.concatenate(rounds)
        return self._replace(
            median_ms=float(np.median(ms)),
            p10_ms=float(np.quantile(ms, 0.1)),
            p90_ms=float(np.quantile(ms, 0.9)),
            rounds=tuple(float(1e3 * np.median(each)) for each in rounds),
        )

    @property
    def seconds(self) -> float | None:
        """The median in seconds."""
        return None if self.median_ms is None else self.median_ms / 1e3

    def to_json(self) -> dict[str, Any]:
        """The measurement as an object of ``bench.json``."""
        return {name.rstrip("_"): value for name, value in self._asdict().items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Measurement":
        """The measurement that ``to_json`` gave."""
        own = dict(values)
        return cls(pass_=own.pop("pass"), rounds=tuple(own.pop("rounds")), **own)


class Ratio(NamedTuple):
    """How many times as long one implementation takes as another."""

    median: float
    low: float  # Lower quartile of the rounds.
    high: float  # Upper quartile.

    @property
    def noisy(self) -> bool:
        """Whether the rounds differ too much for the ratio to be reported."""
        return self.high - self.low > MAX_RELATIVE_IQR * self.median

    def __str__(self) -> str:
        return "noisy" if self.noisy else f"× {self.median:.2f}"


def ratio(one: Measurement, other: Measurement) -> Ratio | None:
    """The time of ``one`` over that of ``other``, round by round in the same case; ``None`` if one of them failed."""
    pairs = list(zip(one.rounds, other.rounds, strict=False))  # slow implementations make fewer rounds
    return quartiles([own / base for own, base in pairs]) if pairs else None


def quartiles(rounds: Sequence[float]) -> Ratio:
    """The median and the quartiles of the rounds."""
    return Ratio(*(float(np.quantile(rounds, q)) for q in (0.5, 0.25, 0.75)))


_Key = TypeVar("_Key", bound=Hashable)


def grouped(found: Sequence[Measurement], key: Callable[[Measurement], _Key]) -> dict[_Key, list[Measurement]]:
    """Measurements grouped by a key. Keys and measurements keep their order."""
    groups: dict[_Key, list[Measurement]] = {}
    for each in found:
        groups.setdefault(key(each), []).append(each)
    return groups
