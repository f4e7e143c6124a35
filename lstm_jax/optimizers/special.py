"""Optimizers that need more than optax's function for them: masks, second derivatives, other weights to evaluate."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import ScheduleFreeState

from lstm_jax.optimizers.masks import hidden_matrices, matrices
from lstm_jax.types import Params, Scalar

AS_ADAMW = 0.2  # root mean square of an orthogonal update that matches AdamW's (Liu et al. 2025, section 2.2)


def muon(rate: optax.Schedule, momentum: Scalar, b1: Scalar, b2: Scalar, eps: Scalar, weight_decay: Scalar) -> Any:
    """Muon for the kernels of hidden layers, AdamW for embedding, biases and output (Jordan 2024).

    Updates have AdamW's size, so that one rate serves both. An LSTM's four gates lie in one kernel, which is
    orthogonalised as a whole.
    """
    parts = {
        "muon": optax.contrib.muon(rate, beta=momentum, weight_decay=weight_decay, consistent_rms=AS_ADAMW),
        "adamw": optax.adamw(rate, b1, b2, eps, weight_decay=weight_decay, mask=matrices),
    }
    return optax.partition(
        parts, lambda params: jax.tree.map(lambda own: "muon" if own else "adamw", hidden_matrices(params))
    )


def prodigy(rate: optax.Schedule, b1: Scalar, b2: Scalar, eps: Scalar) -> optax.GradientTransformation:
    """Prodigy estimates the rate; what is searched for is a factor on its estimate (Mishchenko & Defazio 2024).

    Its estimate leaves the rate of the moment out, which its authors advise where that rises first.
    """
    return optax.contrib.prodigy(rate, (b1, b2), eps=eps, safeguard_warmup=True)


def dadapt_adamw(rate: optax.Schedule, b1: Scalar, b2: Scalar, eps: Scalar) -> optax.GradientTransformation:
    """D-Adaptation estimates the rate; what is searched for is a factor (Defazio & Mishchenko 2023)."""
    return optax.contrib.dadapt_adamw(rate, (b1, b2), eps=eps)


def cocob(rate: optax.Schedule, alpha: Scalar, eps: Scalar) -> optax.GradientTransformation:
    """Coin betting, which has no rate (Orabona & Tommasi 2017); a factor on its steps, after them.

    optax's puts the factor before it, where the bets do not see it.
    """
    return optax.chain(optax.contrib.scale_by_cocob(alpha, eps), optax.scale_by_learning_rate(rate, flip_sign=False))


def schedule_free_adamw(rate: optax.Schedule, b1: Scalar, b2: Scalar, eps: Scalar, weight_decay: Scalar) -> Any:
    """Schedule-free AdamW (Defazio et al. 2024, algorithm 1), decaying matrices only."""
    step = optax.chain(
        optax.scale_by_rms(decay=b2, eps=eps, eps_in_sqrt=False, bias_correction=True),
        optax.add_decayed_weights(weight_decay, matrices),
        optax.scale_by_learning_rate(rate),
    )
    return optax.contrib.schedule_free(step, rate, b1)


def evaluated(opt_state: Any, params: Params) -> Params:
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

    made: Scalar  # estimates so far


def hutchinson() -> optax.GradientTransformationExtraArgs:
    """Estimates the diagonal of the Hessian as z · Hz with random signs z (Hutchinson 1989).

    optax's estimator differentiates forward over reverse, which a backward pass by hand does not allow, and knows
    nothing of a batch that is shared by devices. The update needs ``obj_fn``, the loss that this device's part of
    the batch adds, and ``total``, which sums over devices.
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
    rate: optax.Schedule, b1: Scalar, b2: Scalar, eps: Scalar, gamma: Scalar, weight_decay: Scalar
) -> optax.GradientTransformation:
    """Sophia-H (Liu et al. 2023, algorithm 3), its Hessian estimated every tenth step."""
    return optax.contrib.sophia(
        rate,
        b1,
        b2,
        eps,
        weight_decay=weight_decay,
        weight_decay_mask=matrices,
        gamma=gamma,
        hessian_diagonal_fn=hutchinson(),
    )


def sm3(rate: optax.Schedule, momentum: Scalar) -> optax.GradientTransformation:
    """SM3 (Anil et al. 2019) with a schedule, which optax's has not."""
    return optax.chain(optax.scale_by_sm3(momentum), optax.scale_by_learning_rate(rate))
