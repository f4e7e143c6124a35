"""The linear part against sums computed token by token."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.data.ngrams import NgramTables, bag_of_ngrams, hashed
from lstm_jax.data.tokenizer import PADDING
from lstm_jax.models.wide import WideLinear, first_occurrences
from lstm_jax.types import HostArray
from tests.training.tiny import toy_corpus

UNKNOWN, V, C, M = 1, 12, 3, 64  # Few words, so that some recur.

rng = np.random.default_rng(0)
TABLES = NgramTables(*(rng.normal(size=(n, C)).astype(np.float32) for n in (V, M, M)), rng.normal(size=C))
TOKENS = rng.integers(0, V, (9, 6)).astype(np.int32)
TOKENS[3:5, 2] = UNKNOWN
LENGTHS = np.array([9, 1, 7, 0, 2, 5], np.int32)


def apply(tokens, lengths, every_step: bool = False, method: str | None = None) -> HostArray:
    part = WideLinear(M, V, C, UNKNOWN, None, every_step)
    variables = {"frozen": TABLES._asdict()}
    return np.asarray(part.apply(variables, jnp.asarray(tokens), jnp.asarray(lengths), method=method))


def by_hand(words: list[int]) -> HostArray:
    """The logits of one review."""
    total = TABLES.bias.copy()
    for order, table in zip((1, 2, 3), TABLES, strict=False):
        ngrams = zip(*(words[n:] for n in range(order)), strict=False)
        rows = {row_of(ngram) for ngram in ngrams if min(ngram) > UNKNOWN}
        total += sum((table[row] for row in rows), np.zeros(C))
    return total


def row_of(ngram: tuple[int, ...]) -> int:
    return ngram[0] if len(ngram) == 1 else int(hashed([np.array([token]) for token in ngram], M)[0])


def test_logits_are_sums_over_words_pairs_and_triples():
    logits = apply(TOKENS, LENGTHS)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(logits[row], by_hand(TOKENS[:length, row].tolist()), atol=1e-5)


def test_every_step_tells_the_words_read_so_far():
    every = apply(TOKENS, LENGTHS, every_step=True)
    for row, length in enumerate(LENGTHS):
        for n in range(length):
            np.testing.assert_allclose(every[n, row], by_hand(TOKENS[: n + 1, row].tolist()), atol=1e-5)


def test_padding_changes_nothing():
    longer = np.concatenate([TOKENS, np.full((4, TOKENS.shape[1]), 7, np.int32)])
    np.testing.assert_array_equal(apply(TOKENS, LENGTHS), apply(longer, LENGTHS))


def test_padding_on_the_left_is_no_token_and_in_no_ngram():
    padded = np.concatenate([np.full((4, TOKENS.shape[1]), PADDING, np.int32), TOKENS])
    np.testing.assert_allclose(apply(padded, LENGTHS + 4), apply(TOKENS, LENGTHS), atol=1e-5)


def test_the_host_and_the_device_read_the_same_ngrams():
    corpus = toy_corpus(30)
    corpus = corpus._replace(tokens=corpus.tokens % V)
    bag = bag_of_ngrams(corpus, V, UNKNOWN, M)
    expected = bag @ np.concatenate(TABLES[:-1]) + TABLES.bias
    for n, (start, end) in enumerate(itertools.pairwise(corpus.offsets)):
        found = apply(corpus.tokens[start:end][:, None], np.array([end - start], np.int32))[0]
        np.testing.assert_allclose(found, expected[n], atol=1e-4)


def test_weights_are_the_given_ones_and_are_not_trained():
    arguments = jnp.ones((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
    for given in (TABLES, None):
        variables = WideLinear(M, V, C, UNKNOWN, given).init(jax.random.key(0), *arguments)
        assert set(variables) == {"frozen"}, "nothing has a gradient"
        for name, table in TABLES._asdict().items():
            wanted = table if given else np.zeros_like(table)
            np.testing.assert_array_equal(variables["frozen"][name], wanted.astype(np.float32))


def test_the_first_of_each_value():
    rows = jnp.array([[3, 5], [3, 5], [4, 0], [3, 5], [4, 0], [9, 7]])
    there = jnp.array([[True, False], [True, True], [True, True], [True, True], [False, True], [True, False]])
    found = np.asarray(first_occurrences(rows, there)).T.astype(int)
    np.testing.assert_array_equal(found, [[1, 0, 1, 0, 0, 1], [0, 1, 1, 0, 0, 0]])


def test_the_shares_of_the_tokens_and_the_bias_add_up_to_the_logits():
    shares = apply(TOKENS, LENGTHS, method="by_token")
    np.testing.assert_allclose(shares.sum(axis=0) + TABLES.bias, apply(TOKENS, LENGTHS), atol=1e-5)
    outside = (np.arange(len(TOKENS))[:, None] >= LENGTHS) | (TOKENS <= UNKNOWN)
    assert not shares[outside].any()


def test_the_weight_of_an_ngram_is_shared_by_its_tokens():
    shares = apply(np.array([[5], [7], [9]], np.int32), np.array([3], np.int32), method="by_token")[:, 0]
    first, second = (TABLES.pairs[row_of(pair)] / 2 for pair in ((5, 7), (7, 9)))
    third = TABLES.triples[row_of((5, 7, 9))] / 3
    expected = TABLES.words[[5, 7, 9]] + [first + third, first + second + third, second + third]
    np.testing.assert_allclose(shares, expected, atol=1e-6)
