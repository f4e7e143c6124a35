"""Checks of figures."""

import itertools

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lstm_jax.reports import plots


def check_readable(drawn) -> None:
    """Checks that no two labels of an axis overlap, and that no text leaves the figure."""
    with matplotlib.rc_context(plots.LITERAL), plots.missing_glyphs_ignored():
        renderer = FigureCanvasAgg(drawn).get_renderer()
        drawn.draw(renderer)
        for axes in drawn.axes:
            texts = [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
                labels = [tick.label1 for tick in ticks if tick.label1.get_text() and tick.label1.get_visible()]
                texts += labels
                boxes = [label.get_window_extent(renderer) for label in labels]
                for (a, one), (b, other) in itertools.combinations(zip(labels, boxes, strict=True), 2):
                    assert not one.overlaps(other), (a.get_text(), b.get_text())
            for text in texts:
                box, whole = text.get_window_extent(renderer), drawn.bbox
                inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1
                assert inside or not text.get_text(), text.get_text()
            if legend := axes.get_legend():
                assert not legend.get_window_extent(renderer).overlaps(axes.bbox.padded(-1))
