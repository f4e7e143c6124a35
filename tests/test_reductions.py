"""Compiled reductions over many rows give what the same code gives without compilation.

XLA splits reductions over more than 32,768 rows in other ways than smaller ones, and a release of jaxlib has left rows
out of them. The last rows dominate each result here, so a missing row is far outside the tolerance.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax import runtime
from lstm_jax.cells import lstm
from lstm_jax.data.batching import Batch
from lstm_jax.errors import UserError
from lstm_jax.layers import lstm_vjp, pooling, scan
from lstm_jax.models.wide import WideLinear
from lstm_jax.objectives.classification import classification_sums, cross_entropy

ROWS = (40_001,)


def growing(*shape: int, axis: int = 0) -> jax.Array:
    """Values that grow with the eighth power of the position along an axis, so that the last rows dominate a sum."""
    weight = (np.arange(1, shape[axis] + 1) / shape[axis]) ** 8
    values = np.random.default_rng(shape).uniform(0.5, 1, shape) * np.expand_dims(
        weight, [n for n in range(len(shape)) if n != axis]
    )
    return jnp.asarray(values, jnp.float32)


def environment(n):
    """The known reproducer of jax-ml/jax#39103."""
    x = jnp.stack((jnp.arange(n, dtype=jnp.float32), jnp.zeros(n), jnp.zeros(n)), axis=1)
    return lambda x: jax.vmap(lambda row: jnp.sum((jnp.eye(3) @ row) ** 2))(x), (x,)


def loss_of_rows(n):
    labels = jnp.arange(n) % 3
    batch = Batch(None, jnp.ones(n, jnp.int32), labels, jnp.ones(n), labels)

    def sums(logits):
        losses, predicted = cross_entropy(logits, batch.lengths, labels)
        return classification_sums(losses, predicted, batch)

    return sums, (growing(n, 3) * 20,)


def gradient_of_the_loss(n):
    sums, arguments = loss_of_rows(n)
    return jax.grad(lambda logits: sums(logits)["loss"]), arguments


def loss_of_tokens(n):
    lengths = jnp.array([n, n - 1])
    return lambda logits: cross_entropy(logits, lengths, jnp.array([0, 1])), (growing(n, 2, 2) * 20,)


def pooled_tokens(n):
    lengths = jnp.array([n, n - 1])
    weights = pooling.AttentionParams(jnp.eye(3), jnp.zeros(3), jnp.ones(3))
    attended = partial(pooling.attention, weights)
    return lambda y: [pool(y, lengths, 1) for pool in (pooling.mean, pooling.maximum, pooling.last, attended)], (
        growing(n, 2, 3),
    )


def pooled_rows(n):
    return lambda y: pooling.mean_max(y, jnp.full(n, 2), 0), (growing(2, n, 3, axis=1),)


def layer(make):
    def of_rows(n):
        params = make.init(jax.random.key(0), 3)
        lengths = jnp.full(n, 2).at[-1].set(1)

        def loss(params, x):
            y, state = make.apply(params, x, lengths)
            weight = growing(n, 1)
            return jnp.sum(y * weight[None]) + sum(jnp.sum(part * weight) for part in jax.tree.leaves(state))

        return jax.value_and_grad(loss, (0, 1)), (params, growing(2, n, 3, axis=1))

    return of_rows


def wide(n):
    module = WideLinear(rows=64, vocabulary_size=n + 2, outputs=2, unknown=1)
    tokens = jnp.arange(2, n + 2)[:, None]
    tables = {"words": growing(n + 2, 2), "pairs": growing(64, 2), "triples": growing(64, 2), "bias": jnp.zeros(2)}
    return lambda tables: module.apply({"frozen": tables}, tokens, jnp.array([n])), (tables,)


def gradient_of_the_embedding(n):
    rows = jnp.concatenate([jnp.arange(n - 1) % 5, jnp.array([5])])
    return jax.grad(lambda table: jnp.sum(table[rows] * growing(n, 3))), (growing(6, 3),)


def norm_of_the_gradient(n):
    return optax.tree.norm, ({"a": growing(n, 3), "b": growing(n)},)


CASES = {
    "environment": environment,
    "loss over rows": loss_of_rows,
    "gradient of the loss": gradient_of_the_loss,
    "loss over tokens": loss_of_tokens,
    "pooling over tokens": pooled_tokens,
    "pooling of rows": pooled_rows,
    "scan": layer(scan(lstm(4))),
    "custom VJP": layer(lstm_vjp(4)),
    "custom VJP in blocks": layer(lstm_vjp(4, block=1, gatewise=True)),
    "linear part": wide,
    "embedding": gradient_of_the_embedding,
    "global norm": norm_of_the_gradient,
}


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_compiled_reductions_leave_no_row_out(case, rows):
    function, arguments = case(rows)
    compiled = jax.jit(function)(*arguments)
    with jax.disable_jit():
        expected = function(*arguments)
    for ours, wanted in zip(jax.tree.leaves(compiled), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("version", runtime.WRONG_VERSIONS)
def test_a_version_that_is_known_to_be_wrong_is_refused(version):
    with pytest.raises(
        UserError, match=f"jaxlib {version} is not used, since .*; install another version, such as pip"
    ):
        runtime.check_version(version)


def test_the_installed_version_is_not_known_to_be_wrong():
    runtime.check_version(runtime.jaxlib.__version__)
