"""The generated tasks against brute force, and the corpora made of them."""

import itertools

import numpy as np
import pytest

from lstm_jax.data.batching import gather
from lstm_jax.data.flat_corpus import lengths, take
from lstm_jax.data.memory_tasks import COPIED_SYMBOLS, FIRST_TOKEN, TASKS, mixed_lengths, permutations_a5, task_corpora


def made(name, length, count=40):
    """Token names of examples, and the names of their classes; ``None`` where a token has none."""
    task = TASKS[name]
    tokens, labels = task.make(np.random.default_rng(length), count, length)
    named = np.array([*task.classes, None])
    return [[task.tokens[n - FIRST_TOKEN] for n in row] for row in tokens], named[labels].tolist()


@pytest.mark.parametrize("length", [2, 3, 11])
def test_adding(length):
    for tokens, total in zip(*made("adding", length), strict=True):
        marked = [n for n, token in enumerate(tokens) if token.endswith("*")]
        assert len(tokens) == length
        assert len(marked) == 2
        assert marked[0] < length // 2 <= marked[1]
        assert int(total) == sum(int(tokens[n][:-1]) for n in marked)


@pytest.mark.parametrize("length", [1, 7])
def test_parity(length):
    rows = list(zip(*made("parity", length), strict=True))
    assert all(label == ("even", "odd")[tokens.count("1") % 2] for tokens, label in rows)
    assert {label for _, label in rows} == {"even", "odd"}


@pytest.mark.parametrize(
    ("name", "length", "symbols", "blanks"), [("copying", 4, COPIED_SYMBOLS, 4), ("memorisation", 6, 6, 0)]
)
def test_symbols_are_asked_for_in_their_order(name, length, symbols, blanks):
    for tokens, labels in zip(*made(name, length), strict=True):
        assert tokens[symbols:] == ["_"] * blanks + ["?"] + ["_"] * symbols
        assert labels == [None] * (len(tokens) - symbols) + tokens[:symbols]
        assert "_" not in tokens[:symbols]


@pytest.mark.parametrize("length", [1, 4])
def test_addition(length):
    carried = set()
    for tokens, labels in zip(*made("addition", length), strict=True):
        first, second = tokens[1 : length + 1], tokens[length + 2 : 2 * length + 2]
        assert [tokens[n] for n in (0, length + 1, 2 * length + 2)] == ["-"] * 3
        assert tokens[2 * length + 3 :] == ["_"] * (length + 1)
        assert labels[: -length - 1] == [None] * (2 * length + 3)
        total = int("".join(first)) + int("".join(second))
        assert "".join(labels[-length - 1 :]) == f"{total:0{length + 1}}"
        carried.add(labels[-length - 1])
    assert carried == {"0", "1"}


def test_the_word_problem_of_a5():
    """Things are moved one permutation after the other; the class is where each thing then comes from."""
    moves = {"a": (1, 2, 3, 4, 0), "b": (1, 2, 0, 3, 4)}
    for tokens, labels in zip(*made("a5", 9), strict=True):
        so_far = tuple(range(5))
        for token, label in zip(tokens, labels, strict=True):
            so_far = tuple(moves[token][k] for k in so_far)
            assert label == "".join(map(str, so_far))


def test_the_two_permutations_generate_a_group_that_is_not_solvable():
    def product(p, q):
        return tuple(p[k] for k in q)

    def generated(by):
        found = {tuple(range(5))}
        while True:
            more = {product(p, q) for p in by for q in found} - found
            if not more:
                return found
            found |= more

    group = generated([(1, 2, 3, 4, 0), (1, 2, 0, 3, 4)])
    assert group == set(permutations_a5())
    assert len(group) == 60
    inverse = {p: tuple(np.argsort(p).tolist()) for p in group}
    commutators = {product(product(p, q), product(inverse[p], inverse[q])) for p, q in itertools.product(group, group)}
    assert generated(commutators) == group, "the group is its own commutator subgroup"


def test_short_lengths_are_as_frequent_as_long_ones_on_a_logarithmic_scale():
    drawn = mixed_lengths(np.random.default_rng(0), 20_000, 1, 127)
    shares = [np.mean((drawn >= 2**n) & (drawn < 2 ** (n + 1))) for n in range(7)]
    assert (drawn.min(), drawn.max()) == (1, 127)
    np.testing.assert_allclose(shares, 1 / 7, atol=0.01)


@pytest.mark.parametrize("name", TASKS)
def test_corpora(name):
    task, tested = TASKS[name], (3, 6, 12)
    corpora = task_corpora(task, 8, (300, 40, 5), tested, 0)
    assert [len(each.labels) for each in (corpora.train, corpora.validation, corpora.test)] == [300, 40, 15]
    assert corpora.tokenizer.get_vocab_size() == FIRST_TOKEN + len(task.tokens)
    for part in (corpora.train, corpora.test):
        assert part.tokens.min() >= FIRST_TOKEN
        assert part.tokens.max() < corpora.tokenizer.get_vocab_size()
        assert part.labels.min() >= 0
        assert part.labels.max() < len(task.classes)
    counts = lengths(corpora.test)
    assert np.bincount(counts)[np.unique(counts)].tolist() == [5, 5, 5], "a group for each tested length"
    batch = gather(corpora.test, np.array([0, 14, -1]), int(counts.max()))
    ends = [int(counts[0]), int(counts[14])]
    if corpora.test.token_labels is None:
        assert batch.labels.tolist() == [*corpora.test.labels[[0, 14]], 0]
    else:
        assert (batch.labels[ends[0] :, 0] == -1).all()
        assert (batch.labels[:, 2] == -1).all()
        last = [batch.labels[end - 1, n] for n, end in enumerate(ends)]
        assert last == corpora.test.labels[[0, 14]].tolist()
        chosen = take(corpora.test, np.array([14, 0]))
        np.testing.assert_array_equal(chosen.token_labels[: ends[1]], batch.labels[: ends[1], 1])
    again = task_corpora(task, 8, (300, 40, 5), tested, 0)
    other = task_corpora(task, 8, (300, 40, 5), tested, 1)
    np.testing.assert_array_equal(again.train.tokens, corpora.train.tokens)
    assert not np.array_equal(other.test.tokens, corpora.test.tokens)
    assert not np.array_equal(corpora.validation.tokens[:40], corpora.train.tokens[:40]), "splits have their own seeds"
