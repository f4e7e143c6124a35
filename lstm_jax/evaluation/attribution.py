"""What every token did to a prediction: integrated gradients (Sundararajan, Taly & Yan 2017).

The output that is explained is the logit of a class minus the mean logit of the others, by default of the predicted
class. With two classes this is the logarithm of the odds. With several lanes it is the mean over the lanes.

The baseline is the vector 0 in place of every embedded token, as in section 6.3 of the paper, with the example's own
length. The gradient is integrated along the straight line from the baseline to the example; a token's score is the sum
over its features. The linear part reads token ids, not vectors. Its baseline is that no token counts, and its share of
each token is exact.

Scores add up to the output minus that of the baseline. The integral is a sum over points, so this holds up to an
error, which is returned. A trained network may change within a thousandth of the line, so points are taken where they
are needed (adaptive quadrature): panels of the line whose slopes miss the change of the output are halved.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from lstm_jax.data import flat_corpus
from lstm_jax.data.batching import EMPTY, Batch, FlatCorpus, bucket_lengths, evaluation_plan, gather
from lstm_jax.evaluation.predictions import probabilities
from lstm_jax.models.classifier import Network, TextClassifier
from lstm_jax.objectives.classification import last_logits
from lstm_jax.training.experiment import network_params
from lstm_jax.training.lanes import make_mesh
from lstm_jax.training.restore import Trained
from lstm_jax.types import HostArray, Labels, Params

FIRST_PANELS = 16  # Number of panels that the line from the baseline to the example begins with.
PANEL_POINTS = 5  # Number of points in a panel, both of its ends among them.
MOST_POINTS = 1000  # Panels of an example are halved as long as it has no more points than these.
MOST_SLOTS = 64  # The largest number of points that are computed at once.
SUM_TOLERANCE = 0.01  # The largest error of the sum, as a share of the change of the output, or of 1 if that is larger.


class Attributions(NamedTuple):
    """The scores of the tokens of N examples.

    Attributes:
      scores: The score of each token ``[W]``, in the order of the corpus; positive ones speak for the class.
      classes: The class that is explained, ``[N]``.
      output: Its logit minus the mean of the others, ``[N]``.
      baseline: The same at the baseline, ``[N]``.
      error: The sum of an example's scores minus ``output - baseline``, ``[N]``.
      points: Number of points of the integral, ``[N]``.
    """

    scores: HostArray
    classes: HostArray
    output: HostArray
    baseline: HostArray
    error: HostArray
    points: HostArray

    @property
    def complete(self) -> HostArray:
        """Whether the scores add up, within the tolerance, ``[N]``."""
        return np.abs(self.error) <= SUM_TOLERANCE * np.maximum(np.abs(self.output - self.baseline), 1.0)


def attributions(trained: Trained, examples: FlatCorpus, classes: HostArray | None = None) -> Attributions:
    """Integrated gradients of examples, such as ``read_texts(trained, texts).examples``.

    Args:
      trained: The run.
      examples: The examples, as the network reads them.
      classes: The class to explain of each example, ``[N]``; by default the predicted one.
    """
    if classes is None:
        classes = probabilities(trained, examples).argmax(axis=1)
    count, config = len(examples.labels), trained.config.train
    slots = min(config.batch_size, MOST_SLOTS)
    # As many lengths as there are batches of examples suffice. Each is compiled once.
    buckets = bucket_lengths(flat_corpus.lengths(examples), min(config.buckets, -(-count // slots)))
    integrate = partial(_integrate, examples, classes, buckets, slots, _compiled(trained, slots))
    edges = np.linspace(0, 1, FIRST_PANELS + 1)
    panels: list[list[_Panel]] = [[] for _ in range(count)]
    todo = [(row, *ends) for row in range(count) for ends in itertools.pairwise(edges)]
    while todo:
        for (row, _, _), panel in zip(todo, integrate(todo), strict=True):
            panels[row].append(panel)
        todo = [(row, *ends) for row in range(count) for ends in _halves_of_the_worst(panels[row])]
    return _joined(panels, classes)


def pooling_shares(trained: Trained, examples: FlatCorpus) -> HostArray | None:
    """How much each token counts in the pooling, such as the weights of its attention.

    Returns:
      A share for each token ``[W]``, in the order of the corpus, the mean over the lanes; those of an example add up to
      1. ``None`` if the pooling has no shares.
    """
    counts = flat_corpus.lengths(examples)
    batch = gather(examples, np.arange(len(counts)), int(counts.max(initial=1)))
    tokens, lengths = jnp.asarray(batch.tokens), jnp.asarray(batch.lengths)

    def of_lane(variables: Params) -> Any:
        own = {"params": network_params(variables["params"]), "frozen": variables["frozen"]}
        return trained.model.apply(own, tokens, lengths, method="token_shares")

    if (found := jax.lax.map(of_lane, trained.variables)) is None:
        return None
    shares = np.asarray(found).mean(axis=0)
    return np.concatenate([shares[:count, n] for n, count in enumerate(counts)])


class _Panel(NamedTuple):
    """A part of the line from the baseline, at position 0, to an example, at position 1."""

    low: float
    high: float
    scores: HostArray  # The integral over the panel for each token of the example, ``[T]``.
    start: float  # The output at ``low``.
    end: float  # The output at ``high``.

    @property
    def error(self) -> float:
        """The sum of the scores minus the change of the output."""
        return float(self.scores.sum()) - (self.end - self.start)


def _halves_of_the_worst(panels: list[_Panel]) -> list[tuple[float, float]]:
    """Takes the panels with the largest errors from a list, and returns their halves; none if the example is done.

    The errors of the panels that stay are within half of the tolerance, unless there would be more than
    ``MOST_POINTS``. An example is done when the sum of its errors is within the tolerance, and the root of the sum of
    their squares too, since a sum may be small by chance.
    """
    panels.sort(key=lambda panel: panel.low)
    tolerance = SUM_TOLERANCE * max(abs(panels[-1].end - panels[0].start), 1.0)
    panels.sort(key=lambda panel: abs(panel.error))
    errors = np.array([panel.error for panel in panels])
    total = np.sqrt(np.cumsum(errors**2))
    if max(abs(errors.sum()), total[-1]) <= tolerance:
        return []
    room = MOST_POINTS // PANEL_POINTS - len(panels)  # A panel that is halved adds one.
    taken = min(room, max(1, int(np.sum(total > tolerance / 2))))
    worst = panels[len(panels) - taken :]
    del panels[len(panels) - taken :]
    middles = [(panel.low + panel.high) / 2 for panel in worst]
    return [
        ends
        for panel, middle in zip(worst, middles, strict=True)
        for ends in ((panel.low, middle), (middle, panel.high))
    ]


def _joined(panels: list[list[_Panel]], classes: HostArray) -> Attributions:
    """The scores of all examples from their panels, in any order."""
    scores = [np.sum([panel.scores for panel in own], axis=0) for own in panels]
    output = np.array([max(own, key=lambda panel: panel.high).end for own in panels])
    baseline = np.array([min(own, key=lambda panel: panel.low).start for own in panels])
    error = np.array([each.sum() for each in scores]) - (output - baseline)
    points = np.array([len(own) * PANEL_POINTS for own in panels])
    return Attributions(np.concatenate(scores), classes, output, baseline, error, points)


def _lobatto(points: int) -> tuple[HostArray, HostArray]:
    """Nodes and weights of Gauss and Lobatto's rule on [0, 1], whose first and last node are the ends."""
    highest = np.polynomial.legendre.Legendre.basis(points - 1)
    nodes = np.concatenate([[-1.0], np.sort(highest.deriv().roots().real), [1.0]])
    return (nodes + 1) / 2, 1 / (points * (points - 1) * highest(nodes) ** 2)


def _integrate(
    examples: FlatCorpus,
    classes: HostArray,
    buckets: tuple[int, ...],
    slots: int,
    program: Callable[..., Any],
    panels: list[tuple[int, float, float]],
) -> list[_Panel]:
    """Integrates over panels: an example, and both ends. Each slot of a batch computes one point of one panel."""
    nodes, weights = _lobatto(PANEL_POINTS)
    rows, low, high = (np.array(each)[:, None] for each in zip(*panels, strict=True))
    example = np.repeat(rows[:, 0], PANEL_POINTS)
    positions = (low + (high - low) * nodes).ravel()
    weights = ((high - low) * weights).ravel()
    lengths = flat_corpus.lengths(examples)
    scores, outputs = [np.zeros(lengths[row]) for row, _, _ in panels], np.zeros(len(positions))
    for chunk in evaluation_plan(lengths[example], buckets, slots, steps_per_call=1):
        (items,) = chunk.examples
        own = np.where(items >= 0, example[items], EMPTY)
        batch, at = gather(examples, own, chunk.length), positions[items].astype(np.float32)
        by_lane = program(batch, classes[own].astype(np.int32), at)
        slopes, found = (np.asarray(each, np.float64).mean(axis=0) for each in by_lane)
        for slot in np.flatnonzero(items >= 0):
            item = items[slot]
            scores[item // PANEL_POINTS] += weights[item] * slopes[: lengths[own[slot]], slot]
            outputs[item] = found[slot]
    starts, ends = outputs[::PANEL_POINTS].tolist(), outputs[PANEL_POINTS - 1 :: PANEL_POINTS].tolist()
    return [_Panel(*panel[1:], *each) for panel, *each in zip(panels, scores, starts, ends, strict=True)]


def _compiled(trained: Trained, slots: int) -> Callable[..., Any]:
    """``(batch, classes[B], positions[B]) -> (slopes[L, T, B], outputs[L, B])`` on all devices."""
    mesh = make_mesh(trained.lanes, slots, trained.config.train.devices)
    each, over_lanes = P("data"), NamedSharding(mesh, P("lane"))
    batch_specs: Any = Batch(P(None, "data"), each, each, each, each)  # type: ignore[arg-type]
    in_specs, out_specs = (P("lane"), batch_specs, each, each), (P("lane", None, "data"), P("lane", "data"))
    function = partial(_slopes, trained.model)
    spread = jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)
    return partial(jax.jit(spread), jax.device_put(trained.variables, over_lanes))


def _slopes(
    model: TextClassifier, variables: Params, batch: Batch, classes: Labels, positions: Float[Array, " B"]
) -> tuple[Float[Array, "L T B"], Float[Array, "L B"]]:
    """At a position of each example's line: gradient times input, summed over the features, and the output."""
    network = Network(model)
    chosen = jax.nn.one_hot(classes, model.classes)
    contrast = chosen - (1 - chosen) / (model.classes - 1)

    def lane(own: Params) -> tuple[Any, Any]:
        own = {"params": network_params(own["params"]), "frozen": own["frozen"]}

        def output(x: Any) -> Any:
            y, _ = network.encode(own, x, batch)
            logits = network.classify(own, y, batch)
            return jnp.sum(contrast * (logits if logits.ndim == 2 else last_logits(logits, batch.lengths)), axis=-1)

        x = network.embed(own, batch)
        value, pull_back = jax.vjp(output, positions[None, :, None] * x)
        (gradient,) = pull_back(jnp.ones_like(value))
        # The linear part grows in proportion to the position, so its slope is the same everywhere.
        linear = jnp.sum(network.linear_part(own, batch) * contrast[None], axis=-1)
        return jnp.sum(gradient * x, axis=-1) + linear, value - (1 - positions) * jnp.sum(linear, axis=0)

    return jax.lax.map(lane, variables)
