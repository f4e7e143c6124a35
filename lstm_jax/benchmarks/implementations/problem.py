"""What every implementation computes: LSTM layers over a batch of sequences, and a loss that weights their outputs.

A module of layers has a function ``build(name, case, problem, dtype, platform) -> Built``.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.types import HostArray


class Case(NamedTuple):
    """The sizes of a problem. ``types.py`` explains the letters."""

    name: str
    batch: int  # B
    steps: int  # T
    inputs: int  # D
    units: int  # H, in each direction
    layers: int = 1
    directions: int = 1
    ragged: bool = False  # Whether examples have lengths from T / 2 to T. Otherwise all have length T.

    @property
    def widths(self) -> list[int]:
        """The number of input features of each layer."""
        return [self.inputs, *[self.directions * self.units] * (self.layers - 1)]

    def flop(self, pass_: str) -> float:
        """Floating-point operations of the matrix products of a pass over the tokens, without padding.

        A training pass (``train``) has three times as many as a forward pass (``forward``).
        """
        tokens = float(self.lengths().sum())
        forward = sum(8.0 * tokens * self.units * (width + self.units) * self.directions for width in self.widths)
        return forward * {"forward": 1, "train": 3}[pass_]

    def lengths(self) -> HostArray:
        """The number of tokens of each example, ``[B]``."""
        if not self.ragged:
            return np.full(self.batch, self.steps, np.int32)
        drawn = np.random.default_rng(1).integers(self.steps // 2, self.steps, self.batch, endpoint=True)
        drawn[0] = self.steps
        return drawn.astype(np.int32)


class Weights(NamedTuple):
    """Weights of one direction of one layer, or their gradient. The last axis concatenates the gates i, f, g, o."""

    input_kernel: HostArray  # [D, 4H]
    recurrent_kernel: HostArray  # [H, 4H]
    bias: HostArray  # [4H]


class Problem(NamedTuple):
    """Weights and inputs of a case, the same in every process."""

    weights: list[list[Weights]]  # Weights by layer and direction.
    x: HostArray  # [T, B, D]
    lengths: HostArray  # [B]
    probe: HostArray  # [T, B, directions · H], 0 past an example's length; the loss is Σ probe ⊙ y


def random_problem(case: Case) -> Problem:
    """Draws the weights and inputs of a case, scaled so that gates neither close nor saturate."""
    rng, size = np.random.default_rng(0), 4 * case.units

    def normal(*shape: int, scale: float = 1.0) -> HostArray:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    def direction(width: int) -> Weights:
        kernels = normal(width, size, scale=width**-0.5), normal(case.units, size, scale=case.units**-0.5)
        return Weights(*kernels, normal(size))

    weights = [[direction(width) for _ in range(case.directions)] for width in case.widths]
    x = normal(case.steps, case.batch, case.inputs)
    lengths = case.lengths()
    alive = np.arange(case.steps)[:, None] < lengths
    probe = normal(case.steps, case.batch, case.directions * case.units) * alive[:, :, None]
    return Problem(weights, x, lengths, probe.astype(np.float32))


class Results(NamedTuple):
    """The results of both passes, on the host, in float32."""

    y: HostArray  # [T, B, directions · H], 0 past an example's length
    weights: list[list[Weights]]  # Gradients by layer and direction.
    x: HostArray  # [T, B, D], the gradient with respect to x


class Built(NamedTuple):
    """A case as an implementation has built it. Its passes block until everything is computed."""

    forward: Callable[[], Any]  # Returns the outputs.
    train: Callable[[], Any]  # Returns the gradients of the loss with respect to all weights and x.
    results: Callable[[Any, Any], Results]  # Converts the return values of both passes.
    compile_seconds: dict[str, float]  # Seconds by pass.


def build_jax(
    forward: Callable[..., Any], train: Callable[..., Any], inputs: Any, probe: Any, results: Callable[..., Results]
) -> Built:
    """Compiles both passes of an implementation on JAX.

    Args:
      forward: ``(params, x, lengths) -> y``.
      train: ``(params, x, lengths, probe) -> gradients`` with respect to the parameters and x.
      inputs: The arguments of ``forward``.
      probe: The last argument of ``train``.
      results: See ``Built``.
    """
    import jax  # only implementations on JAX need it

    def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[[], Any], float]:
        start = time.perf_counter()
        ready = jax.jit(function).lower(*arguments).compile()
        return lambda: jax.block_until_ready(ready(*arguments)), time.perf_counter() - start

    run_forward, forward_seconds = compiled(forward, *inputs)
    run_train, train_seconds = compiled(train, *inputs, probe)
    return Built(run_forward, run_train, results, {"forward": forward_seconds, "train": train_seconds})
