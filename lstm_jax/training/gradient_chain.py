"""What becomes of a gradient: clipping, decay, the optimizer, built inside the compiled step.

``optax.inject_hyperparams`` is not needed: a transformation is only a pair of functions, so making it anew
while tracing costs nothing and lets every lane have its own rate in one program. Schedules have a peak of 1
and are multiplied by the traced rate, for the same reason.
"""

import optax

from lstm_jax.config import OptimizerConfig
from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.optimizers.masks import embedding, matrices
from lstm_jax.types import Scalar

HParams = dict[str, Scalar]


def schedule(config: OptimizerConfig, total_steps: int) -> optax.Schedule:
    """The schedule of a config with peak 1: step → factor of the learning rate."""
    rise = round(config.warmup * total_steps)
    if config.schedule == "cosine":
        # From above 0: optimizers that estimate their rate divide by what the first step was.
        return optax.warmup_cosine_decay_schedule(1.0 / max(rise, 1), 1.0, rise, max(total_steps, rise + 1))
    if config.schedule == "one_cycle":
        return optax.cosine_onecycle_schedule(max(total_steps, 2), 1.0, pct_start=config.warmup)
    if config.schedule == "warmup":
        return optax.linear_schedule(1.0 / max(rise, 1), 1.0, max(rise - 1, 1))
    return optax.constant_schedule(1.0)


def optimizer(config: OptimizerConfig, hparams: HParams, total_steps: int) -> optax.GradientTransformationExtraArgs:
    """The whole transformation of gradients: clipping, decay, optimizer.

    Args:
      config: its static fields choose the parts; a traced field that is 0 there leaves its part out.
      hparams: by dotted path, as ``optimizer.learning_rate``.
      total_steps: of the run, for the schedule.
    """

    def h(name: str) -> Scalar:
        return hparams[f"optimizer.{name}"]

    chosen, factor = OPTIMIZERS[config.name], schedule(config, total_steps)
    parts = []
    if config.clip_norm:
        parts.append(optax.clip_by_global_norm(h("clip_norm")))
    if config.weight_decay > 0 and "weight_decay" not in chosen.hparams:
        parts.append(optax.add_decayed_weights(h("weight_decay"), matrices))
    parts.append(
        chosen.make(lambda step: h("learning_rate") * factor(step), **{name: h(name) for name in chosen.hparams})
    )
    if config.embedding_lr_scale != 1:
        parts.append(optax.masked(optax.scale(h("embedding_lr_scale")), embedding))
    return optax.chain(*parts)
