import jax
import numpy as np
import pytest

from lstm_jax.training.experiment import evaluated_variables
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.lanes import make_mesh
from tests.training.tiny import BATCH, begun, hparams, stacked, tiny_config, tiny_program, toy_corpus

CONFIG = tiny_config(optimizer__clip_norm=1.0, optimizer__ema=0.9, model__dropout__pooled=0.2)
LANES = (
    hparams(CONFIG),
    hparams(CONFIG, optimizer__learning_rate=1e-4),
    hparams(CONFIG, model__dropout__pooled=0.5),
    hparams(CONFIG, optimizer__learning_rate=0.05, optimizer__clip_norm=0.1),
)
SEEDS = (0, 0, 1, 2)


def reviews_of(seed, steps=4):
    return np.random.default_rng(seed).integers(0, 40, (steps, BATCH)).astype(np.int32)


def train(lanes, seeds, devices, most_bytes=2**30):
    """Losses ``[L, K]`` and weights after two calls of three and four steps."""
    lane_program = tiny_program(CONFIG, len(lanes), devices)
    feed = make_feed(toy_corpus(), make_mesh(len(lanes), BATCH, devices), most_bytes)
    state = begun(lane_program, seeds, stacked(*lanes))
    reviews = np.stack([reviews_of(seed) for seed in seeds])
    losses = []
    for count in (3, 4):
        corpus, rows = feed_arguments(feed, reviews[:, :count], 16, 4)
        state, metrics = lane_program.train(state, corpus, rows, count, 16)
        losses.append(np.asarray(metrics["loss"])[:, :count])
    return np.concatenate(losses, axis=1), jax.device_get(state)


@pytest.fixture(scope="module")
def together():
    return train(LANES, SEEDS, devices=2)


@pytest.mark.parametrize("lane", range(len(LANES)))
def test_a_lane_equals_its_solo_run(together, lane):
    losses, state = together
    solo_losses, solo_state = train(LANES[lane : lane + 1], SEEDS[lane : lane + 1], devices=1)
    np.testing.assert_allclose(losses[lane], solo_losses[0], rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a[lane], b[0], rtol=1e-4, atol=1e-6), state.params, solo_state.params
    )


def test_lanes_of_different_hyper_parameters_differ(together):
    losses, _ = together
    assert losses[0, 0] == losses[1, 0]  # same seed: same first batch, same masks
    assert len(np.unique(losses[:, -1])) == len(LANES)


@pytest.mark.slow
def test_sharing_a_batch_over_devices_changes_nothing():
    alone, state_alone = train(LANES[:1], SEEDS[:1], devices=1)
    shared, state_shared = train(LANES[:1], SEEDS[:1], devices=2)
    np.testing.assert_allclose(alone, shared, rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), state_alone.params, state_shared.params
    )


@pytest.mark.slow
def test_batches_gathered_on_the_host_equal_those_gathered_on_the_device(together):
    losses, state = train(LANES, SEEDS, devices=2, most_bytes=0)
    np.testing.assert_array_equal(losses, together[0])
    jax.tree.map(np.testing.assert_array_equal, state.params, together[1].params)


def test_one_compilation_serves_any_number_of_steps():
    lane_program = tiny_program(CONFIG)
    feed = make_feed(toy_corpus(), make_mesh(1, BATCH, 1))
    state = begun(lane_program, [0], stacked(LANES[0]))
    spent = []
    for count in (4, 1, 3):
        corpus, rows = feed_arguments(feed, reviews_of(0)[None, :count], 16, 4)
        state, _ = lane_program.train(state, corpus, rows, count, 16)
        spent.append(lane_program.compile_seconds)
    assert spent[0] == spent[1] == spent[2]


@pytest.mark.parametrize(
    ("lanes", "batch_size", "devices", "shape"),
    [(1, 64, 2, (1, 2)), (4, 64, 2, (2, 1)), (3, 64, 2, (1, 2)), (3, 7, 2, (1, 1)), (1, 64, 1, (1, 1))],
)
def test_lanes_spread_over_devices_first(lanes, batch_size, devices, shape):
    assert tuple(make_mesh(lanes, batch_size, devices).shape.values()) == shape


@pytest.mark.slow
def test_evaluation_sums_over_reviews_whatever_the_batches():
    lane_program = tiny_program(CONFIG, 2)
    feed = make_feed(toy_corpus(), make_mesh(2, BATCH, 1))
    state = begun(lane_program, [0, 1], stacked(LANES[0], LANES[0]))

    def evaluate(order):
        corpus, rows = feed_arguments(feed, order.reshape(-1, BATCH), 16, 5)
        return jax.device_get(lane_program.evaluate(evaluated_variables(state), corpus, rows, 5, 16))

    first, second = evaluate(np.arange(40)), evaluate(np.arange(40)[::-1])
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-5)
    np.testing.assert_array_equal(first["correct"], second["correct"])
    assert first["examples"].tolist() == [40, 40]
