"""Dropout masks: their rate, their scale, and that each depends on its example alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.layers.dropout import feature_dropout, fold_in, token_dropout
from tests.helpers import assert_equal, random

T, B, UNKNOWN = 6, 500, 1
KEYS = jax.random.split(jax.random.key(0), B)
TOKENS = jax.random.randint(jax.random.key(1), (T, B), 2, 100)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.7])
def test_word_dropout_replaces_the_given_share(rate):
    tokens = np.asarray(token_dropout(KEYS, TOKENS, rate, UNKNOWN))
    dropped = tokens == UNKNOWN
    assert_equal(tokens[~dropped], TOKENS[~dropped])
    assert abs(dropped.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / dropped.size)


def test_tokens_are_dropped_one_by_one():
    dropped = np.asarray(token_dropout(KEYS, TOKENS, 0.5, UNKNOWN)) == UNKNOWN
    correlations = np.corrcoef(dropped)[np.triu_indices(T, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(B)


def test_token_mask_depends_on_neither_neighbours_nor_bucket():
    tokens = token_dropout(KEYS, TOKENS, 0.5, UNKNOWN)
    longer = jnp.concatenate([TOKENS, TOKENS])[:, 3:5]
    assert_equal(token_dropout(KEYS[3:5], longer, 0.5, UNKNOWN)[:T], tokens[:, 3:5])


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.7])
def test_feature_dropout_scales_what_it_keeps_and_shares_the_mask_over_time(rate):
    mask = np.asarray(feature_dropout(KEYS, jnp.ones((B, 8)), rate))
    kept = mask > 0
    np.testing.assert_allclose(mask[kept], 1 / (1 - rate), rtol=1e-5)
    assert abs(kept.mean() - (1 - rate)) <= 4 * np.sqrt(rate * (1 - rate) / mask.size)
    over_time = feature_dropout(KEYS, jnp.ones((T, B, 8)), rate)
    assert_equal(over_time, np.broadcast_to(mask, (T, B, 8)))


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_dropout_per_step_draws_every_mask_by_itself(rate):
    scale = np.asarray(feature_dropout(KEYS, jnp.ones((T, B, 8)), rate, per_step=True))
    kept = scale > 0
    np.testing.assert_allclose(scale[kept], 1 / (1 - rate), rtol=1e-5)
    assert abs(kept.mean() - (1 - rate)) < 4 * np.sqrt(rate * (1 - rate) / kept.size)
    correlations = np.corrcoef(kept.reshape(T, -1))[np.triu_indices(T, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(B * 8)


@pytest.mark.parametrize("per_step", [False, True])
def test_feature_mask_depends_on_neither_neighbours_nor_bucket(per_step):
    x = jnp.asarray(random(1, T, B, 8))
    dropped = feature_dropout(KEYS, x, 0.5, per_step=per_step)
    longer = jnp.concatenate([x, x])[:, 3:5]
    assert_equal(feature_dropout(KEYS[3:5], longer, 0.5, per_step=per_step)[:T], dropped[:, 3:5])


def test_folded_keys_differ_by_number_and_example():
    keys = np.concatenate([jax.random.key_data(fold_in(KEYS, number)) for number in (0, 1)])
    assert len(np.unique(keys, axis=0)) == 2 * B
