"""What the benchmark of layers finds of an implementation, and how two of them compare."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.types import HostArray

PASSES = ("forward", "train")
NOISY = 0.15  # distance of the quartiles of the rounds' ratios, over their median, above which no ratio is told
MISSING = "missing"  # the error of an implementation whose package is not installed


class Device(NamedTuple):
    """What all implementations compute on."""

    name: str  # in words
    platform: str  # JAX's name of its kind: cpu | gpu | tpu


class Measurement(NamedTuple):
    """An implementation's pass over a case."""

    suite: str
    case: str
    implementation: str
    part: str  # forward | train; "pass" in bench.json
    dtype: str
    device: str
    error: str | None = None  # what went wrong, in one line; then there are no figures
    compile_seconds: float | None = None  # of PyTorch, the first call
    median_ms: float | None = None  # of all calls, and so are the quantiles
    p10_ms: float | None = None
    p90_ms: float | None = None
    gflops: float | None = None  # 1e9 operations of matrix products a second, without padding
    limit_ms: float | None = None  # the time that products, memory or steps take at the rates that XLA reaches at best
    limited_by: str | None = None  # products | memory | steps
    fraction_of_limit: float | None = None
    difference: float | None = None  # from the first implementation's results, over the largest value of an array
    # The most main memory that the process held in this pass beyond its imports: with the case's numbers, what
    # compiling left behind and what malloc keeps.
    peak_bytes: int | None = None
    rounds: tuple[float, ...] = ()  # the median of each round, ms

    def to_json(self) -> dict[str, Any]:
        """As it stands in ``bench.json``."""
        return {"pass" if name == "part" else name: value for name, value in self._asdict().items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Measurement":
        """The same from ``bench.json``."""
        own = {"part" if name == "pass" else name: value for name, value in values.items()}
        return cls(**{**own, "rounds": tuple(own["rounds"])})


class Ratio(NamedTuple):
    """How many times as long one implementation takes as another."""

    median: float
    low: float  # quartiles of the rounds
    high: float

    @property
    def noisy(self) -> bool:
        """Whether the rounds are too far from each other to tell."""
        return self.high - self.low > NOISY * self.median


def ratio(one: Measurement, other: Measurement) -> Ratio | None:
    """The time of one over that of another in the same rounds of the same case; ``None`` where one failed."""
    if not one.rounds or not other.rounds:
        return None
    return quartiles(np.array(one.rounds) / np.array(other.rounds))


def quartiles(rounds: Sequence[float] | HostArray) -> Ratio:
    """What the rounds' ratios come to."""
    return Ratio(*(float(np.quantile(rounds, q)) for q in (0.5, 0.25, 0.75)))


def cell(text: str) -> str:
    """A text as it may stand in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
