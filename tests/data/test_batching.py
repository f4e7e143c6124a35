import itertools

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_jax.data import batching as batches
from lstm_jax.data import flat_corpus
from lstm_jax.data.batching import EMPTY
from tests.helpers import assert_equal

LENGTHS = st.lists(st.integers(0, 60), min_size=1, max_size=120).map(lambda values: np.array(values, np.int64))
SIZES = {"buckets": st.integers(1, 5), "batch_size": st.integers(1, 9), "steps_per_call": st.integers(1, 4)}
SEEDS = {"seed": st.integers(0, 2**32 - 1), "epoch": st.integers(0, 50)}


def check_plan(plan, lengths, batch_size, steps_per_call):
    """Checks that a plan has every example once, in the fewest steps, and none in a bucket that is too short for it."""
    seen = np.concatenate([chunk.examples.ravel() for chunk in plan])
    assert sorted(seen[seen != EMPTY]) == list(range(len(lengths)))
    assert len(seen) == batches.steps_per_epoch(len(lengths), batch_size) * batch_size
    assert batches.steps_per_epoch(len(lengths), batch_size) == int(np.ceil(len(lengths) / batch_size))
    for chunk in plan:
        assert chunk.examples.shape[1] == batch_size
        assert 1 <= chunk.examples.shape[0] <= steps_per_call
        assert max(lengths[chunk.examples[chunk.examples != EMPTY]], default=0) <= chunk.length


@given(lengths=LENGTHS, **SIZES, **SEEDS)
def test_epoch_sees_every_review_once(lengths, buckets, batch_size, steps_per_call, seed, epoch):
    edges = batches.bucket_lengths(lengths, buckets)
    plan = batches.epoch_plan(lengths, edges, batch_size, steps_per_call, seed, epoch)
    check_plan(plan, lengths, batch_size, steps_per_call)
    again = batches.epoch_plan(lengths, edges, batch_size, steps_per_call, seed, epoch)
    assert_equal(plan, again)


@given(lengths=LENGTHS, **SIZES)
def test_evaluation_sees_every_review_once(lengths, buckets, batch_size, steps_per_call):
    edges = batches.bucket_lengths(lengths, buckets)
    check_plan(batches.evaluation_plan(lengths, edges, batch_size, steps_per_call), lengths, batch_size, steps_per_call)


@given(lengths=LENGTHS, **SIZES, **SEEDS, other=st.integers(0, 2**32 - 1))
def test_seeds_share_the_order_of_the_buckets(lengths, buckets, batch_size, steps_per_call, seed, epoch, other):
    edges = batches.bucket_lengths(lengths, buckets)
    plans = [batches.epoch_plan(lengths, edges, batch_size, steps_per_call, s, epoch) for s in (seed, other)]
    first, second = ([(chunk.length, chunk.examples.shape) for chunk in plan] for plan in plans)
    assert first == second


def test_seeds_and_epochs_draw_different_reviews():
    lengths = np.random.default_rng(0).integers(1, 100, 500)
    edges = batches.bucket_lengths(lengths, 4)

    def plan(seed, epoch):
        return batches.epoch_plan(lengths, edges, 16, 2, seed, epoch)

    def schedule(chunks):
        return [chunk.length for chunk in chunks]

    assert schedule(plan(0, 0)) == schedule(plan(1, 0))
    assert schedule(plan(0, 0)) != schedule(plan(0, 1))
    assert sorted(schedule(plan(0, 0))) == sorted(schedule(plan(0, 1)))
    assert not np.array_equal(plan(0, 0)[0].examples, plan(1, 0)[0].examples)
    first_batches = {tuple(np.sort(plan(0, epoch)[0].examples[0])) for epoch in range(5)}
    assert len(first_batches) == 5


def test_padding_is_little():
    lengths = np.random.default_rng(0).gamma(2, 100, 5000).astype(int).clip(1, 1000)
    edges = batches.bucket_lengths(lengths, 5)
    computed = sum(chunk.length * chunk.examples.size for chunk in batches.epoch_plan(lengths, edges, 64, 8, 0, 0))
    assert computed < 1.1 * padded_words(lengths, edges) < 0.35 * lengths.max() * len(lengths)


def padded_words(lengths, edges):
    return sum(min(edge for edge in edges if edge >= max(length, 1)) for length in lengths)


@given(st.lists(st.integers(0, 80), min_size=1, max_size=30), st.integers(1, 5), st.sampled_from([1, 8]))
@settings(max_examples=40)
def test_bucket_lengths_are_the_best_ones(lengths, buckets, multiple):
    lengths = np.array(lengths) if multiple == 8 else np.array(lengths) % 9
    chosen = batches.bucket_lengths(lengths, buckets, multiple)
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) <= buckets
    assert chosen[-1] >= lengths.max()
    assert all(edge % multiple == 0 for edge in chosen)
    longest = -(-max(lengths.max(), 1) // multiple) * multiple
    shorter = range(multiple, longest, multiple)
    best = min(
        padded_words(lengths, (*edges, longest))
        for count in range(min(buckets, len(shorter) + 1))
        for edges in itertools.combinations(shorter, count)
    )
    assert padded_words(lengths, chosen) == best


def test_bucket_lengths_of_known_cases():
    assert batches.bucket_lengths(np.array([3, 3, 3, 100]), 2) == (8, 104)
    assert batches.bucket_lengths(np.array([3, 3, 3, 100]), 1) == (104,)
    assert batches.bucket_lengths(np.array([10, 16]), 5) == (16,)
    assert batches.bucket_lengths(np.array([0]), 3) == (8,)


def loop(ids, labels, reviews, length):
    """``gather`` in plain Python."""
    tokens = np.zeros((length, len(reviews)), np.int32)
    for b, review in enumerate(reviews):
        for t, word in enumerate(ids[review][:length] if review != EMPTY else []):
            tokens[t, b] = word
    return batches.Batch(
        tokens=tokens,
        lengths=np.array([0 if r == EMPTY else min(len(ids[r]), length) for r in reviews], np.int32),
        labels=np.array([0 if r == EMPTY else labels[r] for r in reviews], np.int32),
        weights=np.array([r != EMPTY for r in reviews], np.float32),
        examples=np.array([max(r, 0) for r in reviews], np.int32),
    )


@given(
    st.lists(st.lists(st.integers(2, 99), min_size=1, max_size=12), min_size=5, max_size=5),
    st.sampled_from([4, 8]),
    st.lists(st.integers(EMPTY, 4), min_size=3, max_size=3),
)
def test_gather_is_the_same_on_host_and_device(ids, length, reviews):
    flat = flat_corpus.from_ids(ids)
    flat = batches.FlatCorpus(
        tokens=np.pad(flat.tokens, (0, 60 - len(flat.tokens)), constant_values=77),  # one shape to compile for
        offsets=flat.offsets.astype(np.int32),
        labels=np.arange(5, 10, dtype=np.int32),
    )
    expected = loop(ids, flat.labels, reviews, length)

    on_host = batches.gather(flat, np.array(reviews, np.int32), length)
    on_device = batches.gather(jax.tree.map(jnp.asarray, flat), jnp.array(reviews, jnp.int32), length)
    for batch in (on_host, on_device):
        assert_equal(batch, expected)
        assert batch.total is None
        assert {name: leaf.dtype for name, leaf in batch._asdict().items() if name != "total"} == {
            "tokens": np.int32,
            "lengths": np.int32,
            "labels": np.int32,
            "weights": np.float32,
            "examples": np.int32,
        }
    assert all(isinstance(leaf, np.ndarray) for leaf in on_host[:-1])


def test_gather_keeps_leading_axes():
    flat = flat_corpus.from_ids([[2, 3], [4], [5, 6, 7]])
    reviews = np.array([[[0, EMPTY], [1, 2]], [[2, 2], [EMPTY, EMPTY]]], np.int32)
    stacked = batches.gather(flat, reviews, 4)
    assert stacked.tokens.shape == (2, 2, 4, 2)
    for lane, k in itertools.product(range(2), range(2)):
        single = batches.gather(flat, reviews[lane, k], 4)
        assert_equal(jax.tree.map(lambda leaf: leaf[lane, k], stacked), single)  # noqa: B023


def test_empty_rows_weigh_nothing():
    batch = batches.gather(flat_corpus.from_ids([[2, 3], [4]]), np.array([EMPTY, 1, EMPTY], np.int32), 8)
    assert batch.lengths.tolist() == [0, 1, 0]
    assert batch.weights.tolist() == [0, 1, 0]
    assert batch.tokens.sum() == 4


def test_gather_within_a_compiled_program():
    flat = jax.tree.map(jnp.asarray, flat_corpus.from_ids([[2, 3], [4]]))
    compiled = jax.jit(batches.gather, static_argnums=2)
    assert compiled(flat, jnp.array([1, 0]), 2).tokens.tolist() == [[4, 2], [0, 3]]


@given(lengths=LENGTHS, buckets=SIZES["buckets"], batch_size=SIZES["batch_size"], **SEEDS)
def test_random_batches_see_every_review_once_in_the_bucket_of_their_longest(lengths, buckets, batch_size, seed, epoch):
    edges = batches.bucket_lengths(lengths, buckets)
    bucket, examples = batches.random_plan(lengths, edges, batch_size, seed, epoch)
    plan = [batches.Chunk(edges[b], own[None]) for b, own in zip(bucket, examples, strict=True)]
    check_plan(plan, lengths, batch_size, steps_per_call=1)
    for b, own in zip(bucket, examples, strict=True):
        assert b == 0 or lengths[own[own != EMPTY]].max() > edges[b - 1]
    assert_equal(batches.random_plan(lengths, edges, batch_size, seed, epoch), (bucket, examples))
