"""The files that a study of memory writes: ``table.md``, ``runs.csv``, ``memory.png`` and ``report.html``."""

import csv
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.files import write_text
from lstm_jax.reports import plots, ticks
from lstm_jax.reports.page import escaped, html_figure, html_page, html_table
from lstm_jax.reports.tables import Table, TableCell
from lstm_jax.studies.reports.tables import to_markdown

SOLVED = 0.99  # Accuracy from which a length counts as solved.
TASKS_A_ROW = 3
LAYER_COLOURS = tuple(f"C{n}" for n in range(10) if n != 7)  # Grey is for the constant answer.


class MemoryRun(NamedTuple):
    """One training run."""

    layer: str
    hidden_size: int
    weights: int
    learning_rate: float
    seed: int
    status: str  # done | diverged
    validation: float | None  # Best validation accuracy; None: it diverged before any validation.
    accuracies: dict[int, float]  # Test accuracy by length.
    seconds: float  # Training without compiling, with other lanes beside it.


class TaskResult(NamedTuple):
    """All runs on a task."""

    task: str
    unit: str  # What a length counts.
    longest: int  # The longest length in training.
    tested: tuple[int, ...]
    chance: list[float]  # Accuracy of the best constant answer, by tested length.
    runs: list[MemoryRun]

    def chosen(self) -> dict[str, list[MemoryRun]]:
        """The seeds of each layer at the learning rate with the best mean validation accuracy."""
        by_layer: dict[str, dict[float, list[MemoryRun]]] = {}
        for run in self.runs:
            by_layer.setdefault(run.layer, {}).setdefault(run.learning_rate, []).append(run)
        score = lambda runs: float(np.mean([run.validation or 0.0 for run in runs]))
        return {layer: max(rates.values(), key=score) for layer, rates in by_layer.items()}


class MemoryResult(NamedTuple):
    """The whole study."""

    weights: int  # The number that all networks should have.
    steps: int
    seeds: int
    tasks: list[TaskResult]


def mean_accuracies(runs: list[MemoryRun]) -> dict[int, float]:
    """Mean test accuracy over the seeds, by length."""
    return {length: float(np.mean([run.accuracies[length] for run in runs])) for length in runs[0].accuracies}


def solved_up_to(runs: list[MemoryRun]) -> int:
    """The longest length up to which the mean accuracy is at least ``SOLVED`` at every tested length; 0: none is."""
    solved = 0
    for length, accuracy in sorted(mean_accuracies(runs).items()):
        if accuracy < SOLVED:
            break
        solved = length
    return solved


def write_memory(result: MemoryResult, workdir: Path) -> str:
    """Writes all files and returns the text of ``table.md``."""
    write_text(workdir / "runs.csv", memory_csv(result))
    picture = workdir / "memory.png"
    draw_memory(result, picture)
    parts, page = [], [f"<p>{escaped(about(result))}</p>", html_figure(picture, PICTURE_CAPTION, panels=True)]
    for each in result.tasks:
        table, line = task_table(each, result.seeds), solved_line(each)
        parts += [f"{table.caption}.", to_markdown(table).rstrip("\n"), line]
        page += [f"<h2>{escaped(each.task)}</h2>", html_table(table, "ranking"), f"<p>{escaped(line)}</p>"]
    text = "\n\n".join([about(result), *parts]) + "\n"
    write_text(workdir / "table.md", text)
    write_text(workdir / "report.html", html_page("Memory over distance", "\n".join(page)))
    return text


PICTURE_CAPTION = (
    "Test accuracy over length, mean of the seeds. Grey: the best constant answer. Dotted: the longest trained."
)


def about(result: MemoryResult) -> str:
    """What is compared, in a sentence or two."""
    return (
        f"Networks of about {result.weights:,} weights, trained for {result.steps:,} steps on new examples of mixed "
        f"lengths. Accuracy on test examples, mean over {counted(result.seeds)}; validation examples choose a layer's "
        "learning rate."
    )


def counted(seeds: int) -> str:
    """A number of seeds in words."""
    return f"{seeds} seed{'s' * (seeds > 1)}"


def task_table(result: TaskResult, seeds: int) -> Table:
    """A row per layer, a column per length."""
    caption = (
        f"{result.task}: test accuracy in percent by the number of {result.unit}, mean over {counted(seeds)}; training "
        f"has up to {result.longest}"
    )
    columns = ("layer", "units", "weights", "learning rate", *map(str, result.tested), "solved up to")
    rows = []
    for layer, runs in result.chosen().items():
        first, solved, lost = runs[0], solved_up_to(runs), sum(run.status != "done" for run in runs)
        name = f"{layer} ({lost} of {len(runs)} diverged)" if lost else layer
        figures = [TableCell(f"{100 * share:.1f}", share) for share in mean_accuracies(runs).values()]
        rows.append(
            [
                TableCell(name),
                TableCell(f"{first.hidden_size:,}", first.hidden_size),
                TableCell(f"{first.weights:,}", first.weights),
                TableCell(f"{first.learning_rate:g}", first.learning_rate),
                *figures,
                TableCell(str(solved or "–"), solved),
            ]
        )
    chance = [TableCell(f"{100 * share:.1f}", share) for share in result.chance]
    empty = TableCell("")
    rows.append([TableCell("best constant answer"), empty, empty, empty, *chance, empty])
    return Table(caption, columns, rows)


def solved_line(result: TaskResult) -> str:
    """The length up to which each layer solves the task."""
    found = {layer: solved_up_to(runs) for layer, runs in result.chosen().items()}
    each = "; ".join(f"{layer}: {length or 'none'}" for layer, length in sorted(found.items(), key=lambda own: -own[1]))
    return f"{result.task}, solved (at least {SOLVED:.0%}) up to this number of {result.unit}: {each}."


def memory_csv(result: MemoryResult) -> str:
    """One row per run and length."""
    rows: list[dict[str, Any]] = []
    for each in result.tasks:
        chosen = {layer: runs[0].learning_rate for layer, runs in each.chosen().items()}
        for run in each.runs:
            fields = run._asdict()
            accuracies = fields.pop("accuracies")
            fields["seconds"] = round(run.seconds, 3)
            own = {"task": each.task, **fields, "chosen": int(run.learning_rate == chosen[run.layer])}
            rows += [own | {"length": length, "test_accuracy": share} for length, share in accuracies.items()]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def draw_memory(result: MemoryResult, path: Path) -> None:
    """Accuracy over length, a panel a task and a line a layer; the range of the seeds as a band."""
    columns = min(TASKS_A_ROW, len(result.tasks))
    lines = -(-len(result.tasks) // columns)
    drawn, grid = plots.figure(3.4 * columns + 1.6, 2.7 * lines + 0.4, lines, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(result.tasks) :]:
        axes.set_axis_off()
    for axes, each in zip(grid.flat, result.tasks, strict=False):
        _panel(axes, each)
    plots.legend_outside(grid[0, -1], fontsize=9)
    drawn.supylabel("test accuracy", fontsize=10)
    plots.save(drawn, path)


def _panel(axes: Any, result: TaskResult) -> None:
    axes.plot(result.tested, result.chance, color="#9aa0a6", linewidth=3, alpha=0.6, label="best constant answer")
    for n, (layer, runs) in enumerate(result.chosen().items()):
        colour, line = LAYER_COLOURS[n % len(LAYER_COLOURS)], ("-", "--")[n // len(LAYER_COLOURS) % 2]
        means, every = mean_accuracies(runs), np.array([list(run.accuracies.values()) for run in runs])
        band = every.min(axis=0), every.max(axis=0)
        axes.fill_between(result.tested, *band, alpha=0.12, linewidth=0, color=colour)
        style = {"color": colour, "linestyle": line, "marker": "."}
        axes.plot(list(means), list(means.values()), label=plots.legend_label(layer), **style)
    axes.axvline(result.longest, color="black", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_xticks(result.tested, [f"{length:,}" for length in result.tested], fontsize=8)
    axes.minorticks_off()
    axes.set_ylim(-0.03, 1.03)
    ticks.label_percent(axes.yaxis)
    axes.set_title(result.task, fontsize=10)
    axes.set_xlabel(result.unit, fontsize=9)
    axes.grid(alpha=0.25)
