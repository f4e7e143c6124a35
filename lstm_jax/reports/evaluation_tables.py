"""The tables of a run's report that describe one evaluation."""

import math

import numpy as np

from lstm_jax.reports import calibration
from lstm_jax.reports.intervals import (
    Interval,
    f1_by_class,
    macro_f1_interval,
    mean_interval,
    quantile_groups,
    share_interval,
)
from lstm_jax.reports.tables import EvaluationFigures, Table, TableCell
from lstm_jax.types import HostArray

NUMBERED_CLASSES = 6  # With more classes, the columns of the confusion matrix have numbers instead of names.
MOST_CLASSES = 60  # With more classes, the confusion matrix is left out.
CONFUSED_PAIRS = 10

TABLE_STYLE = """
.confusion td { text-align: center; min-width: 1.7rem; padding: .15rem .2rem; }
.confusion thead th:not(:first-child) { text-align: center; padding: .15rem .2rem; }
.confusion thead th, th[scope=row] { white-space: normal; min-width: min-content; overflow-wrap: break-word; }
th[scope=row] { width: 14rem; max-width: 14rem; min-width: 9rem; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 1.5rem; }
.pair > * { min-width: 0; } .pair th, .pair td { padding: .35rem .5rem; }
.pair th[scope=row] { width: auto; min-width: 0; white-space: nowrap; }
.whisker { width: 3.5rem; height: .8rem; vertical-align: middle; margin-left: .5rem; color: var(--blue); }
"""


def headline(figures: EvaluationFigures, losses: HostArray, unknown: float, reference: float) -> Table:
    """The figures of an evaluation with their 95 % intervals.

    Args:
      figures: The figures.
      losses: The loss of each example in nats, ``[N]``.
      unknown: Share of unknown tokens.
      reference: Test accuracy that the config's source reports; 0: none.
    """
    matrix = np.array(figures.confusion)
    rows = [
        ("accuracy", _percent(share_interval(int(np.trace(matrix)), figures.n))),
        ("macro F1", _percent(macro_f1_interval(matrix))),
        ("cross-entropy (nats)", _plain(mean_interval(losses))),
        ("expected calibration error", f"{figures.calibration_error:.2%}"),
        ("examples", f"{figures.n:,}"),
        ("unknown tokens", f"{unknown:.2%}"),
    ]
    if len(figures.lanes) > 1:
        rows.insert(1, ("accuracy of each lane", ", ".join(f"{own:.2%}" for own in figures.lanes)))
    if reference:
        rows.insert(1, ("test accuracy reported by the source", f"{reference:.2%}"))
    caption = "95 % intervals are Wilson's (accuracy), by bootstrap (F1) and normal (cross-entropy)"
    return Table(caption, (), [[TableCell(name), TableCell(value)] for name, value in rows])


def _percent(found: Interval) -> str:
    return f"{found.mean:.2%} [{100 * found.low:.2f}, {100 * found.high:.2f}]"


def _plain(found: Interval) -> str:
    interval = "" if math.isnan(found.low) else f" [{found.low:.4f}, {found.high:.4f}]"
    return f"{found.mean:.4f}{interval}"


def class_table(confusion: HostArray, names: tuple[str, ...]) -> Table:
    """Precision, recall and F1 of each class; ``–`` where there is nothing to divide by."""
    hits, predicted, true = np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    f1 = f1_by_class(hits, predicted, true)
    rows = []
    for n, name in enumerate(names):
        shares = [_share(hits[n], predicted[n]), _share(hits[n], true[n])]
        score = TableCell("–", -1.0) if math.isnan(f1[n]) else TableCell(f"{f1[n]:.2%}", float(f1[n]))
        counts = [TableCell(f"{int(each):,}", int(each)) for each in (true[n], predicted[n])]
        rows.append([TableCell(f"{n + 1} {name}", n), *shares, score, *counts])
    return Table("Each class", ("class", "precision", "recall", "F1", "examples", "predicted"), rows)


def _share(part: int, of: int) -> TableCell:
    return TableCell(f"{part / of:.2%}", float(part / of)) if of else TableCell("–", -1.0)


def confusion_table(confusion: HostArray, names: tuple[str, ...]) -> Table:
    """The confusion matrix, each cell shaded by its share of the true class."""
    numbered = len(names) > NUMBERED_CLASSES
    rows = []
    for n, (name, counts) in enumerate(zip(names, confusion, strict=True)):
        shares = counts / max(counts.sum(), 1)
        texts = [_count(*each, numbered) for each in zip(counts, shares, strict=True)]
        cells = [TableCell(text, shade=float(share)) for text, share in zip(texts, shares, strict=True)]
        rows.append([TableCell(f"{n + 1} {name}"), *cells])
    columns = tuple(str(n + 1) if numbered else f"{n + 1} {name}" for n, name in enumerate(names))
    caption = "Confusion: rows are true classes, columns are predicted ones"
    return Table(caption, ("true / predicted", *columns), rows)


def _count(count: int, share: float, numbered: bool) -> str:
    if numbered:
        return f"{count:,}" if count else ""
    return f"{count:,} ({share:.1%})"


def confused_pairs(confusion: HostArray, names: tuple[str, ...]) -> Table:
    """The most frequent mistakes, by true and predicted class."""
    wrong = confusion * (1 - np.eye(len(confusion), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED_PAIRS]
    rows = []
    for true, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if count := int(wrong[true, predicted]):
            share = count / confusion[true].sum()
            texts = (names[true], names[predicted])
            counts = [TableCell(f"{count:,}", count), TableCell(f"{share:.1%}", share)]
            rows.append([*(TableCell(text, text, mark="text") for text in texts), *counts])
    return Table("The most frequent mistakes", ("true", "predicted", "examples", "of the true class"), rows)


def calibration_table(bins: calibration.Bins, n: int, classes: int) -> Table:
    """How often predictions of each confidence are right."""
    rows = []
    for place, (low, high) in enumerate(calibration.bin_edges(classes)):
        count = round(float(bins.share[place]) * n)
        if not count:
            rows.append([TableCell(f"{low:.0%}–{high:.0%}"), TableCell("0"), *[TableCell("–")] * 2])
            continue
        found = share_interval(round(float(bins.accuracy[place]) * count), count)
        mean = f"{bins.confidence[place]:.1%}"
        rows.append(
            [TableCell(f"{low:.0%}–{high:.0%}"), TableCell(f"{count:,}"), TableCell(mean), _with_whisker(found)]
        )
    return Table(
        "Calibration: the accuracy of predictions by their probability, with 95 % intervals",
        ("probability", "examples", "mean", "accuracy"),
        rows,
    )


def group_table(caption: str, column: str, values: HostArray, right: HostArray, percent: bool = False) -> Table:
    """Accuracy over a property of the examples, in groups of about equal size.

    Args:
      caption: What the table shows.
      column: The name of the property.
      values: The property of each example, ``[N]``.
      right: Whether each example is classified rightly, ``[N]``.
      percent: Whether the property is a share.
    """
    rows = []
    for members in quantile_groups(values):
        ends = [f"{end:.1%}" if percent else f"{end:,.0f}" for end in (values[members].min(), values[members].max())]
        found = share_interval(int(right[members].sum()), len(members))
        label = "–".join(dict.fromkeys(ends))
        rows.append([TableCell(label), TableCell(f"{len(members):,}"), _with_whisker(found)])
    return Table(caption, (column, "examples", "accuracy"), rows)


def _with_whisker(found: Interval) -> TableCell:
    """An accuracy with its interval, which is drawn too, on an axis from 0 to 1."""
    low, mean, high = (round(100 * value, 1) for value in (found.low, found.mean, found.high))
    drawn = (
        '<svg class="whisker" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<path d="M0 0V10M100 0V10" stroke="currentColor" stroke-opacity=".3" vector-effect="non-scaling-stroke"/>'
        f'<path d="M{low} 5H{high}" stroke="currentColor" stroke-width="2" vector-effect="non-scaling-stroke"/>'
        f'<path d="M{mean} 1V9" stroke="currentColor" stroke-width="3" vector-effect="non-scaling-stroke"/></svg>'
    )
    return TableCell(f"{found.mean:.2%} [{100 * found.low:.1f}, {100 * found.high:.1f}]", drawn=drawn)
