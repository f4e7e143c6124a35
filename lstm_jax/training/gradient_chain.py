"""The gradient chain: clipping, weight decay, the optimizer, built inside the compiled step.

``optax.inject_hyperparams`` is not needed. A transformation is only a pair of functions, so making it anew while
tracing costs nothing, and every lane of one program can have its own learning rate. For the same reason schedules have
a peak of 1 and are multiplied by the traced learning rate.
"""

import optax

from lstm_jax.config import OptimizerConfig
from lstm_jax.optimizers.masks import embedding, matrices
from lstm_jax.registry import OPTIMIZERS
from lstm_jax.types import Scalar

HParams = dict[str, Scalar]


def schedule(config: OptimizerConfig, total_steps: int) -> optax.Schedule:
    """The learning-rate schedule of a config with a peak of 1: from a step to a factor on the learning rate."""
    rise = round(config.warmup * total_steps)
    if config.schedule == "cosine":
        # The factor begins above 0, since optimizers that estimate their learning rate divide by the first one.
        return optax.warmup_cosine_decay_schedule(1.0 / max(rise, 1), 1.0, rise, max(total_steps, rise + 1))
    if config.schedule == "one_cycle":
        return optax.cosine_onecycle_schedule(max(total_steps, 2), 1.0, pct_start=config.warmup)
    if config.schedule == "warmup":
        return optax.linear_schedule(1.0 / max(rise, 1), 1.0, max(rise - 1, 1))
    return optax.constant_schedule(1.0)


def optimizer(config: OptimizerConfig, hparams: HParams, total_steps: int) -> optax.GradientTransformationExtraArgs:
    """The whole transformation of gradients: clipping, weight decay, optimizer.

    Args:
      config: The optimizer's group of a config. A traced field that is off there leaves its part out of the chain.
      hparams: Traced values by dotted path, such as ``optimizer.learning_rate``.
      total_steps: Number of steps of the run, for the schedule.
    """

    def h(name: str) -> Scalar:
        return hparams[f"optimizer.{name}"]

    chosen, factor = OPTIMIZERS[config.name], schedule(config, total_steps)
    parts = []
    if config.clip_norm:
        parts.append(optax.clip_by_global_norm(h("clip_norm")))
    if config.hparams.get("weight_decay", 0.0) and "weight_decay" not in chosen.hparams:
        parts.append(optax.add_decayed_weights(h("hparams.weight_decay"), matrices))
    own = {name: h(f"hparams.{name}") for name in chosen.hparams}
    parts.append(chosen.make(lambda step: h("learning_rate") * factor(step), **own))
    if config.embedding_lr_scale != 1:
        parts.append(optax.masked(optax.scale(h("embedding_lr_scale")), embedding))
    return optax.chain(*parts)
