"""How fast LSTM layers are at XLA's best rates on a device: the three roofs over a case.

**Products.** The operations of the matrix products at the rate of the device's best product in that type.

**Memory.** The bytes that must be moved, at the rate of copying, if whatever can stay in a cache does: each array comes
from memory, or goes there, once in each direction of time. With s bytes a number, n words, and of each layer input
width D, H units in each of d directions, and d·4H·(D + H + 1) weights,

    forward    s · (n·D + n·d·H + weights)                       the inputs and weights in, the outputs out
    train      forward + s · (n·d·5H · 2                         gates and cell state out, and in again
                              + n·d·H · 2 + n·D                  outputs, their gradient and the inputs in
                              + n·D + weights · 2)               gradient of the inputs out, weights in, theirs out

What is saved between the two directions of time could be computed again instead, but then with more operations than
are counted. All numbers are taken to be as wide as the type, also where an implementation holds some in a wider one.
Operations over these bytes are a case's *intensity*.

**Steps.** The steps that must follow one another, each as long as the shortest of a loop of XLA. Layers that read
in one direction can begin as soon as the layer below has made a step, T + layers - 1 steps in all; a layer that reads
in both directions needs the whole layer below. Training goes there and back. (A kernel that makes the whole loop by
itself on an accelerator may have shorter steps than XLA's.)
"""

from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.implementations.problem import Case

BYTES = {"float32": 4, "bfloat16": 2}


def seconds(case: Case, part: str, dtype: str, limits: Limits) -> dict[str, float]:
    """What a pass takes at least: by ``products``, by ``memory`` and by ``steps``.

    Args:
      case: the sizes.
      part: forward | train.
      dtype: float32 | bfloat16.
      limits: the device's.
    """
    return {
        "products": case.flop(part) / (1e9 * limits.gflops(dtype)),
        "memory": moved_bytes(case, part, dtype) / (1e9 * limits.copy_gbps),
        "steps": steps(case, part) * 1e-6 * limits.shortest_step_us,
    }


def moved_bytes(case: Case, part: str, dtype: str) -> float:
    """Bytes that a pass must move; see above."""
    words, total = float(case.lengths().sum()), 0.0
    for width in case.widths:
        out = case.directions * case.units
        weights = 4 * out * (width + case.units + 1)
        forward = words * (width + out) + weights
        backward = words * (10 * out + 2 * out + 2 * width) + 2 * weights
        total += forward + (backward if part == "train" else 0.0)
    return BYTES[dtype] * total


def intensity(case: Case, part: str, dtype: str) -> float:
    """Operations of matrix products a byte moved."""
    return case.flop(part) / moved_bytes(case, part, dtype)


def steps(case: Case, part: str) -> int:
    """Steps that must follow one another; see above."""
    forward = case.steps * case.layers if case.directions == 2 else case.steps + case.layers - 1
    return forward * {"forward": 1, "train": 2}[part]
