"""The linear part against sums computed token by token."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.data.tokenizer import PADDING
from lstm_jax.models.wide import WideLinear, first_occurrences, hashed
from lstm_jax.types import HostArray

UNKNOWN, V, C, M = 1, 12, 3, 64  # few words, so that some recur


def part(every_step: bool = False) -> WideLinear:
    return WideLinear(M, V, C, UNKNOWN, every_step)


@pytest.fixture
def reviews() -> tuple[jax.Array, jax.Array, dict]:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, V, (9, 6))
    tokens[3:5, 2] = UNKNOWN
    params = {"words": jnp.asarray(rng.normal(size=(V, C))), "pairs": jnp.asarray(rng.normal(size=(M, C)))}
    return jnp.asarray(tokens), jnp.array([9, 1, 7, 0, 2, 5]), {"params": params}


def by_hand(variables: dict, words: list[int]) -> HostArray:
    """The logits of one review."""
    table, pairs = (np.asarray(variables["params"][name]) for name in ("words", "pairs"))
    known = {word for word in words if word > UNKNOWN}
    beside = [pair for pair in itertools.pairwise(words) if min(pair) > UNKNOWN]
    rows = {int(hashed(jnp.array(first), jnp.array(second), M)) for first, second in beside}
    total = sum((table[word] for word in known), np.zeros(C)) + sum((pairs[row] for row in rows), np.zeros(C))
    return total / np.sqrt(max(len(known) + len(rows), 1))


@pytest.mark.slow
def test_logits_are_sums_over_words_and_pairs(reviews) -> None:
    tokens, lengths, variables = reviews
    logits = part().apply(variables, tokens, lengths, None, 0.0)
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(logits[row], by_hand(variables, tokens[:length, row].tolist()), atol=1e-5)


def test_every_step_tells_the_words_read_so_far(reviews) -> None:
    tokens, lengths, variables = reviews
    every = part(every_step=True).apply(variables, tokens, lengths, None, 0.0)
    for row, length in enumerate(lengths):
        for n in range(length):
            expected = by_hand(variables, tokens[: n + 1, row].tolist())
            np.testing.assert_allclose(every[n, row], expected, atol=1e-5)


@pytest.mark.slow
def test_padding_changes_nothing(reviews) -> None:
    tokens, lengths, variables = reviews
    longer = jnp.concatenate([tokens, jnp.full((4, tokens.shape[1]), 7)])
    plain = part().apply(variables, tokens, lengths, None, 0.0)
    np.testing.assert_array_equal(plain, part().apply(variables, longer, lengths, None, 0.0))


@pytest.mark.slow
def test_padding_on_the_left_is_no_token_and_in_no_pair(reviews) -> None:
    tokens, lengths, variables = reviews
    padded = jnp.concatenate([jnp.full((4, tokens.shape[1]), PADDING), tokens])
    plain = part().apply(variables, tokens, lengths, None, 0.0)
    np.testing.assert_allclose(part().apply(variables, padded, lengths + 4, None, 0.0), plain, atol=1e-5)


@pytest.mark.slow
def test_weights_begin_at_zero() -> None:
    variables = part().init(jax.random.key(0), jnp.ones((1, 1), jnp.int32), jnp.ones(1, jnp.int32), None, 0.0)
    assert variables["params"]["words"].shape == (V, C)
    assert variables["params"]["pairs"].shape == (M, C)
    assert all(not leaf.any() for leaf in jax.tree.leaves(variables))


@pytest.mark.slow
def test_dropout_keeps_the_mean_and_belongs_to_rows(reviews) -> None:
    tokens, lengths, variables = reviews
    plain = part().apply(variables, tokens, lengths, None, 0.0)

    @jax.jit
    def dropped(seed: int) -> jax.Array:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.arange(len(lengths)))
        return part().apply(variables, tokens, lengths, keys, 0.5)

    draws = np.stack([dropped(seed) for seed in range(2000)])
    np.testing.assert_allclose(draws.mean(axis=0), plain, atol=6 * draws.std(axis=0).max() / np.sqrt(len(draws)))
    assert draws[:, 0].std(axis=0).min() > 0.1
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(3), jnp.arange(len(lengths)))
    one = part().apply(variables, tokens[:, 2:3], lengths[2:3], keys[2:3], 0.5)
    np.testing.assert_allclose(one[0], dropped(3)[2], atol=1e-6)


def test_pairs_spread_over_the_table() -> None:
    first, second = (side.ravel() for side in jnp.meshgrid(jnp.arange(300), jnp.arange(300)))
    rows = np.asarray(hashed(first, second, 2**12))
    assert rows.min() >= 0
    assert rows.max() < 2**12
    counts = np.bincount(rows, minlength=2**12)  # about Poisson with mean 22 if rows are like random ones
    assert counts.var() / counts.mean() < 1.5
    assert int(hashed(jnp.array(3), jnp.array(4), 2**12)) != int(hashed(jnp.array(4), jnp.array(3), 2**12))


def test_the_first_of_each_value() -> None:
    rows = jnp.array([[3, 5], [3, 5], [4, 0], [3, 5], [4, 0], [9, 7]])
    there = jnp.array([[True, False], [True, True], [True, True], [True, True], [False, True], [True, False]])
    found = np.asarray(first_occurrences(rows, there)).T.astype(int)
    np.testing.assert_array_equal(found, [[1, 0, 1, 0, 0, 1], [0, 1, 1, 0, 0, 0]])


def test_the_shares_of_the_tokens_add_up_to_the_logits(reviews):
    tokens, lengths, variables = reviews
    shares = part().apply(variables, tokens, lengths, method="by_token")
    logits = part().apply(variables, tokens, lengths, None, 0.0)
    np.testing.assert_allclose(shares.sum(axis=0), logits, atol=1e-5)
    outside = (np.arange(len(tokens))[:, None] >= np.asarray(lengths)) | (np.asarray(tokens) <= UNKNOWN)
    assert not np.asarray(shares)[outside].any()


def test_the_weight_of_a_pair_is_shared_by_its_tokens(reviews):
    _, _, variables = reviews
    tokens, lengths = jnp.array([[5], [7]]), jnp.array([2])
    shares = part().apply(variables, tokens, lengths, method="by_token")[:, 0]
    words, pairs = (np.asarray(variables["params"][name]) for name in ("words", "pairs"))
    pair = pairs[int(hashed(jnp.array(5), jnp.array(7), M))]
    np.testing.assert_allclose(shares, (words[[5, 7]] + pair / 2) / np.sqrt(3), atol=1e-6)
