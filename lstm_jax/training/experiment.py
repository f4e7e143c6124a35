"""A training run as three pure functions over a state that holds its own hyper-parameters."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lstm_jax import optimizers
from lstm_jax.config import Config
from lstm_jax.data.batching import Batch
from lstm_jax.models.classifier import DropoutRates, TextClassifier
from lstm_jax.objectives.classification import cross_entropy
from lstm_jax.training.gradient_chain import HParams, optimizer
from lstm_jax.training.metrics import Metrics, summed
from lstm_jax.types import ExampleKeys, Params, Scalar


class TrainState(NamedTuple):
    """Everything that a run carries from step to step."""

    step: Scalar  # int32, steps made
    seed: Scalar  # uint32, of initial weights and dropout
    hparams: HParams  # traced hyper-parameters by dotted path
    params: Params  # trained weights
    frozen: Params  # weights that training leaves alone
    average: Params  # moving average of the weights, or () where none is kept
    opt_state: Any
    finite: Scalar  # bool, false from the first step whose loss, gradient or update was NaN or infinite


class Experiment(NamedTuple):
    """A run's pure functions, closed over the static config.

    Attributes:
      weights: ``(seed) -> variables`` of the module, the same for all optimizers and costly to compile.
      begin: ``(seed, hparams, variables) -> TrainState``; ``init`` is both.
      step: ``(state, batch) -> (state, metrics)``. After a step that is not finite ``params`` stay as
        they were before it, and its loss and all later ones are NaN.
      evaluate: ``(state, batch) -> metrics``, without dropout, with the averaged weights where kept.
      predict: ``(state, batch) -> probabilities[B, C]``, likewise.
    """

    weights: Callable[[Scalar], Params]
    begin: Callable[[Scalar, HParams, Params], TrainState]
    step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
    evaluate: Callable[[TrainState, Batch], Metrics]
    predict: Callable[[TrainState, Batch], jax.Array]

    def init(self, seed: Scalar | int, hparams: HParams) -> TrainState:
        """Step 0."""
        return self.begin(seed, hparams, self.weights(seed))


def evaluated_params(state: TrainState) -> Params:
    """The weights that are evaluated and kept: the average where there is one, the optimizer's or our own."""
    return state.average if state.average != () else optimizers.evaluated(state.opt_state, state.params)


def to_evaluate(state: TrainState) -> TrainState:
    """The part of a state that evaluation reads, so that all optimizers share one compiled evaluation."""
    return state._replace(params=evaluated_params(state), hparams={}, average=(), opt_state=())


def first_weights(model: TextClassifier, seed: Scalar | int) -> Params:
    """The variables of a module before training."""
    tokens, lengths = jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
    return model.init(jax.random.fold_in(jax.random.key(seed), 0), tokens, lengths)


def experiment(config: Config, model: TextClassifier, total_steps: int, data_axis: str | None = None) -> Experiment:
    """Closes the pure functions over a config.

    Args:
      config: static; of its traced fields only whether they leave a part out of the program matters here.
      model: the module to train.
      total_steps: of the run, for the schedule.
      data_axis: name of the mesh axis that the batch is sharded over, if any.
    """

    def total(tree: Any) -> Any:
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
        )

    def row_keys(state: TrainState, batch: Batch) -> ExampleKeys:
        step_key = jax.random.fold_in(jax.random.fold_in(jax.random.key(state.seed), 1), state.step)
        return jax.vmap(jax.random.fold_in, (None, 0))(step_key, batch.reviews)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        rates = DropoutRates(*(state.hparams[f"model.dropout.{place}"] for place in DropoutRates._fields))
        keys = row_keys(state, batch)
        reviews = jnp.maximum(total(jnp.sum(batch.weights)), 1.0)

        def objective(params: Params) -> tuple[Scalar, Metrics]:
            variables = {"params": params, "frozen": state.frozen}
            outputs: Any = model.apply(variables, batch.tokens, batch.lengths, keys, rates)
            losses, logits = cross_entropy(outputs, batch.lengths, batch.labels)
            return jnp.sum(losses * batch.weights) / reviews, summed(losses, logits, batch)

        gradient, metrics = total(jax.grad(objective, has_aux=True)(state.params))
        finite = state.finite & jnp.isfinite(metrics.loss) & jnp.isfinite(optax.tree.norm(gradient))
        transformation = optimizer(config.optimizer, state.hparams, total_steps)
        updates, opt_state = transformation.update(
            gradient,
            state.opt_state,
            state.params,
            # What some optimizers ask for beside the gradient; where none does, it leaves no trace in the program.
            value=metrics.loss / reviews,
            obj_fn=lambda params: objective(params)[0],
            total=total,
        )
        finite &= jnp.isfinite(optax.tree.norm(updates))  # which need not follow from a finite gradient
        metrics = metrics._replace(loss=jnp.where(finite, metrics.loss, jnp.nan))
        params = jax.tree.map(lambda p, u: jnp.where(finite, p + u, p), state.params, updates)
        average = moving_average(state, params) if config.optimizer.ema else ()
        return state._replace(
            step=state.step + 1, params=params, average=average, opt_state=opt_state, finite=finite
        ), metrics

    def moving_average(state: TrainState, params: Params) -> Params:
        # A young average forgets faster, so that it does not remember the initial weights.
        young = (1.0 + state.step) / (10.0 + state.step)
        decay = jnp.minimum(state.hparams["optimizer.ema"], young)
        return jax.tree.map(lambda a, p: a + (1.0 - decay) * (p - a), state.average, params)

    def decisive(state: TrainState, batch: Batch) -> tuple[jax.Array, jax.Array]:
        variables = {"params": evaluated_params(state), "frozen": state.frozen}
        outputs: Any = model.apply(variables, batch.tokens, batch.lengths)
        return cross_entropy(outputs, batch.lengths, batch.labels)

    def evaluate(state: TrainState, batch: Batch) -> Metrics:
        return total(summed(*decisive(state, batch), batch))

    def predict(state: TrainState, batch: Batch) -> jax.Array:
        return jax.nn.softmax(decisive(state, batch)[1], axis=-1)

    return Experiment(partial(first_weights, model), begin, step, evaluate, predict)
