"""A training run as pure functions over a state that holds its own hyper-parameters."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from lstm_jax import optimizers
from lstm_jax.config import Config
from lstm_jax.data.batching import Batch
from lstm_jax.errors import ConfigError
from lstm_jax.models.classifier import DropoutRates, Network, TextClassifier
from lstm_jax.objectives.base import COUNTED, LABELLED, Objective, Sums, checked_result
from lstm_jax.objectives.classification import classification_sums, cross_entropy
from lstm_jax.registry import OBJECTIVES
from lstm_jax.training.gradient_chain import HParams, optimizer, schedule
from lstm_jax.types import ExampleKeys, Logits, Params, Scalar, State

PER_STEP = ("gradient_norm", "learning_rate")  # What a training step returns beside the sums over its examples.


class TrainState(NamedTuple):
    """Everything that a run carries from step to step.

    Attributes:
      step: Number of steps made, int32.
      seed: Seed of initial weights and dropout, uint32.
      hparams: Traced hyper-parameters by dotted path.
      params: Trained weights: those of the network and, under ``objectives``, those of objectives that have any.
      frozen: Weights that are not trained.
      average: Moving average of the trained weights, or ``()`` if none is kept.
      opt_state: State of the gradient chain.
      finite: Whether every step so far had a finite loss, gradient and update.
      carried: The layers' final state of the last labelled batch, leaves ``[B, …]``, or ``()`` if it is not carried on.
    """

    step: Scalar
    seed: Scalar
    hparams: HParams
    params: Params
    frozen: Params
    average: Params
    opt_state: Any
    finite: Scalar
    carried: State = ()


class Experiment(NamedTuple):
    """The pure functions of a run, closed over its static config.

    Attributes:
      weights: ``(seed) -> variables``, the collections ``params`` and ``frozen`` before training. The function is the
        same for all optimizers, and slow to compile.
      begin: ``(seed, hparams, variables) -> TrainState`` at step 0.
      step: ``(state, batches) -> (state, sums)``, with a batch for each stream. Beside the sums over examples there
        are ``PER_STEP``. From the first step that is not finite on, ``params`` stay unchanged and every loss is NaN.
      evaluate: ``(variables, batch) -> sums``, without dropout.
      predict: ``(variables, batch) -> probabilities[B, C]``, without dropout; labels of tokens are not read, and the
        classes are those at an example's last token if there are logits at every step.
    """

    weights: Callable[[Scalar | int], Params]
    begin: Callable[[Scalar | int, HParams, Params], TrainState]
    step: Callable[[TrainState, Mapping[str, Batch]], tuple[TrainState, Sums]]
    evaluate: Callable[[Params, Batch], Sums]
    predict: Callable[[Params, Batch], Float[Array, "B C"]]

    def init(self, seed: Scalar | int, hparams: HParams) -> TrainState:
        """The state at step 0."""
        return self.begin(seed, hparams, self.weights(seed))


def evaluated_variables(state: TrainState) -> Params:
    """The variables to evaluate and keep: the moving average if there is one, else those the optimizer evaluates."""
    params = state.average if state.average != () else optimizers.eval_params(state.opt_state, state.params)
    return {"params": params, "frozen": state.frozen}


def used_objectives(config: Config) -> dict[str, Objective]:
    """The objectives of a config whose weight is not 0.

    An objective that is not registered is left out. The config of a training run has none, since ``validate`` refuses
    it; an evaluation needs no objective.
    """
    known = [name for name, given in config.objectives.items() if given["weight"] and name in OBJECTIVES]
    return {name: OBJECTIVES[name] for name in known}


def experiment(
    config: Config, model: TextClassifier, total_steps: int, data_axis: str | None = None, per_epoch: int = 0
) -> Experiment:
    """The pure functions of a run.

    Args:
      config: The config. Its traced fields matter only if their values leave a part out of the program.
      model: The module to train.
      total_steps: Number of steps of the run, for the schedule.
      data_axis: Name of the mesh axis that the batch is sharded over, if any.
      per_epoch: Number of steps after which a carried state restarts from zeros; 0: never.
    """
    objectives = used_objectives(config)

    def over_devices(tree: Any) -> Any:
        return jax.lax.psum(tree, data_axis) if data_axis else tree

    def begin(seed: Scalar | int, hparams: HParams, variables: Params) -> TrainState:
        params = variables.get("params", {})
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            seed=jnp.asarray(seed, jnp.uint32),
            hparams=hparams,
            params=params,
            frozen=variables.get("frozen", {}),
            average=params if config.optimizer.ema else (),
            opt_state=optimizer(config.optimizer, hparams, total_steps).init(params),
            finite=jnp.ones((), bool),
            carried=zero_state(config, model, variables, data_axis) if config.train.carry_state else (),
        )

    def step(state: TrainState, batches: Mapping[str, Batch]) -> tuple[TrainState, Sums]:
        batches = {
            stream: batch._replace(total=jnp.maximum(over_devices(jnp.sum(batch.weights)), 1.0))
            for stream, batch in batches.items()
        }
        if per_epoch and config.train.carry_state:
            begins = state.step % per_epoch == 0
            state = state._replace(carried=jax.tree.map(lambda leaf: jnp.where(begins, 0, leaf), state.carried))
        loss = functools.partial(weighted_loss, model, objectives, state, batches)
        gradient, sums = over_devices(jax.grad(loss, has_aux=True)(state.params))
        norm = optax.tree.norm(gradient)
        finite = state.finite & jnp.isfinite(sums["loss"]) & jnp.isfinite(norm)
        learning_rate = state.hparams["optimizer.learning_rate"] * schedule(config.optimizer, total_steps)(state.step)
        updates, opt_state = optimizer(config.optimizer, state.hparams, total_steps).update(
            gradient,
            state.opt_state,
            state.params,
            # Extra arguments that some optimizers need. XLA removes those that the optimizer does not use.
            value=sums["loss"] / batches[LABELLED].total,
            obj_fn=lambda params: loss(params)[0],
            total=over_devices,
        )
        finite &= jnp.isfinite(optax.tree.norm(updates))  # A finite gradient can still overflow in the update.
        sums = {
            name: jnp.where(finite, total, jnp.nan) if name.startswith("loss") else total
            for name, total in sums.items()
        }
        sums |= {"steps": jnp.ones(()), "gradient_norm": norm, "learning_rate": learning_rate}
        params = jax.tree.map(lambda p, u: jnp.where(finite, p + u, p), state.params, updates)
        average = moving_average(state, params) if config.optimizer.ema else ()
        carried = final_state(model, state, batches[LABELLED]) if config.train.carry_state else ()
        return state._replace(
            step=state.step + 1, params=params, average=average, opt_state=opt_state, finite=finite, carried=carried
        ), sums

    def evaluate(variables: Params, batch: Batch) -> Sums:
        return over_devices(classification_sums(*losses_and_logits(model, variables, batch), batch))

    def predict(variables: Params, batch: Batch) -> Float[Array, "B C"]:
        unlabelled = batch._replace(labels=jnp.zeros_like(batch.lengths))
        return jax.nn.softmax(losses_and_logits(model, variables, unlabelled)[1], axis=-1)

    return Experiment(functools.partial(first_weights, model, objectives), begin, step, evaluate, predict)


def weighted_loss(
    model: TextClassifier,
    objectives: Mapping[str, Objective],
    state: TrainState,
    batches: Mapping[str, Batch],
    params: Params,
) -> tuple[Scalar, Sums]:
    """This device's part of the weighted loss of all objectives, and the sums over its examples."""
    keys = {stream: example_keys(state, batch) for stream, batch in batches.items()}
    own, network = params.get("objectives", {}), training_network(model, state)
    found = {}
    for name, objective in objectives.items():
        variables = {"params": network_params(params), "frozen": state.frozen, "own": own.get(name, {})}
        hparams = {each: state.hparams[f"objectives.{name}.{each}"] for each in objective.hparams}
        found[name] = checked_result(name, objective.loss(network, variables, batches, keys, hparams))
    return weighted_sum({name: state.hparams[f"objectives.{name}.weight"] for name in found}, found)


def training_network(model: TextClassifier, state: TrainState) -> Network:
    """The network of a training step, with dropout, from the carried state if there is one."""
    rates = DropoutRates(*(state.hparams[f"model.dropout.{place}"] for place in DropoutRates._fields))
    return Network(model, rates, state.carried or None)


def final_state(model: TextClassifier, state: TrainState, batch: Batch) -> State:
    """The layers' final state of a batch, with the weights and the dropout masks of its training step."""
    # Objectives return no state, and may read a batch several times, so that the batch is read once more.
    network, keys = training_network(model, state), example_keys(state, batch)
    variables = {"params": network_params(state.params), "frozen": state.frozen}
    return network.encode(variables, network.embed(variables, batch, keys), batch, keys)[1]


def zero_state(config: Config, model: TextClassifier, variables: Params, data_axis: str | None) -> State:
    """The state of zeros that the layers start from, for this device's part of a batch.

    Raises:
      ConfigError: A leaf of the layers' state has no leading axis of examples.
    """
    size = config.train.batch_size // (jax.lax.axis_size(data_axis) if data_axis else 1)
    tokens, lengths = jnp.zeros((1, size), jnp.int32), jnp.ones(size, jnp.int32)
    own = {"params": network_params(variables.get("params", {})), "frozen": variables.get("frozen", {})}

    def end(own: Params) -> State:
        return model.apply(own, model.apply(own, tokens, method="embed"), lengths, method="encode")[1]

    shapes = jax.eval_shape(end, own)
    if not jax.tree.leaves(shapes) or any(leaf.shape[:1] != (size,) for leaf in jax.tree.leaves(shapes)):
        raise ConfigError(
            f"config.train.carry_state needs layers whose state has the examples first, and {config.model.layer!r} has "
            "none; leave it out"
        )
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


def losses_and_logits(model: TextClassifier, variables: Params, batch: Batch) -> tuple[Float[Array, " B"], Logits]:
    """The cross-entropy of each example in nats and the logits that determine its classes, without dropout."""
    own = {"params": network_params(variables["params"]), "frozen": variables["frozen"]}
    return cross_entropy(Network(model).logits(own, batch), batch.lengths, batch.labels)


def moving_average(state: TrainState, params: Params) -> Params:
    """The average of the trained weights after a step that led to ``params``."""
    # At first the decay is smaller, so that the average forgets the initial weights.
    young = (1.0 + state.step) / (10.0 + state.step)
    decay = jnp.minimum(state.hparams["optimizer.ema"], young)
    return jax.tree.map(lambda a, p: a + (1.0 - decay) * (p - a), state.average, params)


def first_weights(model: TextClassifier, objectives: Mapping[str, Objective], seed: Scalar | int) -> Params:
    """The variables before training: those of the module, and those of objectives that have any."""
    tokens, lengths = jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
    key = jax.random.fold_in(jax.random.key(seed), 0)
    variables = dict(model.init(key, tokens, lengths))
    own = {
        name: objective.init(jax.random.fold_in(key, n), model)
        for n, (name, objective) in enumerate(objectives.items())
    }
    if any(map(jax.tree.leaves, own.values())):
        variables["params"] = {**variables["params"], "objectives": own}
    return variables


def network_params(params: Params) -> Params:
    """Trained weights without those of objectives."""
    return {name: part for name, part in params.items() if name != "objectives"}


def example_keys(state: TrainState, batch: Batch) -> ExampleKeys:
    """One key for each example of a step, so that no mask depends on the rest of the batch."""
    step_key = jax.random.fold_in(jax.random.fold_in(jax.random.key(state.seed), 1), state.step)
    return jax.vmap(jax.random.fold_in, (None, 0))(step_key, batch.examples)


def weighted_sum(weights: Mapping[str, Scalar], found: Mapping[str, tuple[Scalar, Sums]]) -> tuple[Scalar, Sums]:
    """The weighted loss of all objectives, and their sums.

    Counts are those of ``classification`` if it is among them, otherwise of the first objective. The sum ``loss`` is
    weighted. If there are several objectives, ``loss/NAME`` is the unweighted loss of each. ``NAME/SUM`` is a further
    sum of the objective ``NAME``.
    """
    counted = found.get("classification", found[next(iter(found))])[1]
    sums = {name: counted[name] for name in COUNTED}
    sums["loss"] = functools.reduce(jnp.add, [weights[name] * own["loss"] for name, (_, own) in found.items()])
    if len(found) > 1:
        sums |= {f"loss/{name}": own["loss"] for name, (_, own) in found.items()}
    for name, (_, own) in found.items():
        sums |= {f"{name}/{each}": value for each, value in own.items() if each not in COUNTED}
    return functools.reduce(jnp.add, [weights[name] * loss for name, (loss, _) in found.items()]), sums
