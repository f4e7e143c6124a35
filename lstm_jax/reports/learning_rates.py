"""The picture of the search for a learning rate."""

from pathlib import Path

import numpy as np

from lstm_jax.reports.plots import figure, save
from lstm_jax.reports.ticks import label_plain
from lstm_jax.types import HostArray


def draw_losses(learning_rates: HostArray, losses: HostArray, first_loss: float, path: Path) -> None:
    """Draws the loss ``[L]`` over the learning rate ``[L]``; losses that are NaN are marked as diverged.

    Losses far above the first one are drawn as triangles at the upper edge, so that the others can be told apart.
    """
    drawn, axes = figure(7, 4.2)
    finite = np.isfinite(losses)
    top = first_loss + 0.5 * (first_loss - np.min(losses, where=finite, initial=first_loss)) + 0.05
    shown = np.where(finite, np.minimum(losses, top), top)
    axes.semilogx(learning_rates[finite], shown[finite], color="#d95f02", marker="o", linewidth=1.8)
    beyond = finite & (losses > top)
    axes.semilogx(learning_rates[beyond], shown[beyond], color="#d95f02", marker="^", markersize=9, linestyle="")
    axes.semilogx(learning_rates[~finite], shown[~finite], color="#d95f02", marker="x", linestyle="")
    for rate in learning_rates[~finite]:
        axes.annotate("diverged", (rate, top), xytext=(0, 6), ha="center", textcoords="offset points", fontsize=8)
    axes.axhline(first_loss, color="grey", linewidth=0.8, linestyle=":")
    place = {"xytext": (0, 4), "textcoords": "offset points", "ha": "right"}  # The curve begins on the left.
    axes.annotate("before training", (learning_rates[-1], first_loss), **place)
    if finite.any():
        best = np.nanargmin(losses)
        axes.annotate(
            f"{learning_rates[best]:.2g}", (learning_rates[best], shown[best]), xytext=(0, -14), ha="center",
            textcoords="offset points",
        )  # fmt: skip
    axes.set(xlabel="learning rate", ylabel="training cross-entropy (nats)")
    axes.margins(y=0.12)
    label_plain(axes.xaxis)
    axes.grid(alpha=0.25)
    save(drawn, path)
