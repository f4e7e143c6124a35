"""A state that is carried from batch to batch: values, gradients, empty slots, epochs, devices, resuming."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import config as configs
from lstm_jax import layers
from lstm_jax.data.batching import gather
from lstm_jax.errors import ConfigError
from lstm_jax.layers import Layer, make_layer
from lstm_jax.models.classifier import Network, TextClassifier
from lstm_jax.objectives.classification import cross_entropy
from lstm_jax.registry import LAYERS
from lstm_jax.training import run
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.experiment import experiment
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.lanes import make_mesh
from tests.helpers import assert_close, assert_equal
from tests.training.tiny import (
    BATCH,
    CLASSES,
    STEPS,
    WORDS,
    assert_same_run,
    begun,
    hparams,
    stacked,
    tiny_config,
    tiny_program,
    toy_corpus,
)

PLAIN = {
    "model__dropout__embedding": 0.0,
    "model__layers": 2,
    "model__pooling": "last",
    "optimizer__name": "sgd",
    "optimizer__learning_rate": 0.5,
    "train__batch_size": BATCH,
}
CORPUS = jax.tree.map(jnp.asarray, toy_corpus())
BATCHES = [gather(CORPUS, jnp.arange(n, n + BATCH), 16) for n in (0, 10, 20)]
LAST = gather(CORPUS, jnp.array([30, 31, -1, -1, -1, 35, -1, 37]), 16)  # An incomplete batch.


def made(per_epoch=0, carry=True, **changes):
    config = tiny_config(**PLAIN, train__carry_state=carry, **changes)
    model = TextClassifier(config.model, WORDS, CLASSES)
    functions = experiment(config, model, STEPS, per_epoch=per_epoch)
    state = functions.init(0, {path: jnp.float32(value) for path, value in configs.hparams(config).items()})
    return model, jax.jit(functions.step), state


def stepped(step, state, batches):
    sums = []
    for batch in batches:
        state, own = step(state, {"labelled": batch})
        sums.append(float(own["loss"]))
    return state, sums


def test_a_batch_starts_from_the_final_state_of_the_one_before_and_gradients_stop_there():
    model, step, state = made()
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(state.carried))
    for batch in BATCHES:
        network = Network(model, start=state.carried)
        before = {"params": state.params, "frozen": {}}

        def loss(params, network=network, batch=batch):
            logits = network.logits({"params": params, "frozen": {}}, batch)
            return jnp.mean(cross_entropy(logits, batch.lengths, batch.labels)[0])

        value, gradient = jax.value_and_grad(loss)(state.params)
        end = network.encode(before, network.embed(before, batch), batch)[1]
        expected = jax.tree.map(lambda p, g: p - 0.5 * g, state.params, gradient)
        state, sums = step(state, {"labelled": batch})
        assert_close(sums["loss"], value * BATCH, rtol=1e-5)
        assert_close(state.params, expected, atol=1e-5)
        assert_close(state.carried, end, atol=1e-6)
    _, plain, zeros = made(carry=False)
    assert zeros.carried == ()
    with_state, without = stepped(step, made()[2], BATCHES)[1], stepped(plain, zeros, BATCHES)[1]
    assert with_state[0] == pytest.approx(without[0], rel=1e-6)
    assert abs(with_state[1] - without[1]) > 1e-4


def test_empty_slots_keep_their_state():
    _, step, state = made()
    state, _ = stepped(step, state, BATCHES)
    after, sums = stepped(step, state, [LAST])
    assert np.isfinite(sums).all()
    for before, now in zip(jax.tree.leaves(state.carried), jax.tree.leaves(after.carried), strict=True):
        empty = np.array([2, 3, 4, 6])
        np.testing.assert_array_equal(np.asarray(now)[empty], np.asarray(before)[empty])
        assert (np.asarray(now)[[0, 1, 5, 7]] != np.asarray(before)[[0, 1, 5, 7]]).any(axis=1).all()


def test_an_epoch_starts_from_zeros():
    _, plain, zeros = made(carry=False)
    _, every, state = made(per_epoch=1)
    assert_close(stepped(every, state, BATCHES)[1], stepped(plain, zeros, BATCHES)[1], rtol=1e-6)
    _, second, state = made(per_epoch=2)
    _, never, other = made()
    one, two = stepped(second, state, BATCHES)[1], stepped(never, other, BATCHES)[1]
    assert_equal(one[:2], two[:2])
    assert one[2] != two[2]


@pytest.mark.long
def test_other_objectives_start_from_it_too():
    given = {"classification": {"weight": 1.0}, "adversarial": {"weight": 1.0, "epsilon": 0.0}}
    _, step, state = made(objectives=given)
    state, _ = stepped(step, state, BATCHES[:1])
    sums = step(state, {"labelled": BATCHES[1]})[1]
    assert_close(sums["loss/adversarial"], sums["loss/classification"], rtol=1e-6)


@pytest.mark.long
def test_lanes_and_devices_share_the_state_out():
    config = tiny_config(**PLAIN, train__carry_state=True)
    rows = np.random.default_rng(0).integers(0, 40, (4, BATCH)).astype(np.int32)

    def trained(lanes, devices):
        program = tiny_program(config, lanes, devices)
        feed = make_feed(toy_corpus(), make_mesh(lanes, BATCH, devices))
        state = begun(program, [0] * lanes, stacked(*[hparams(config)] * lanes))
        for _ in range(2):
            corpus, examples = feed_arguments(feed, np.stack([rows] * lanes), 16, 4)
            state, sums = program.train(state, corpus, examples, 4, 16)
        return jax.device_get(state.carried), np.asarray(sums["loss"])

    carried, losses = trained(1, 1)
    assert {leaf.shape for leaf in jax.tree.leaves(carried)} == {(1, BATCH, 8)}
    for lanes, devices in ((1, 2), (2, 1)):
        other, again = trained(lanes, devices)
        np.testing.assert_allclose(again[-1], losses[0], rtol=1e-5)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a[0], b[-1], atol=1e-5), carried, other)


@pytest.mark.long
def test_a_run_with_a_carried_state_goes_on_bit_equal(tmp_path, monkeypatch):
    # Checkpoints lie within an epoch, and the last batch of an epoch is incomplete.
    config = tiny_config(train__carry_state=True, train__checkpoint_seconds=1e-9, train__best_by="loss")
    whole = run.train_lanes(config, tmp_path / "whole")
    save, left = Checkpoints.save, itertools.count(2, -1)

    class Killed(BaseException):
        pass

    def killed(checkpoints, *args):
        if not next(left):
            raise Killed
        save(checkpoints, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", killed)
        with pytest.raises(Killed):
            run.train_lanes(config, tmp_path / "killed")
    again = run.train_lanes(config, tmp_path / "killed")
    assert (again["lanes"], again["best_validation_loss"]) == (whole["lanes"], whole["best_validation_loss"])
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_a_layer_without_a_state_of_examples_is_refused():
    def stateless(hidden_size, *, reverse=False):
        own = make_layer("lstm", hidden_size, reverse=reverse)
        return Layer(own.init, lambda *args: (own.apply(*args[:4])[0], ()))

    layers.register("stateless", stateless)
    try:
        with pytest.raises(ConfigError, match="needs layers whose state has the examples first, and 'stateless' has"):
            made(model__layer="stateless")
    finally:
        LAYERS.unregister("stateless")
