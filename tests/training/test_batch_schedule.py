import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data.batching import Call
from lstm_jax.training.batch_schedule import first_alone, lane_plan, pieces
from tests.training.tiny import tiny_config


def plan_of(sizes, batch=2):
    """Calls of the given numbers of steps, every step of an epoch marked by its own number."""

    def plan(epoch):
        first = epoch * sum(sizes) + np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return [Call(8, np.arange(f, f + n)[None, :, None].repeat(batch, 2)) for f, n in zip(first, sizes, strict=True)]

    return plan


schedules = st.tuples(
    st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 3), st.integers(1, 20), st.data()
)


@given(schedules)
def test_pieces_make_every_step_once_and_validate_where_asked(drawn):
    sizes, epochs, every, _ = drawn
    total = sum(sizes) * epochs
    made = list(pieces(plan_of(sizes), sum(sizes), 0, total, every))
    steps = np.concatenate([piece.reviews[0, :, 0] for piece in made])
    np.testing.assert_array_equal(steps, np.arange(total))
    validated = [piece.last_step for piece in made if piece.validate]
    assert validated == sorted({*range(every, total + 1, every), total})


@given(schedules)
def test_pieces_from_a_validation_on_are_those_of_the_whole(drawn):
    sizes, epochs, every, data = drawn
    total = sum(sizes) * epochs
    whole = list(pieces(plan_of(sizes), sum(sizes), 0, total, every))
    start = data.draw(st.sampled_from([0] + [piece.last_step for piece in whole if piece.validate]))
    rest = list(pieces(plan_of(sizes), sum(sizes), start, total, every))
    expected = [piece for piece in whole if piece.first_step >= start]
    assert [(p.first_step, p.last_step, p.validate) for p in rest] == [
        (p.first_step, p.last_step, p.validate) for p in expected
    ]
    for a, b in zip(rest, expected, strict=True):
        np.testing.assert_array_equal(a.reviews, b.reviews)


@given(schedules)
def test_the_first_step_alone_leaves_the_others_as_they_are(drawn):
    sizes, epochs, every, _ = drawn
    total = sum(sizes) * epochs
    whole = list(pieces(plan_of(sizes), sum(sizes), 0, total, every))
    made = list(first_alone(whole))
    assert made[0].reviews.shape[1] == 1
    np.testing.assert_array_equal(np.concatenate([piece.reviews[0, :, 0] for piece in made]), np.arange(total))
    assert [p.last_step for p in made if p.validate] == [p.last_step for p in whole if p.validate]
    assert all(a.last_step == b.first_step for a, b in itertools.pairwise(made))
    assert len(made) - len(whole) == (whole[0].reviews.shape[1] > 1)
    assert not list(first_alone([]))


@pytest.mark.parametrize("epoch", [0, 1])
def test_lanes_of_one_seed_see_the_same_reviews_and_all_lanes_the_same_lengths(epoch):
    lengths = np.random.default_rng(0).integers(1, 30, 100)
    config = tiny_config().train
    calls = lane_plan(lengths, (8, 16, 32), config, [5, 6, 5], epoch)
    together = np.concatenate([call.reviews for call in calls], axis=1)
    np.testing.assert_array_equal(together[0], together[2])
    assert (together[0] != together[1]).any()
    for lane in together:
        assert sorted(lane[lane >= 0]) == list(range(100))
