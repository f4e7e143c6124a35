"""What every token did to a prediction: integrated gradients (Sundararajan, Taly & Yan 2017).

The output that is explained is the logit of a class minus the mean logit of the others, by default of the predicted
class. With two classes this is the logarithm of the odds. With several lanes it is the mean over the lanes.

The baseline is the vector 0 in place of every embedded token, as in section 6.3 of the paper, with the example's own
length. The gradient is integrated along the straight line from the baseline to the example; a token's score is the sum
over its features. The linear part reads token ids, not vectors. Its baseline is that no token counts, and its share of
each token is exact.

Scores add up to the output minus that of the baseline. The integral is a sum over points, so this holds up to an
error, which is returned. Where the error is above the tolerance, more points are taken.
"""

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

INTEGRAL_POINTS = (16, 64, 256)  # Numbers of points of the integral, tried in turn.
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
    zeros, program = partial(np.zeros, count), _compiled(trained, slots)
    found = Attributions(np.zeros(len(examples.tokens)), classes, zeros(), zeros(), zeros(), zeros(int))
    todo = np.arange(count)
    for points in INTEGRAL_POINTS:
        _integrate(found, examples, todo, points, buckets, slots, program)
        todo = np.flatnonzero(~found.complete)
        if not len(todo):
            break
    return found


def _integrate(
    found: Attributions,
    examples: FlatCorpus,
    rows: HostArray,
    points: int,
    buckets: tuple[int, ...],
    slots: int,
    program: Callable[..., Any],
) -> None:
    """Enters the results of some examples. Each slot of a batch computes one point of one example."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    positions = np.concatenate([(nodes + 1) / 2, [0, 1]]).astype(np.float32)
    weights = np.concatenate([weights / 2, [0, 0]])  # The ends of the line only measure the output.
    for row in rows:
        found.scores[examples.offsets[row] : examples.offsets[row + 1]] = 0
    example, place = (each.ravel() for each in np.meshgrid(rows, np.arange(points + 2), indexing="ij"))
    for chunk in evaluation_plan(flat_corpus.lengths(examples)[example], buckets, slots, steps_per_call=1):
        (items,) = chunk.examples
        own, at = np.where(items >= 0, example[items], EMPTY), positions[place[items]]
        batch = gather(examples, own, chunk.length)
        by_lane = program(batch, found.classes[own].astype(np.int32), at)
        slopes, outputs = (np.asarray(each, np.float64).mean(axis=0) for each in by_lane)
        for slot in np.flatnonzero(items >= 0):
            start, end = examples.offsets[own[slot]], examples.offsets[own[slot] + 1]
            found.scores[start:end] += weights[place[items[slot]]] * slopes[: end - start, slot]
            if at[slot] in (0, 1):
                (found.output if at[slot] else found.baseline)[own[slot]] = outputs[slot]
    for row in rows:
        total = found.scores[examples.offsets[row] : examples.offsets[row + 1]].sum()
        found.error[row] = total - (found.output[row] - found.baseline[row])
    found.points[rows] = points


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
