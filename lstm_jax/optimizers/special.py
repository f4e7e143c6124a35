"""Optimizers that need more than optax's own function: masks, second derivatives, other weights to evaluate."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import ScheduleFreeState

from lstm_jax.optimizers.masks import hidden_matrices, matrices
from lstm_jax.types import Params, Scalar

# Root mean square of an orthogonal update that matches AdamW's (Liu et al. 2025, section 2.2).
ADAMW_RMS = 0.2


def muon(schedule: optax.Schedule, momentum: Scalar, b1: Scalar, b2: Scalar, eps: Scalar, weight_decay: Scalar) -> Any:
    """Muon for the kernels of hidden layers, AdamW for embedding, biases and output (Jordan 2024).

    Updates have AdamW's size, so one learning rate serves both. An LSTM's four gates are in one kernel, which is
    orthogonalised as a whole.
    """
    parts = {
        "muon": optax.contrib.muon(schedule, beta=momentum, weight_decay=weight_decay, consistent_rms=ADAMW_RMS),
        "adamw": optax.adamw(schedule, b1, b2, eps, weight_decay=weight_decay, mask=matrices),
    }
    return optax.partition(
        parts, lambda params: jax.tree.map(lambda own: "muon" if own else "adamw", hidden_matrices(params))
    )


def prodigy(schedule: optax.Schedule, b1: Scalar, b2: Scalar, eps: Scalar) -> optax.GradientTransformation:
    """Prodigy estimates the learning rate; the schedule is a factor on its estimate (Mishchenko & Defazio 2024).

    The estimate ignores the schedule, as the authors advise for schedules that begin with a warm-up.
    """
    return optax.contrib.prodigy(schedule, (b1, b2), eps=eps, safeguard_warmup=True)


def dadapt_adamw(schedule: optax.Schedule, b1: Scalar, b2: Scalar, eps: Scalar) -> optax.GradientTransformation:
    """D-Adaptation estimates the learning rate; the schedule is a factor on it (Defazio & Mishchenko 2023)."""
    return optax.contrib.dadapt_adamw(schedule, (b1, b2), eps=eps)


def cocob(schedule: optax.Schedule, alpha: Scalar, eps: Scalar) -> optax.GradientTransformation:
    """Coin betting, which has no learning rate (Orabona & Tommasi 2017); the schedule is a factor on its steps.

    optax scales before the bets, which are scale-free, so its factor has no effect. Here it is applied after them.
    """
    return optax.chain(
        optax.contrib.scale_by_cocob(alpha, eps), optax.scale_by_learning_rate(schedule, flip_sign=False)
    )


def schedule_free_adamw(schedule: optax.Schedule, b1: Scalar, b2: Scalar, eps: Scalar, weight_decay: Scalar) -> Any:
    """Schedule-free AdamW (Defazio et al. 2024, algorithm 1), with weight decay of matrices only."""
    step = optax.chain(
        optax.scale_by_rms(decay=b2, eps=eps, eps_in_sqrt=False, bias_correction=True),
        optax.add_decayed_weights(weight_decay, matrices),
        optax.scale_by_learning_rate(schedule),
    )
    return optax.contrib.schedule_free(step, schedule, b1)


def eval_params(opt_state: Any, params: Params) -> Params:
    """The weights to evaluate: x of a schedule-free optimizer, whose gradients are taken at y; else ``params``.

    Works on one lane and on a stack of lanes, where every leaf has a leading axis L.
    """
    is_free = lambda node: isinstance(node, ScheduleFreeState)
    for state in filter(is_free, jax.tree.leaves(opt_state, is_leaf=is_free)):

        def x(y: jax.Array, z: jax.Array, b1: Any = state.b1) -> jax.Array:
            b1 = jnp.reshape(b1, jnp.shape(b1) + (1,) * (y.ndim - jnp.ndim(b1)))
            return (y - (1.0 - b1) * z) / b1

        return jax.tree.map(x, params, state.z)
    return params


class HutchinsonState(NamedTuple):
    """State of ``hutchinson``."""

    made: Scalar  # Number of estimates so far.


def hutchinson() -> optax.GradientTransformationExtraArgs:
    """Estimates the diagonal of the Hessian as z · Hz with random signs z (Hutchinson 1989).

    optax's estimator differentiates forward over reverse, which a custom VJP does not allow, and does not support a
    batch that is sharded over devices. The update needs ``obj_fn``, the loss of this device's part of the batch, and
    ``total``, which sums over devices.
    """

    def init(params: Params) -> HutchinsonState:
        del params
        return HutchinsonState(jnp.zeros((), jnp.int32))

    def update(
        updates: Params, state: HutchinsonState, params: Any = None, *, obj_fn: Any, total: Any, **_: Any
    ) -> Any:
        del updates
        leaves, tree = jax.tree.flatten(params)
        keys = jax.random.split(jax.random.fold_in(jax.random.key(0), state.made), len(leaves))
        drawn = [jax.random.rademacher(key, leaf.shape, leaf.dtype) for key, leaf in zip(keys, leaves, strict=True)]
        signs = jax.tree.unflatten(tree, drawn)
        along = jax.grad(lambda p: optax.tree.vdot(jax.grad(obj_fn)(p), signs))(params)
        return total(jax.tree.map(jnp.multiply, along, signs)), HutchinsonState(state.made + 1)

    return optax.GradientTransformationExtraArgs(init, update)


def sophia(
    schedule: optax.Schedule, b1: Scalar, b2: Scalar, eps: Scalar, gamma: Scalar, weight_decay: Scalar
) -> optax.GradientTransformation:
    """Sophia-H (Liu et al. 2023, algorithm 3); the Hessian is estimated every tenth step."""
    return optax.contrib.sophia(
        schedule,
        b1,
        b2,
        eps,
        weight_decay=weight_decay,
        weight_decay_mask=matrices,
        gamma=gamma,
        hessian_diagonal_fn=hutchinson(),
    )


def sm3(schedule: optax.Schedule, momentum: Scalar) -> optax.GradientTransformation:
    """SM3 (Anil et al. 2019) with a learning-rate schedule, which optax's version lacks."""
    return optax.chain(optax.scale_by_sm3(momentum), optax.scale_by_learning_rate(schedule))
