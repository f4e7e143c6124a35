"""Lanes: whole training runs side by side in one compiled program.

A mesh has two axes. Lanes are sharded over ``lane`` first; the remaining devices share each batch over ``data``. On
one device lanes run one after the other by ``lax.map``, which keeps a lane's weights in cache, or at once by ``vmap``,
which fills wider units. By default CPUs use the first and accelerators the second.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from lstm_jax.data.batching import Batch, FlatCorpus, gather
from lstm_jax.objectives.base import LABELLED, Sums
from lstm_jax.stages import stage
from lstm_jax.training.experiment import Experiment, TrainState
from lstm_jax.training.gradient_chain import HParams
from lstm_jax.types import HostArray, Params


def make_mesh(lanes: int, batch_size: int, devices: int = 0) -> Mesh:
    """A mesh (lane, data) for ``lanes`` runs of ``batch_size`` examples on at most ``devices`` devices (0: all)."""
    available = jax.devices()[: devices or None]
    over_lanes = max(n for n in range(1, len(available) + 1) if lanes % n == 0)
    rest = len(available) // over_lanes
    over_data = max(n for n in range(1, rest + 1) if batch_size % n == 0)
    chosen = np.array(available[: over_lanes * over_data]).reshape(over_lanes, over_data)
    return Mesh(chosen, ("lane", "data"))


LANES, EVERYWHERE = P("lane"), P()
# A carried state has an axis of examples after that of lanes.
STATE = TrainState(*[LANES] * 8)._replace(carried=P("lane", "data"))  # type: ignore[arg-type]


class Program:
    """The compiled functions of a stack of lanes. Every leaf of a state, and of variables, has a leading axis L.

    If ``examples`` are example numbers, ``corpus`` is the corpus on the device. Otherwise ``examples`` is a Batch with
    the same leading axes, gathered on the host, and ``corpus`` is ``None``.
    """

    def __init__(self, experiment: Experiment, mesh: Mesh, lane_map: str = "auto") -> None:
        """Maps an experiment, whose data axis must be ``data``, over the lanes of a mesh.

        Args:
          experiment: The functions of one lane.
          mesh: A mesh of ``make_mesh``.
          lane_map: How lanes share a device: map | vmap | auto.
        """
        # Inner jits are traced once per shape. Without them each loop below would trace its step twice.
        step, evaluate = jax.jit(experiment.step), jax.jit(experiment.evaluate)
        self._experiment, self._mesh = experiment._replace(step=step, evaluate=evaluate), mesh
        self._over_lanes = _over_lanes(mesh, lane_map)
        self._known: dict[Any, Any] = {}
        self.compile_seconds = 0.0  # Time spent so far on tracing and compiling.

    def weights(self, seeds: HostArray) -> Params:
        """The variables before training of lanes with the given ``seeds[L]``."""
        own = self._place(LANES, jnp.asarray(seeds, jnp.uint32))
        return self._call("weights", self._over_lanes(self._experiment.weights), (LANES,), LANES, (own,))

    def begin(self, seeds: HostArray, hparams: HParams, variables: Params) -> TrainState:
        """The state at step 0 of lanes with the given ``seeds[L]``, hyper-parameters ``[L]`` and variables."""
        own, hparams = self._place(LANES, (jnp.asarray(seeds, jnp.uint32), hparams))
        begin = self._over_lanes(self._experiment.begin)
        return self._call("begin", begin, (LANES, LANES, LANES), STATE, (own, hparams, variables))

    def train(
        self, state: TrainState, corpus: FlatCorpus | None, examples: Any, count: int, length: int
    ) -> tuple[TrainState, Sums]:
        """Trains for the first ``count`` of the K steps ``examples[L, K, B]``, padded to ``length`` tokens.

        The state is donated. One compilation serves every count. The sums are ``[L, K]``, zero past the count.
        """

        def run(state: TrainState, corpus: Any, feed: Any, count: Any) -> Any:
            lane = partial(_train_lane, self._experiment, corpus, count, length)
            return self._over_lanes(lane)(state, feed)

        specs = _feed_specs(examples, "lane", None)
        arguments = (state, corpus, self._place(specs, examples), jnp.int32(count))
        in_specs = (STATE, EVERYWHERE, specs, EVERYWHERE)
        return self._call(("train", length), run, in_specs, (STATE, LANES), arguments, donate_argnums=0)

    def evaluate(self, variables: Params, corpus: FlatCorpus | None, examples: Any, count: int, length: int) -> Sums:
        """Sums ``[L]`` over the first ``count`` of the K batches ``examples[K, B]``."""

        def run(variables: Params, corpus: Any, feed: Any, count: Any) -> Any:
            return self._over_lanes(partial(_evaluate_lane, self._experiment, corpus, count, length, feed))(variables)

        specs = _feed_specs(examples, None)
        arguments = (variables, corpus, self._place(specs, examples), jnp.int32(count))
        return self._call(("evaluate", length), run, (LANES, EVERYWHERE, specs, EVERYWHERE), LANES, arguments)

    def predict(self, variables: Params, corpus: FlatCorpus | None, examples: Any, length: int) -> jax.Array:
        """Class probabilities ``[L, K, B, C]`` of the K batches ``examples[K, B]``."""

        def run(variables: Params, corpus: Any, feed: Any) -> Any:
            return self._over_lanes(partial(_predict_lane, self._experiment, corpus, length, feed))(variables)

        specs = _feed_specs(examples, None)
        arguments = (variables, corpus, self._place(specs, examples))
        return self._call(("predict", length), run, (LANES, EVERYWHERE, specs), P("lane", None, "data"), arguments)

    def peak_bytes(self) -> int:
        """The largest memory of a compiled function on a device, in bytes: arguments, outputs and temporaries."""
        sizes = [compiled.memory_analysis() for compiled in self._known.values()]
        return max(
            each.argument_size_in_bytes + each.output_size_in_bytes + each.temp_size_in_bytes - each.alias_size_in_bytes
            for each in sizes
        )

    def _place(self, specs: Any, tree: Any) -> Any:
        """Puts a tree on the mesh; one spec serves all leaves of its part of the tree."""
        is_spec = lambda leaf: isinstance(leaf, P)
        return jax.device_put(tree, jax.tree.map(partial(NamedSharding, self._mesh), specs, is_leaf=is_spec))

    def _call(self, name: Any, function: Any, in_specs: Any, out_specs: Any, arguments: Any, **options: Any) -> Any:
        """Calls a function, which is compiled ahead of its first call with arguments of these shapes."""
        key = (name, tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(arguments)))
        if key not in self._known:
            start = time.perf_counter()
            spread = jax.shard_map(function, mesh=self._mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)
            with stage(f"compiling {name if isinstance(name, str) else '{} for {} tokens'.format(*name)}"):
                self._known[key] = jax.jit(spread, **options).lower(*arguments).compile()
            self.compile_seconds += time.perf_counter() - start
        return self._known[key](*arguments)


def _step_batch(corpus: FlatCorpus | None, feed: Any, k: Any, length: int) -> Batch:
    if corpus is None:
        return jax.tree.map(lambda leaf: leaf[k], feed)
    return gather(corpus, feed[k], length)


def _zeros(shapes: Any, *leading: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros((*leading, *leaf.shape), leaf.dtype), shapes)


def _train_lane(
    experiment: Experiment, corpus: Any, count: Any, length: int, state: TrainState, feed: Any
) -> tuple[TrainState, Sums]:
    def step(state: TrainState, k: Any) -> tuple[TrainState, Sums]:
        return experiment.step(state, {LABELLED: _step_batch(corpus, feed, k, length)})

    # A loop of ``count`` iterations instead of a scan over K, so that a shorter call needs no other program.
    def one(k: Any, carry: tuple[TrainState, Sums]) -> tuple[TrainState, Sums]:
        state, history = carry
        state, sums = step(state, k)
        return state, jax.tree.map(lambda all_steps, new: all_steps.at[k].set(new), history, sums)

    _, shapes = jax.eval_shape(step, state, 0)
    return jax.lax.fori_loop(0, count, one, (state, _zeros(shapes, jax.tree.leaves(feed)[0].shape[0])))


def _evaluate_lane(experiment: Experiment, corpus: Any, count: Any, length: int, feed: Any, variables: Params) -> Sums:
    def add(k: Any, sums: Sums) -> Sums:
        return jax.tree.map(jnp.add, sums, experiment.evaluate(variables, _step_batch(corpus, feed, k, length)))

    shapes = jax.eval_shape(experiment.evaluate, variables, _step_batch(corpus, feed, 0, length))
    return jax.lax.fori_loop(0, count, add, _zeros(shapes))


def _predict_lane(experiment: Experiment, corpus: Any, length: int, feed: Any, variables: Params) -> jax.Array:
    steps = jnp.arange(jax.tree.leaves(feed)[0].shape[0])
    return jax.lax.map(lambda k: experiment.predict(variables, _step_batch(corpus, feed, k, length)), steps)


def _over_lanes(mesh: Mesh, lane_map: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    if lane_map == "auto":
        lane_map = "map" if mesh.devices.flat[0].platform == "cpu" else "vmap"

    def over_lanes(function: Callable[..., Any]) -> Callable[..., Any]:
        def mapped(*arguments: Any) -> Any:
            count = jax.tree.leaves(arguments)[0].shape[0]
            if count == 1:  # Avoids copying the state into and out of the loop.
                single = function(*jax.tree.map(lambda leaf: leaf[0], arguments))
                return jax.tree.map(lambda leaf: leaf[None], single)
            if lane_map == "map":
                return jax.lax.map(lambda each: function(*each), arguments)
            return jax.vmap(function)(*arguments)

        return mapped

    return over_lanes


def _feed_specs(feed: Any, *leading: str | None) -> Any:
    if isinstance(feed, Batch):
        each = P(*leading, "data")
        by_token = P(*leading, None, "data")
        labels = by_token if feed.labels.ndim == feed.tokens.ndim else each
        specs: Any = Batch(by_token, each, labels, each, each)  # type: ignore[arg-type]
        return specs
    return P(*leading, "data")
