"""Lanes: whole training runs side by side in one compiled program.

A mesh has two axes. Lanes spread over ``lane`` first; devices that remain share each batch over ``data``.
Inside a device lanes run by ``lax.map`` on CPU, where a lane's weights then stay in cache, and by ``vmap``
on accelerators, where more lanes fill wider units.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from lstm_jax.text.batches import Batch, FlatCorpus, gather
from lstm_jax.training.experiment import Experiment, TrainState
from lstm_jax.training.metrics import Metrics
from lstm_jax.training.optimizers import HParams
from lstm_jax.types import HostArray


def make_mesh(lanes: int, batch_size: int, devices: int = 0) -> Mesh:
    """A mesh (lane, data) for ``lanes`` runs of ``batch_size`` rows on at most ``devices`` devices (0: all)."""
    available = jax.devices()[: devices or None]
    over_lanes = max(n for n in range(1, len(available) + 1) if lanes % n == 0)
    rest = len(available) // over_lanes
    over_data = max(n for n in range(1, rest + 1) if batch_size % n == 0)
    chosen = np.array(available[: over_lanes * over_data]).reshape(over_lanes, over_data)
    return Mesh(chosen, ("lane", "data"))


class Program(NamedTuple):
    """The compiled functions of a stack of lanes. Every leaf of a state has a leading axis L.

    Attributes:
      init: ``(seeds[L], hparams of [L]) -> state``.
      train: ``(state, corpus, reviews[L, K, B], count, length) -> (state, metrics of [L, K])``: makes the
        first ``count`` of K steps; the state is donated. In place of the review numbers it takes a Batch
        of leading axes [L, K], gathered on the host; then ``corpus`` is ``None``.
      evaluate: ``(state, corpus, reviews[K, B], count, length) -> metrics of [L]``, summed over the steps.
      predict: ``(state, corpus, reviews[K, B], length) -> probabilities[L, K, B, C]``.
      compile_seconds: spent so far on tracing and compiling; a function without arguments.
    """

    init: Callable[[HostArray, HParams], TrainState]
    train: Callable[..., tuple[TrainState, Metrics]]
    evaluate: Callable[..., Metrics]
    predict: Callable[..., jax.Array]
    compile_seconds: Callable[[], float]


def program(experiment: Experiment, mesh: Mesh) -> Program:
    """Maps an experiment over the lanes of a mesh. The experiment's data axis must be ``data``."""
    over_lanes = _over_lanes(mesh)
    spread = partial(jax.shard_map, mesh=mesh, check_vma=False)
    lanes, everywhere = P("lane"), P()

    def step_batch(corpus: FlatCorpus | None, feed: Any, k: Any, length: int) -> Batch:
        if isinstance(feed, Batch):
            return jax.tree.map(lambda leaf: leaf[k], feed)
        return gather(corpus, feed[k], length)

    def train(state: TrainState, corpus: Any, feed: Any, count: Any, length: int) -> Any:
        def lane(state: TrainState, feed: Any) -> tuple[TrainState, Metrics]:
            steps = jax.tree.leaves(feed)[0].shape[0]
            shapes = jax.eval_shape(lambda: experiment.step(state, step_batch(corpus, feed, 0, length))[1])
            history = jax.tree.map(lambda leaf: jnp.zeros((steps, *leaf.shape), leaf.dtype), shapes)

            def one(k: Any, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
                state, history = carry
                state, metrics = experiment.step(state, step_batch(corpus, feed, k, length))
                return state, jax.tree.map(lambda all_, new: all_.at[k].set(new), history, metrics)

            return jax.lax.fori_loop(0, count, one, (state, history))

        return over_lanes(lane)(state, feed)

    def evaluate(state: TrainState, corpus: Any, feed: Any, count: Any, length: int) -> Metrics:
        def lane(state: TrainState) -> Metrics:
            shapes = jax.eval_shape(lambda: experiment.evaluate(state, step_batch(corpus, feed, 0, length)))
            zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

            def one(k: Any, sums: Metrics) -> Metrics:
                new = experiment.evaluate(state, step_batch(corpus, feed, k, length))
                return jax.tree.map(jnp.add, sums, new)

            return jax.lax.fori_loop(0, count, one, zeros)

        return over_lanes(lane)(state)

    def predict(state: TrainState, corpus: Any, feed: Any, length: int) -> jax.Array:
        def lane(state: TrainState) -> jax.Array:
            steps = jnp.arange(jax.tree.leaves(feed)[0].shape[0])
            return jax.lax.map(lambda k: experiment.predict(state, step_batch(corpus, feed, k, length)), steps)

        return over_lanes(lane)(state)

    def init(seeds: Any, hparams: HParams) -> TrainState:
        return over_lanes(experiment.init)(seeds, hparams)

    compiled = _Compiler()
    place = partial(_place, mesh)

    def run_init(seeds: HostArray, hparams: HParams) -> TrainState:
        function = spread(init, in_specs=(lanes, lanes), out_specs=lanes)
        return compiled("init", jax.jit(function), place(lanes, jnp.asarray(seeds, jnp.uint32)), place(lanes, hparams))

    def run_train(state: TrainState, corpus: Any, feed: Any, count: int, length: int) -> Any:
        specs = _feed_specs(feed, "lane", None)
        function = spread(
            partial(train, length=length), in_specs=(lanes, everywhere, specs, everywhere), out_specs=(lanes, lanes)
        )
        arguments = (state, corpus, place(specs, feed), jnp.int32(count))
        return compiled(("train", length), jax.jit(function, donate_argnums=0), *arguments)

    def run_evaluate(state: TrainState, corpus: Any, feed: Any, count: int, length: int) -> Metrics:
        specs = _feed_specs(feed, None)
        function = spread(
            partial(evaluate, length=length), in_specs=(lanes, everywhere, specs, everywhere), out_specs=lanes
        )
        arguments = (state, corpus, place(specs, feed), jnp.int32(count))
        return compiled(("evaluate", length), jax.jit(function), *arguments)

    def run_predict(state: TrainState, corpus: Any, feed: Any, length: int) -> jax.Array:
        specs = _feed_specs(feed, None)
        function = spread(
            partial(predict, length=length), in_specs=(lanes, everywhere, specs), out_specs=P("lane", None, "data")
        )
        return compiled(("predict", length), jax.jit(function), state, corpus, place(specs, feed))

    return Program(run_init, run_train, run_evaluate, run_predict, lambda: compiled.seconds)


class _Compiler:
    """Compiles each function once, ahead of its first call, and adds up the seconds that this takes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._known: dict[Any, Any] = {}

    def __call__(self, name: Any, function: Any, *arguments: Any) -> Any:
        # Shapes are part of the key, since evaluation also meets single reviews.
        key = (name, tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(arguments)))
        if key not in self._known:
            start = time.perf_counter()
            self._known[key] = function.lower(*arguments).compile()
            self.seconds += time.perf_counter() - start
        return self._known[key](*arguments)


def _over_lanes(mesh: Mesh) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    on_cpu = mesh.devices.flat[0].platform == "cpu"

    def over_lanes(function: Callable[..., Any]) -> Callable[..., Any]:
        def mapped(*arguments: Any) -> Any:
            count = jax.tree.leaves(arguments)[0].shape[0]
            if count == 1:  # spares a copy of the state into and out of the loop
                single = function(*jax.tree.map(lambda leaf: leaf[0], arguments))
                return jax.tree.map(lambda leaf: leaf[None], single)
            if on_cpu:
                return jax.lax.map(lambda each: function(*each), arguments)
            return jax.vmap(function)(*arguments)

        return mapped

    return over_lanes


def _feed_specs(feed: Any, *leading: str | None) -> Any:
    if isinstance(feed, Batch):
        row = P(*leading, "data")
        return Batch(tokens=P(*leading, None, "data"), lengths=row, labels=row, weights=row, reviews=row)
    return P(*leading, "data")


def _place(mesh: Mesh, specs: Any, tree: Any) -> Any:
    """Puts a tree on the mesh; one spec serves all leaves of its part of the tree."""
    shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs, is_leaf=lambda s: isinstance(s, P))
    return jax.device_put(tree, shardings)
