import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data.batching import Chunk
from lstm_jax.training.batch_schedule import first_step_alone, lane_plan, scheduled_chunks
from tests.training.tiny import tiny_config


def plan_of(sizes, batch=2):
    """A plan of chunks with the given numbers of steps, in which each step of an epoch has its own number."""

    def plan(epoch):
        first = epoch * sum(sizes) + np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return [
            Chunk(8, np.arange(f, f + n)[None, :, None].repeat(batch, 2)) for f, n in zip(first, sizes, strict=True)
        ]

    return plan


schedules = st.tuples(
    st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 3), st.integers(1, 20), st.data()
)


@given(schedules)
def test_chunks_make_every_step_once_and_validate_where_asked(drawn):
    sizes, epochs, every, _ = drawn
    total = sum(sizes) * epochs
    made = list(scheduled_chunks(plan_of(sizes), sum(sizes), 0, total, every))
    steps = np.concatenate([chunk.examples[0, :, 0] for chunk in made])
    np.testing.assert_array_equal(steps, np.arange(total))
    validated = [chunk.last_step for chunk in made if chunk.validate]
    assert validated == sorted({*range(every, total + 1, every), total})


@given(schedules)
def test_chunks_from_any_step_on_make_the_same_steps_and_validations(drawn):
    sizes, epochs, every, data = drawn
    total = sum(sizes) * epochs
    whole = list(scheduled_chunks(plan_of(sizes), sum(sizes), 0, total, every))
    start = data.draw(st.integers(0, total - 1))
    cuts = data.draw(st.lists(st.integers(0, total + 3), max_size=2))
    rest = list(scheduled_chunks(plan_of(sizes), sum(sizes), start, total, every, cuts))
    assert rest[0].first_step == start
    np.testing.assert_array_equal(
        np.concatenate([chunk.examples for chunk in rest], axis=1),
        np.concatenate([chunk.examples for chunk in whole], axis=1)[:, start:],
    )
    assert all(a.last_step == b.first_step for a, b in itertools.pairwise(rest))
    assert [p.last_step for p in rest if p.validate] == [
        p.last_step for p in whole if p.validate and p.last_step > start
    ]
    assert {cut for cut in cuts if start < cut < total} <= {chunk.last_step for chunk in rest}


@given(schedules)
def test_the_first_step_alone_leaves_the_others_as_they_are(drawn):
    sizes, epochs, every, _ = drawn
    total = sum(sizes) * epochs
    whole = list(scheduled_chunks(plan_of(sizes), sum(sizes), 0, total, every))
    made = list(first_step_alone(whole))
    assert made[0].examples.shape[1] == 1
    np.testing.assert_array_equal(np.concatenate([chunk.examples[0, :, 0] for chunk in made]), np.arange(total))
    assert [p.last_step for p in made if p.validate] == [p.last_step for p in whole if p.validate]
    assert all(a.last_step == b.first_step for a, b in itertools.pairwise(made))
    assert len(made) - len(whole) == (whole[0].examples.shape[1] > 1)
    assert not list(first_step_alone([]))


@pytest.mark.parametrize("epoch", [0, 1])
def test_lanes_of_one_seed_see_the_same_reviews_and_all_lanes_the_same_lengths(epoch):
    lengths = np.random.default_rng(0).integers(1, 30, 100)
    config = tiny_config().train
    chunks = lane_plan(lengths, (8, 16, 32), config, [5, 6, 5], epoch)
    together = np.concatenate([chunk.examples for chunk in chunks], axis=1)
    np.testing.assert_array_equal(together[0], together[2])
    assert (together[0] != together[1]).any()
    for lane in together:
        assert sorted(lane[lane >= 0]) == list(range(100))


@pytest.mark.parametrize("epoch", [0, 1])
def test_random_batches_of_lanes_have_the_length_of_their_longest_review(epoch):
    lengths = np.random.default_rng(0).integers(1, 30, 100)
    config = tiny_config(train__order="random", train__batch_size=4).train
    chunks = lane_plan(lengths, (8, 16, 32), config, [5, 6, 5], epoch)
    together = np.concatenate([chunk.examples for chunk in chunks], axis=1)
    alone = np.concatenate([chunk.examples for chunk in lane_plan(lengths, (8, 16, 32), config, [6], epoch)], axis=1)
    np.testing.assert_array_equal(together[1], alone[0], "a lane's batches do not depend on the others")
    for lane in together:
        assert sorted(lane.ravel()) == list(range(100))
    assert max(chunk.examples.shape[1] for chunk in chunks) == config.steps_per_call
    for chunk in chunks:
        longest = lengths[chunk.examples].max(axis=(0, 2))
        assert all(chunk.length == min(edge for edge in (8, 16, 32) if edge >= each) for each in longest)
