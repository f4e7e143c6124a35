"""The fitted weights of n-grams: what they are fitted on, and where they are kept."""

import numpy as np
import pytest

from lstm_jax.data import ngram_weights
from lstm_jax.data.flat_corpus import from_ids
from lstm_jax.data.ngrams import NgramTables, bag_of_ngrams

UNKNOWN, V, M = 1, 12, 512


@pytest.fixture
def corpus():
    """Examples whose class is the order of three words, so that words tell nothing."""
    rng, ids, labels = np.random.default_rng(0), [], []
    for n in range(60):
        ordered = [2, int(rng.integers(4, 9)), 3] if n % 2 else [3, int(rng.integers(4, 9)), 2]
        ids.append([9, 10, *ordered, 10, 9])
        labels.append(n % 2)
    return from_ids(ids)._replace(labels=np.array(labels, np.int32))


def fitted(corpus) -> NgramTables:
    return ngram_weights.ngram_weights(corpus, V, 2, UNKNOWN, M)


def test_pairs_and_triples_tell_what_words_do_not(corpus):
    tables = fitted(corpus)
    assert [table.shape for table in tables] == [(V, 2), (M, 2), (M, 2), (2,)]
    bag = bag_of_ngrams(corpus, V, UNKNOWN, M)
    logits = bag @ np.concatenate(tables[:-1]) + tables.bias
    np.testing.assert_array_equal(np.argmax(logits, axis=1), corpus.labels)
    words = bag[:, :V] @ tables.words
    assert np.abs(words[:, 1] - words[:, 0]).max() < 0.1 * np.abs(logits[:, 1] - logits[:, 0]).min()


def test_ngrams_of_one_example_have_no_weight(corpus):
    once = from_ids([[11, 2, 9], [2, 9], [3, 9], [3, 9]])._replace(labels=np.array([1, 1, 0, 0], np.int32))
    tables = fitted(once)
    assert not tables.words[11].any()
    assert tables.words[2].any()
    used = np.flatnonzero(tables.pairs.any(axis=1))
    assert len(used) == 2, "the pairs 2 9 and 3 9"
    assert not tables.triples.any()


def test_weights_are_fitted_once_for_the_same_examples(corpus, monkeypatch):
    other = corpus._replace(labels=1 - corpus.labels)
    first, turned = fitted(corpus), fitted(other)
    np.testing.assert_allclose(turned.pairs, first.pairs[:, ::-1], atol=1e-3)
    monkeypatch.setattr(ngram_weights, "fitted", lambda *_: pytest.fail("fitted again"))
    np.testing.assert_array_equal(fitted(corpus).triples, first.triples)
