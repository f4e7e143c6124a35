"""Tables as text, for the terminal and as Markdown."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from lstm_jax.characters import printable

SHOWN_CLASSES = 6  # The most classes that have a column of their own in the table of splits.


class TableCell(NamedTuple):
    """A cell of a table."""

    text: str
    value: float | str = ""  # The value by which its column is sorted.
    mark: str = ""  # On a page, the cell's CSS class.
    drawn: str = ""  # On a page, HTML that follows the text.
    shade: float = 0.0  # On a page, how strongly the cell is coloured, from 0 to 1.


class Table(NamedTuple):
    """A table, independent of the output format."""

    caption: str
    columns: tuple[str, ...]
    rows: list[list[TableCell]]


class EvaluationFigures(NamedTuple):
    """The metrics of an evaluation."""

    accuracy: float
    loss: float  # Nats per example.
    n: int  # Number of examples.
    confusion: list[list[int]]  # [C, C], true class by row.
    calibration_error: float  # Expected calibration error; see ``calibration.py``.
    lanes: list[float]  # Accuracy of each lane by itself.
    checkpoint_step: int


def summary(params: Any, frozen: Any) -> str:
    """The parts of a model with the shapes and the number of their weights.

    Args:
      params: The trained weights of a TextClassifier. Every leaf has a leading axis L, the lanes.
      frozen: The weights that are not trained, in the same layout.
    """
    parts = [(name, frozen[name], "frozen") for name in sorted(frozen)]
    parts += [("embedding", {"embedding": params["embedding"]}, "")] if "embedding" in params else []
    for n, layer in enumerate(params["layers"]["cells"]):
        directions = layer._asdict() if hasattr(layer, "forward") else {"": layer}
        parts += [(f"layer {n + 1} {name}".rstrip(), weights, "") for name, weights in directions.items()]
    parts += [(name, params[name], "") for name in sorted(params) if name not in ("embedding", "layers")]
    rows = []
    for name, weights, mark in parts:
        leaves = [leaf.shape[1:] for leaf in jax.tree.leaves(weights)]
        shapes = ", ".join("×".join(map(str, shape)) for shape in leaves)
        kind = type(weights).__name__.removesuffix("Params") if isinstance(weights, tuple) else mark
        rows.append((name, kind, shapes, sum(math.prod(shape) for shape in leaves)))
    frozen_count = sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(frozen))
    total = sum(row[-1] for row in rows)
    width = max(len(row[2]) for row in rows)
    lines = [f"{'part':<18}{'kind':<8}{'shapes':<{width}}{'weights':>14}"]
    lines += [f"{name:<18}{kind:<8}{shapes:<{width}}{count:>14,}" for name, kind, shapes, count in rows]
    lines.append(f"{'all':<18}{'':<8}{'':<{width}}{total:>14,}")
    return "\n".join(lines) + (f"\nof these {frozen_count:,} are not trained" if frozen_count else "")


def splits(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The size of each split, the shares of its classes, and the share of its tokens that are unknown."""
    names = list(next(iter(found.values()))["classes"])
    shown = names if len(names) <= SHOWN_CLASSES else []
    widths = [max(len(printable(name)) + 2, 10) for name in shown]
    head = "".join(f"{printable(name):>{width}}" for name, width in zip(shown, widths, strict=True))
    lines = [f"{'split':<12}{'examples':>12}{head}{'unknown tokens':>18}"]
    for split, own in found.items():
        shares = [own["classes"][name] / max(own["examples"], 1) for name in shown]
        middle = "".join(f"{share:>{width}.1%}" for share, width in zip(shares, widths, strict=True))
        lines.append(f"{split:<12}{own['examples']:>12,}{middle}{own['unknown_tokens']:>18.1%}")
        if not shown:
            (least, few), (most, many) = (pick(own["classes"].items(), key=lambda each: each[1]) for pick in (min, max))
            lines.append(
                f"    {len(names)} classes, the rarest {least!r} ({few:,}), the most frequent {most!r} ({many:,})"
            )
    return "\n".join(lines)


def epochs_table(rows: list[dict[str, Any]]) -> str:
    """Loss and accuracy on the training and test splits after each epoch, means over the lanes."""
    there = sorted({row["epoch"] for row in rows})
    lines = []
    for epoch in there:
        mean = {
            (split, name): float(
                np.mean([_number(r[name]) for r in rows if r["epoch"] == epoch and r["split"] == split])
            )
            for split in ("train", "test")
            for name in ("loss", "accuracy")
        }
        lines.append(
            f"[Epoch: {epoch:>2}/{there[-1]}]  Training Loss: {mean['train', 'loss']:.3f}  "
            f"Testing Loss: {mean['test', 'loss']:.3f}  Training Acc: {100 * mean['train', 'accuracy']:.2f}  "
            f"Testing Acc: {100 * mean['test', 'accuracy']:.2f}"
        )
    return "\n".join(lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first row is its head."""
    escaped = [[printable(" ".join(text.split())).replace("|", "\\|") for text in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in escaped]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def turned_table(table: Table) -> str:
    """A table for a terminal, with a column for each of its rows."""
    columns = [table.columns, *([cell.text for cell in row] for row in table.rows)]
    columns = [[printable(text) for text in column] for column in columns]
    first, *widths = [max(map(len, column)) for column in columns]
    lines = []
    for name, *values in zip(*columns, strict=True):
        cells = "".join(f"{value:>{width + 2}}" for value, width in zip(values, widths, strict=True))
        lines.append(f"{name:<{first}}{cells}")
    return "\n".join(lines)


def mean_and_deviation(accuracies: list[float]) -> str:
    """Accuracies of several seeds in percent, such as ``86.21 ± 0.13``, with the sample standard deviation."""
    mean = f"{100 * np.mean(accuracies):.2f}"
    return f"{mean} ± {100 * np.std(accuracies, ddof=1):.2f}" if len(accuracies) > 1 else mean


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def figures(found: EvaluationFigures, classes: tuple[str, ...], split: str, published: float = 0.0) -> str:
    """Accuracy and loss, precision, recall and F1 of each class, and the confusion matrix."""
    matrix = np.array(found.confusion)
    classes = tuple(map(printable, classes))
    width = max(10, *(len(name) + 2 for name in classes))
    lines = [
        f"{printable(split)}: {found.n:,} reviews, weights of step {found.checkpoint_step}",
        f"{'accuracy of the network':<42} {found.accuracy:.2%}",
        *([f"{'accuracy reported by the source':<42} {published:.2%}"] if published else []),
        *(
            [f"{'accuracy of each lane':<42} {', '.join(f'{a:.2%}' for a in found.lanes)}"]
            if len(found.lanes) > 1
            else []
        ),
        f"{'cross-entropy':<42} {found.loss:.4f} nats",
        f"{'expected calibration error':<42} {found.calibration_error:.2%}",
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
