"""Figures that a notebook shows."""

import tempfile
from pathlib import Path

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A figure that a notebook shows as a picture, though pyplot has not been imported."""

    def _repr_png_(self) -> bytes:
        from lstm_jax.reports import plots  # It imports Matplotlib, and this module, only when it draws.

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figure.png"
            plots.save(self, path)
            return path.read_bytes()
