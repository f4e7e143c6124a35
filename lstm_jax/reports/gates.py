"""Gates, state and prediction of a recurrent layer after each token of one text."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.reports import plots, ticks
from lstm_jax.types import HostArray

BETWEEN = 0.3  # Space between the two directions, where a panel is 1.
# Colour map and range of values by kind of panel. A larger value widens the range.
SCALES = {"gates": ("viridis", 0.0, 1.0), "candidate": ("RdBu_r", -1.0, 1.0), "state": ("RdBu_r", 0.0, 0.0)}
MOST_TOKENS = 60  # Maximum number of tokens in a row of the picture.
LONGEST_TOKEN = 24  # Maximum number of characters of a token; longer ones are drawn without their middle.
LONGEST_PANEL = 17  # Maximum number of characters of a panel's name, which stands in the left margin too.
LONGEST_CLASS = 13  # Maximum number of characters of a class, which stands in the left margin.
ALONE, SO_FAR = "the prediction from this token's output alone", "the prediction after the text so far"
UNKNOWN_COLOUR = "#c0392b"

# Sizes in inches.
LEFT, RIGHT = 1.6, 0.3  # Margins.
COLUMN, LEAST_WIDTH = 0.24, 5.6  # Width of a token in a long text, and the least width of a row.
LINE, KEY_HEIGHT = 0.22, 0.75  # Height of a line of the heading, and of the colours' key below it.
CHARACTER = 0.077  # Height of a character of a token, which is written upwards.
LEGEND, CURVES, SPACE = 0.35, 1.1, 0.4  # Heights of the curves' legend, of the curves, and of the space below a row.


# What a direction of a layer shows of a text, each ``[T, H]``, by the names that ``Cell.gates`` has.
Trace = Mapping[str, HostArray]


class Predictions(NamedTuple):
    """The probability of a class while a text is read, each ``[T]``."""

    name: str  # The class's name.
    so_far: HostArray  # From the text up to each token.
    by_itself: HostArray  # From each token's outputs alone. Backward outputs have read the tokens that follow.


def kind_of(name: str) -> str:
    """The kind of a panel, by the name of what it shows; see ``Cell.gates``."""
    if name.endswith("gate"):
        return "gates"
    return "candidate" if name.endswith("candidate") else "state"


def panel_names(trace: Trace) -> list[str]:
    """The panels of a direction from the top: gates, candidates, states, each kind by name."""
    return sorted(trace, key=lambda name: (list(SCALES).index(kind_of(name)), name))


def token_rows(tokens: int) -> list[slice]:
    """The rows of the picture of a text: as few as possible, of at most ``MOST_TOKENS`` tokens, equally long."""
    length = -(-tokens // -(-tokens // MOST_TOKENS))
    return [slice(first, min(first + length, tokens)) for first in range(0, tokens, length)]


def draw_gates(
    directions: Mapping[str, Trace],
    words: list[str],
    predictions: Predictions,
    heading: list[str],
    unknown: str = "[UNK]",
) -> Any:
    """Draws gates and state, unit by unit, and the probability of a class after each token, in rows of tokens.

    Args:
      directions: What each direction of the layer shows of T tokens, by the direction's name.
      words: The T tokens as text.
      predictions: Predictions after each of the T tokens.
      heading: Lines above the picture.
      unknown: The token that stands for unknown ones; it is drawn in red.

    Returns:
      The figure.
    """
    import matplotlib

    rows = token_rows(len(words))
    words = [plots.shortened(plots.printable(word), LONGEST_TOKEN) for word in words]
    columns = rows[0].stop
    across = max(LEAST_WIDTH, COLUMN * columns)
    width = LEFT + across + RIGHT
    lines = [line for text in heading for line in textwrap.wrap(text, int(width / plots.LETTER)) or [""]]
    panels = sum(len(trace) for trace in directions.values())
    # A short text has room for tall panels.
    inside = panels * max(0.42, min(1.0, 5 / (panels * len(rows))))
    below = CHARACTER * max(map(len, words)) + SPACE
    top = LINE * len(lines) + 0.15
    height = top + KEY_HEIGHT + len(rows) * (inside + LEGEND + CURVES + below)
    with matplotlib.rc_context(plots.STYLE):  # All sizes are in inches, from the upper left corner of the figure.
        drawn = plots.shown_figure_class()(figsize=(width, height))

        def axes(left: float, top: float, width_here: float, height_here: float) -> Any:
            bottom = height - top - height_here
            return drawn.add_axes((left / width, bottom / height, width_here / width, height_here / height))

        drawn.text(0.15 / width, 1 - 0.1 / height, "\n".join(lines), va="top", fontsize=10, linespacing=1.4)
        scales = _scales(directions)
        for n, name in enumerate(scales):
            _colour_key(drawn, axes(LEFT + n * 2.0, top + 0.22, 1.5, 0.12), name, scales)
        y = top + KEY_HEIGHT
        for row in rows:
            _draw_panels(axes(LEFT, y, across, inside), directions, row, columns, scales)
            y += inside + LEGEND
            _draw_predictions(axes(LEFT, y, across, CURVES), predictions, words, row, columns, unknown)
            y += CURVES + below
        plots.draw_literally(drawn)
    return drawn


def _scales(directions: Mapping[str, Trace]) -> dict[str, tuple[str, float, float]]:
    """Colour map and range of values of each kind of panel there is, the same in all directions."""
    scales = {}
    for kind, (colours, low, high) in SCALES.items():
        own = [array for trace in directions.values() for name, array in trace.items() if kind_of(name) == kind]
        if own:
            highest = max(high, *(float(np.abs(array).max()) for array in own)) or 1.0
            scales[kind] = (colours, low if kind == "gates" else -highest, highest)
    return scales


def _colour_key(drawn: Any, axes: Any, name: str, scales: dict[str, tuple[str, float, float]]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colours, low, high = scales[name]
    bar = drawn.colorbar(ScalarMappable(Normalize(low, high), colours), cax=axes, orientation="horizontal")
    ticks = (low, (low + high) / 2, high)
    bar.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks], fontsize=8)
    axes.set_title(name, fontsize=9, pad=3)


def _draw_panels(axes: Any, directions: Mapping[str, Trace], row: slice, columns: int, scales: dict[str, Any]) -> None:
    """Draws all panels of a row into one pair of axes, whose vertical unit is a panel."""
    places: list[tuple[float, str, str]] = []
    top = -BETWEEN
    for direction, title, values in _panels(directions):
        top += BETWEEN if not places or direction != places[-1][2] else 0
        colours, low, high = scales[kind_of(title)]
        part = values[row].T
        extent = (-0.5, part.shape[1] - 0.5, top + 0.94, top)
        axes.imshow(part, aspect="auto", extent=extent, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        places.append((top + 0.47, plots.shortened(plots.printable(title), LONGEST_PANEL), direction))
        top += 1
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(top, 0))
    axes.set_xticks([])
    axes.set_yticks([place for place, _, _ in places], [title for _, title, _ in places], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    for direction in directions if len(directions) > 1 else ():
        centre = np.mean([place for place, _, own in places if own == direction])
        options = {"rotation": 90, "ha": "center", "va": "center", "fontsize": 10, "clip_on": False}
        axes.text(0.25 - LEFT, centre, direction, transform=_inches_from(axes), **options)


def _panels(directions: Mapping[str, Trace]) -> Iterator[tuple[str, str, HostArray]]:
    """Direction, name and values of each panel, its units sorted by the last panel at the end of the text.

    Sorting places similar units next to each other. A backward layer ends at the first token.
    """
    for direction, trace in directions.items():
        names = panel_names(trace)
        order = np.argsort(trace[names[-1]][0 if direction == "backward" else -1])[::-1]
        for name in names:
            yield direction, name, trace[name][:, order]


def _inches_from(axes: Any) -> Any:
    """Coordinates in inches from the left edge of axes, and vertically in units of the data."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    edge = ScaledTranslation(axes.get_position().x0 * axes.figure.get_figwidth(), 0, axes.figure.dpi_scale_trans)
    return blended_transform_factory(axes.figure.dpi_scale_trans + edge, axes.transData)


def _draw_predictions(
    axes: Any, predictions: Predictions, words: list[str], row: slice, columns: int, unknown: str
) -> None:
    """Draws the two predictions over the tokens of a row, with the tokens below them."""
    style: dict[str, Any] = {"marker": "o", "clip_on": False}
    alone, so_far = predictions.by_itself[row], predictions.so_far[row]
    axes.plot(alone, color=plots.SPLIT_COLOURS["train"], markersize=6, label=ALONE, **style)
    axes.plot(so_far, color=plots.SPLIT_COLOURS["validation"], markersize=4, label=SO_FAR, **style)
    axes.axhline(1 / 2, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(-0.03, 1.03))
    axes.set_xticks(range(len(alone)), [])
    axes.set_yticks([0, 0.5, 1])
    ticks.label_percent(axes.yaxis)
    name = plots.shortened(plots.printable(predictions.name), LONGEST_CLASS)
    axes.set_ylabel(f"probability of\n{name}", rotation=0, ha="right", va="center", fontsize=9)
    axes.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower right", bbox_to_anchor=(1, 1.0), borderaxespad=0.2)
    for n, word in enumerate(words[row]):
        options = {"transform": axes.get_xaxis_transform(), "rotation": 90, "ha": "center", "va": "top"}
        colour = UNKNOWN_COLOUR if word == unknown else "black"
        axes.text(n, -0.1, word, color=colour, fontfamily="monospace", fontsize=9, **options)
    if columns < len(words):
        place = {"transform": axes.transAxes, "ha": "right", "va": "top", "fontsize": 9, "color": "#555555"}
        axes.text(-0.4 / axes.get_position().width / axes.figure.get_figwidth(), -0.1, _span(row), **place)


def _span(row: slice) -> str:
    return f"tokens {row.start + 1:,}–{row.stop:,}" if row.stop > row.start + 1 else f"token {row.stop:,}"
