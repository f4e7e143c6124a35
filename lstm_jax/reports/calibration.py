"""Calibration: whether a network is right as often as its probabilities say (reliability diagrams, Guo et al. 2017)."""

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax.reports import plots
from lstm_jax.types import HostArray

BINS = 10


class Bins(NamedTuple):
    """Predictions binned by confidence. Each field is ``[BINS]``; means of an empty bin are NaN."""

    confidence: HostArray  # Mean probability of the predicted class.
    accuracy: HostArray
    share: HostArray  # Share of all predictions.


def bins(probabilities: HostArray, labels: HostArray) -> Bins:
    """Bins ``probabilities[N, C]`` by confidence, in equal widths between chance, 1 / C, and 1; ``labels`` are [N]."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    guess = 1 / probabilities.shape[1]
    place = np.clip(((confidence - guess) / (1 - guess) * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    of = np.where(counts > 0, counts, np.nan)
    means = [np.bincount(place, weights=values, minlength=BINS) / of for values in (confidence, right)]
    return Bins(means[0], means[1], counts / len(labels))


def bin_edges(classes: int) -> list[tuple[float, float]]:
    """The lowest and the highest confidence of each bin."""
    edges = np.linspace(1 / classes, 1, BINS + 1).tolist()
    return list(itertools.pairwise(edges))


def expected_error(found: Bins) -> float:
    """The expected calibration error: mean distance of confidence and accuracy, weighted by the bins' shares."""
    return float(np.nansum(found.share * np.abs(found.confidence - found.accuracy)))


def draw_calibration(found: Bins, path: Path) -> None:
    """Draws accuracy over confidence, and below it the share of predictions over confidence."""
    drawn, (above, below) = plots.figure(5.2, 5.6, 2, sharex=True, height_ratios=[3, 1])
    there = found.share > 0
    above.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    above.plot(found.confidence[there], found.accuracy[there], marker="o", color=plots.SPLIT_COLOURS["validation"])
    above.set(ylabel="accuracy", ylim=(0, 1.02))
    above.set_title(f"expected calibration error {expected_error(found):.1%}")
    below.bar(found.confidence[there], found.share[there], width=0.03, color=plots.SPLIT_COLOURS["train"])
    below.set(xlabel="probability of the predicted class", ylabel="share", xlim=(0, 1.02))
    for axis in (above, below):
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axis.grid(alpha=0.25)
    plots.save(drawn, path)
