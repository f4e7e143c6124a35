"""Optimizers by name, built inside the compiled step from traced hyper-parameters.

``optax.inject_hyperparams`` is not needed: a transformation is only a pair of functions, so making it anew
while tracing costs nothing and lets every lane have its own rate in one program. Schedules have a peak of 1
and are multiplied by the traced rate, for the same reason.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from lstm_jax.config import OptimizerConfig
from lstm_jax.types import Scalar

HParams = dict[str, Scalar]


def schedule(config: OptimizerConfig, total_steps: int) -> optax.Schedule:
    """The schedule of a config with peak 1: step → factor of the learning rate."""
    rise = round(config.warmup * total_steps)
    if config.schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0 if rise else 1.0, 1.0, rise, max(total_steps, rise + 1))
    if config.schedule == "one_cycle":
        return optax.cosine_onecycle_schedule(max(total_steps, 2), 1.0, pct_start=config.warmup)
    if config.schedule == "warmup":
        return optax.linear_schedule(1.0 / max(rise, 1), 1.0, max(rise - 1, 1))
    return optax.constant_schedule(1.0)


Factory = Callable[[optax.Schedule, Callable[[str], Scalar]], optax.GradientTransformation]

# name → (rate schedule, hyper-parameter by name) → transformation.
OPTIMIZERS: dict[str, Factory] = {
    "sgd": lambda rate, h: optax.sgd(rate),
    "momentum": lambda rate, h: optax.sgd(rate, momentum=h("momentum")),
    "nesterov": lambda rate, h: optax.sgd(rate, momentum=h("momentum"), nesterov=True),
    "adam": lambda rate, h: optax.adam(rate, h("b1"), h("b2"), h("eps")),
    "adamw": lambda rate, h: optax.adamw(
        rate, h("b1"), h("b2"), h("eps"), weight_decay=h("weight_decay"), mask=matrices
    ),
    "rmsprop": lambda rate, h: optax.rmsprop(rate, h("b2"), h("eps")),
}

# These decay the weights beside the gradient's step (Loshchilov & Hutter 2019), not within the gradient.
DECOUPLED = ("adamw",)


def matrices(params: Any) -> Any:
    """Which parameters decay: everything but biases."""
    return jax.tree.map(lambda p: p.ndim > 1, params)


def embedding(params: Any) -> Any:
    """Which parameters are the embedding, whose rate may differ (Howard & Ruder 2018, discriminative rates)."""
    return {name: jax.tree.map(lambda _, own=name == "embedding": own, part) for name, part in params.items()}


def optimizer(config: OptimizerConfig, hparams: HParams, total_steps: int) -> optax.GradientTransformation:
    """The whole transformation of gradients: clipping, decay, optimizer.

    Args:
      config: its static fields choose the parts; a traced field that is 0 there leaves its part out.
      hparams: by dotted path, as ``optimizer.learning_rate``.
      total_steps: of the run, for the schedule.
    """

    def h(name: str) -> Scalar:
        return hparams[f"optimizer.{name}"]

    factor = schedule(config, total_steps)
    parts = []
    if config.clip_norm:
        parts.append(optax.clip_by_global_norm(h("clip_norm")))
    if config.weight_decay and config.name not in DECOUPLED:
        parts.append(optax.add_decayed_weights(h("weight_decay"), matrices))
    parts.append(OPTIMIZERS[config.name](lambda step: h("learning_rate") * factor(step), h))
    if config.embedding_rate != 1:
        parts.append(optax.masked(optax.scale(h("embedding_rate")), embedding))
    return optax.chain(*parts)
