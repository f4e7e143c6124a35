"""Hashed n-grams, against sets of n-grams that are collected one by one."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.data import ngrams
from lstm_jax.data.flat_corpus import from_ids
from lstm_jax.data.ngrams import bag_of_ngrams, hashed

UNKNOWN, V, M = 1, 9, 4096  # So many rows that no two of these n-grams share one.


def texts() -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, V, length).tolist() for length in (0, 1, 2, 3, 40, 0, 17)]


@pytest.mark.parametrize("at_a_time", [2, 10_000])
def test_a_bag_holds_every_ngram_of_ordinary_tokens_once(at_a_time, monkeypatch):
    monkeypatch.setattr(ngrams, "EXAMPLES_AT_A_TIME", at_a_time)
    bag = bag_of_ngrams(from_ids(texts()), V, UNKNOWN, M)
    assert bag.shape == (len(texts()), V + 2 * M)
    for n, words in enumerate(texts()):
        wanted = set()
        for order in (1, 2, 3):
            for ngram in zip(*(words[k:] for k in range(order)), strict=False):
                if min(ngram) > UNKNOWN:
                    row = int(hashed([np.array([token]) for token in ngram], M)[0])
                    wanted.add(ngram[0] if order == 1 else V + (order - 2) * M + row)
        own = bag[[n]].tocoo()
        assert set(own.coords[1].tolist()) == wanted
        assert (own.data == 1).all()


def test_numpy_and_jax_hash_alike():
    ids = np.random.default_rng(0).integers(0, 2**31 - 1, (3, 1000)).astype(np.int32)
    for order in (2, 3):
        on_device = hashed([jnp.asarray(own) for own in ids[:order]], 1000)
        np.testing.assert_array_equal(hashed(list(ids[:order]), 1000), on_device)


def test_ngrams_spread_over_the_table():
    pairs = np.array(list(itertools.product(range(300), repeat=2)), np.int32)
    for ids in (list(pairs.T), [pairs[:, 0], np.full(len(pairs), 7, np.int32), pairs[:, 1]]):
        rows = hashed(ids, 2**12)
        assert 0 <= rows.min() <= rows.max() < 2**12
        counts = np.bincount(rows, minlength=2**12)  # About Poisson with mean 22 if rows are like random ones.
        assert counts.var() / counts.mean() < 1.5


def test_the_order_of_the_tokens_matters():
    orders = [hashed([np.array([token]) for token in ids], 2**20)[0] for ids in itertools.permutations((3, 4, 5))]
    assert len(set(orders)) == 6
