"""The tables of a comparison, as Markdown and as LaTeX. ``page.py`` renders the same tables as HTML."""

import math

import numpy as np

from lstm_jax.reports.tables import Table, TableCell, markdown
from lstm_jax.studies.results import Entry, Result
from lstm_jax.studies.search import learning_rate_of
from lstm_jax.studies.statistics import Pair

OUTCOME_LETTERS = {"win": "W", "tie": "=", "loss": "L", "": "·"}
MARKED = ("win", "loss")  # Outcomes whose cells the page shades.


def ranking(result: Result) -> Table:
    """One row per optimizer, the best on the test split first."""
    columns = ["optimizer", "learning rate", "validation", "test accuracy", "win/tie/loss"]
    steps = ""
    if result.target:
        columns += [f"steps to {result.target:.2%}", "seconds to it"]
        steps = f"; steps are counted at validations, the first of which is after {result.first_validation}"
    columns += ["ms a step", "learning rates within 1 point", "diverged"]
    seeds, search = len(result.entries[0].held_out), len(result.entries[0].best.runs)
    caption = (
        f"{result.task}: test accuracy of the chosen settings, mean and 95 % bootstrap interval of {seeds} held-out "
        f"seeds; validation accuracy is that of the search, mean of {search} seeds{steps}"
    )
    return Table(caption, tuple(columns), [_ranked(entry, result) for entry in result.entries])


def _ranked(entry: Entry, result: Result) -> list[TableCell]:
    test, record = entry.test, result.record(entry.optimizer)
    decided = any(pair.outcome for pair in result.pairs)
    cells = [
        TableCell(entry.name, entry.optimizer),
        TableCell(f"{entry.learning_rate:g}" + ("", " ↑", " ↓")[entry.edge], entry.learning_rate),
        TableCell(f"{entry.best.accuracy:.2%}", entry.best.accuracy),
        TableCell(f"{test.mean:.2%} [{100 * test.low:.2f}, {100 * test.high:.2f}]", test.mean),
        TableCell("/".join(map(str, record)) if decided else "–", record[0] - record[2] if decided else 0.0),
    ]
    if result.target:
        cells += [_to_target(entry, entry.steps, ",.0f"), _to_target(entry, entry.seconds, ",.1f")]
    cells += [
        TableCell(f"{entry.step_ms:.2f}", entry.step_ms),
        _width(entry, result.target),
        TableCell(f"{entry.diverged} of {len(entry.held_out)}" if entry.diverged else "–", entry.diverged),
    ]
    return cells


def _width(entry: Entry, target: float) -> TableCell:
    """The factor by which the learning rate may vary; empty if not even the best setting reached the target."""
    width = entry.width()
    if width is None or entry.best.accuracy < target:
        return TableCell("–", 0.0)
    return TableCell(f"{'≥' if width.open else '×'} {width.factor:.3g}", width.factor)


def _to_target(entry: Entry, costs: list[float], form: str) -> TableCell:
    """The median over the seeds, with the number that reached the target if not all did."""
    median = float(np.median(costs))
    text = format(median, form) if math.isfinite(median) else "never" if not entry.reached else "–"
    some = f" ({entry.reached} of {len(costs)})" if 0 < entry.reached < len(costs) else ""
    return TableCell(text + some, median if math.isfinite(median) else 1e30)


def outcomes(result: Result) -> Table:
    """Each optimizer against each: W where the row's is better on test reviews, L where it is worse, = a tie."""
    names = [entry.optimizer for entry in result.entries]
    rows = []
    for n, name in enumerate(names):
        cells = [TableCell("") if other == name else _letter(result.outcome(name, other)) for other in names]
        rows.append([TableCell(f"{n + 1} {name}", n), *cells])
    caption = (
        "Row against column by Wilcoxon's signed-rank test on paired seeds, Holm's correction over all pairs of the "
        "task, 5 %; = means only that the test found no difference"
    )
    return Table(caption, ("", *(str(n + 1) for n in range(len(names)))), rows)


def _letter(outcome: str) -> TableCell:
    return TableCell(OUTCOME_LETTERS[outcome], mark=outcome if outcome in MARKED else "")


def pairs(result: Result) -> Table:
    """All comparisons with their figures."""
    columns = ("optimizer", "against", "difference (points)", "p, Wilcoxon", "p, bootstrap", "outcome")
    return Table(
        f"{result.task}: paired differences of test accuracy, each with its own 95 % interval; p-values are corrected "
        "over all pairs of the task by Holm",
        columns,
        [
            [
                TableCell(pair.first, pair.first),
                TableCell(pair.second, pair.second),
                TableCell(_difference(pair), pair.difference.mean),
                TableCell(f"{pair.wilcoxon:.3g}", pair.wilcoxon),
                TableCell(f"{pair.bootstrap:.3g}", pair.bootstrap),
                TableCell(pair.outcome or "–", pair.outcome),
            ]
            for pair in result.pairs
        ],
    )


def _difference(pair: Pair) -> str:
    mean, low, high = (100 * value for value in pair.difference)
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def tried(result: Result) -> Table:
    """All settings of the search."""
    columns = ("optimizer", "setting", "validation", "seeds", "diverged")
    rows = [
        [
            TableCell(entry.optimizer, entry.optimizer),
            TableCell(", ".join(f"{name} {value:g}" for name, value in each.setting), learning_rate_of(each.setting)),
            TableCell(f"{each.accuracy:.2%}", each.accuracy),
            TableCell(str(len(each.runs)), len(each.runs)),
            TableCell(str(each.diverged or "–"), each.diverged),
        ]
        for entry in result.entries
        for each in entry.tried
    ]
    return Table(f"{result.task}: what the search tried", columns, rows)


def to_markdown(table: Table) -> str:
    """A Markdown table."""
    return markdown([table.columns, *([cell.text for cell in row] for row in table.rows)]) + "\n"


def to_latex(table: Table) -> str:
    """A LaTeX table for the package booktabs."""
    lines = [
        r"\begin{table}",
        rf"\caption{{{_escaped(table.caption)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
        r"\toprule",
        " & ".join(map(_escaped, table.columns)) + r" \\",
        r"\midrule",
        *(" & ".join(_escaped(cell.text) for cell in row) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


ESCAPED = {letter: rf"\{letter}" for letter in "_%&#${}"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "·": r"$\cdot$",
}


def _escaped(text: str) -> str:
    return "".join(ESCAPED.get(letter, letter) for letter in text)
