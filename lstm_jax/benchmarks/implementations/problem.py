"""What every implementation computes: LSTM layers over a batch of sequences, and a loss that weighs their outputs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.types import HostArray


class Case(NamedTuple):
    """A size. Letters as in ``types.py``."""

    name: str
    batch: int  # B
    steps: int  # T
    inputs: int  # D
    units: int  # H, of each direction
    layers: int = 1
    directions: int = 1
    ragged: bool = False  # rows of any length from half of T up; otherwise all are T long

    @property
    def widths(self) -> list[int]:
        """Features entering each layer."""
        return [self.inputs, *[self.directions * self.units] * (self.layers - 1)]

    def flop(self, part: str) -> float:
        """Floating-point operations of the matrix products of a pass: ``forward``, or ``train``, which is three times
        as many; of the words that there are, whether or not an implementation computes its padding too."""
        words = float(self.lengths().sum())
        forward = sum(8.0 * words * self.units * (width + self.units) * self.directions for width in self.widths)
        return forward * {"forward": 1, "train": 3}[part]

    def lengths(self) -> HostArray:
        """Words of each row, ``[B]``."""
        if not self.ragged:
            return np.full(self.batch, self.steps, np.int32)
        drawn = np.random.default_rng(1).integers(self.steps // 2, self.steps, self.batch, endpoint=True)
        drawn[0] = self.steps
        return drawn.astype(np.int32)


class Weights(NamedTuple):
    """One direction of one layer, gates in the order i, f, g, o side by side; or the loss's gradient of them."""

    input_kernel: HostArray  # [D, 4H]
    recurrent_kernel: HostArray  # [H, 4H]
    bias: HostArray  # [4H]


class Problem(NamedTuple):
    """Numbers of a case, the same in every process."""

    weights: list[list[Weights]]  # layer, direction
    x: HostArray  # [T, B, D]
    lengths: HostArray  # [B]
    probe: HostArray  # [T, B, directions · H], 0 past a row's length; the loss is Σ probe ⊙ y


def draw(case: Case) -> Problem:
    """Random numbers of a case, scaled so that gates neither shut nor saturate."""
    rng, size = np.random.default_rng(0), 4 * case.units

    def normal(*shape: int, scale: float = 1.0) -> HostArray:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    weights = [
        [
            Weights(
                normal(width, size, scale=width**-0.5), normal(case.units, size, scale=case.units**-0.5), normal(size)
            )
            for _ in range(case.directions)
        ]
        for width in case.widths
    ]
    x = normal(case.steps, case.batch, case.inputs)
    lengths = case.lengths()
    alive = np.arange(case.steps)[:, None] < lengths
    probe = normal(case.steps, case.batch, case.directions * case.units) * alive[:, :, None]
    return Problem(weights, x, lengths, probe.astype(np.float32))


class Results(NamedTuple):
    """What a pass gives, on the host, in float32."""

    y: HostArray  # [T, B, directions · H], 0 past a row's length
    weights: list[list[Weights]]  # gradients
    x: HostArray  # gradient [T, B, D]


class Built(NamedTuple):
    """A case made ready by an implementation. Its passes wait until all is computed."""

    forward: Callable[[], Any]  # the outputs
    train: Callable[[], Any]  # the gradients of the loss in all weights and in x
    results: Callable[[Any, Any], Results]  # of what both passes gave
    compile_seconds: dict[str, float]  # by pass
