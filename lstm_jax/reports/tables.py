"""Tables as text for the terminal."""

from typing import NamedTuple

import numpy as np


class Figures(NamedTuple):
    """What an evaluation found."""

    accuracy: float
    loss: float  # nats a review
    n: int  # reviews
    confusion: list[list[int]]  # [C, C], true class by row
    checkpoint_step: int


def figures(found: Figures, classes: tuple[str, ...], split: str) -> str:
    """Accuracy and loss, precision, recall and F1 of each class, and the confusion matrix."""
    matrix = np.array(found.confusion)
    width = max(10, *(len(name) + 2 for name in classes))
    lines = [
        f"{split}: {found.n:,} reviews, weights of step {found.checkpoint_step}",
        f"{'accuracy of the network':<42} {found.accuracy:.2%}",
        f"{'cross-entropy':<42} {found.loss:.4f} nats",
        "",
        f"{'class':<{width}}" + "".join(f"{name:>11}" for name in ("precision", "recall", "F1", "reviews")),
    ]
    for n, name in enumerate(classes):
        hits, said, there = matrix[n, n], matrix[:, n].sum(), matrix[n].sum()
        precision, recall = hits / max(said, 1), hits / max(there, 1)
        f1 = 2 * hits / max(said + there, 1)
        lines.append(f"{name:<{width}}{precision:>11.2%}{recall:>11.2%}{f1:>11.2%}{there:>11,}")
    corner = "true / predicted"
    lines += ["", f"{corner:<{width + 6}}" + "".join(f"{name:>{width}}" for name in classes)]
    for name, row in zip(classes, matrix, strict=True):
        lines.append(f"{name:<{width + 6}}" + "".join(f"{count:>{width},}" for count in row))
    return "\n".join(lines) + "\n"
