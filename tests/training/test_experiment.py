import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax.data.batching import gather
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.objectives.classification import cross_entropy
from lstm_jax.training.experiment import evaluated_variables, experiment
from lstm_jax.training.gradient_chain import optimizer, schedule
from tests.helpers import assert_close, assert_equal, difference, slow_but
from tests.training.tiny import CLASSES, STEPS, WORDS, hparams, tiny_config, toy_corpus


def scalars(values):
    return {path: jnp.float32(value) for path, value in values.items()}


def make(config):
    model = TextClassifier(config.model, WORDS, CLASSES)
    return model, experiment(config, model, STEPS)


def batch_of(reviews=range(8), length=16):
    return jax.tree.map(jnp.asarray, gather(toy_corpus(), np.array(reviews), length))


def labelled(*arguments):
    return {"labelled": batch_of(*arguments)}


def test_a_step_of_sgd_is_the_gradient_of_the_mean_loss():
    config = tiny_config(optimizer__name="sgd", optimizer__learning_rate=0.5, model__dropout__embedding=0.0)
    model, run = make(config)
    state, batch = run.init(3, scalars(hparams(config))), batch_of([0, 1, 2, 3, 4, 5, -1, -1])

    def mean_loss(params):
        losses, _ = cross_entropy(
            model.apply({"params": params}, batch.tokens, batch.lengths), batch.lengths, batch.labels
        )
        return jnp.mean(losses[:6])

    loss, gradient = jax.value_and_grad(mean_loss)(state.params)
    stepped, metrics = jax.jit(run.step)(state, {"labelled": batch})
    wanted = jax.tree.map(lambda p, g: p - 0.5 * g, state.params, gradient)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), stepped.params, wanted)
    np.testing.assert_allclose(metrics["loss"], 6 * loss, rtol=1e-5)
    assert metrics["examples"] == 6
    assert metrics["tokens"] == batch.lengths.sum()


@pytest.mark.slow
def test_a_step_is_the_same_whichever_way_the_lstm_is_differentiated():
    stepped = []
    for implementation in ("scan", "custom_vjp"):
        config = tiny_config(
            model__implementation=implementation,
            model__layers=2,
            model__dropout__layers=0.3,
            optimizer__name="sgd",
            optimizer__learning_rate=0.5,
        )
        _, run = make(config)
        state = run.init(3, scalars(hparams(config)))
        stepped.append((state.params, *jax.jit(run.step)(state, labelled([0, 1, 2, 3, 4, 5, -1, -1]))))
    (before, scan, metrics), (_, by_vjp, other_metrics) = stepped
    assert_equal(stepped[1][0], before)
    assert_close(by_vjp.params, scan.params)
    assert_close(other_metrics, metrics)
    assert all(difference(*pair) > 1e-4 for pair in zip(*map(jax.tree.leaves, (before, scan.params)), strict=True))


@pytest.mark.parametrize(
    "layer", slow_but(["peephole_lstm", "layer_norm_lstm", "variational_lstm", "weight_drop_lstm"], "weight_drop_lstm")
)
def test_lstms_of_every_kind_learn(layer):
    config = tiny_config(model__layer=layer, model__dropout__embedding=0.0, optimizer__learning_rate=0.02)
    _, run = make(config)
    state, step, losses = run.init(3, scalars(hparams(config))), jax.jit(run.step), []
    for _ in range(STEPS):
        state, metrics = step(state, labelled(range(16)))
        losses.append(float(metrics["loss"]))
    assert np.mean(losses[-3:]) < 0.6 * losses[0]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_shrinks_matrices_and_leaves_biases(name):
    config = tiny_config(optimizer__name=name, optimizer__learning_rate=0.1, optimizer__hparams={"weight_decay": 0.5})
    params = {"w": jnp.full((2, 2), 4.0), "b": jnp.full(2, 4.0)}
    transformation = optimizer(config.optimizer, scalars(hparams(config)), STEPS)
    updates, _ = transformation.update(jax.tree.map(jnp.zeros_like, params), transformation.init(params), params)
    np.testing.assert_allclose(updates["w"], -0.1 * 0.5 * 4.0, rtol=1e-6)
    np.testing.assert_allclose(updates["b"], 0.0)


def test_clipping_bounds_the_norm_of_all_gradients_together():
    config = tiny_config(optimizer__name="sgd", optimizer__learning_rate=1.0, optimizer__clip_norm=0.5)
    params = {"w": jnp.zeros((2, 2)), "b": jnp.zeros(2)}
    transformation = optimizer(config.optimizer, scalars(hparams(config)), STEPS)
    updates, _ = transformation.update(jax.tree.map(lambda p: p + 3.0, params), transformation.init(params), params)
    np.testing.assert_allclose(optax.tree.norm(updates), 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "warmup", "expected"),
    [
        ("constant", 0.0, {0: 1.0, 99: 1.0}),
        ("cosine", 0.0, {0: 1.0, 50: 0.5, 100: 0.0}),
        ("cosine", 0.2, {0: 0.05, 10: 0.525, 20: 1.0, 60: 0.5, 100: 0.0}),
        ("warmup", 0.1, {0: 0.1, 9: 1.0, 99: 1.0}),
        ("one_cycle", 0.3, {30: 1.0}),
    ],
)
def test_schedules_pass_through_these_points(name, warmup, expected):
    config = tiny_config(optimizer__schedule=name, optimizer__warmup=warmup)
    factor = schedule(config.optimizer, 100)
    for step, value in expected.items():
        np.testing.assert_allclose(factor(step), value, atol=1e-6)
    assert max(float(factor(step)) for step in range(100)) <= 1.0 + 1e-6


@pytest.mark.slow
def test_the_average_follows_the_weights_and_is_what_is_evaluated():
    config = tiny_config(optimizer__ema=0.5, optimizer__name="sgd", optimizer__learning_rate=0.5)
    _, run = make(config)
    state = run.init(0, scalars(hparams(config)))
    expected = state.params
    for n in range(3):
        decay = min(0.5, (1 + n) / (10 + n))
        state, _ = jax.jit(run.step)(state, labelled())
        expected = jax.tree.map(lambda a, p, d=decay: d * a + (1 - d) * p, expected, state.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), state.average, expected)
    averaged = run.evaluate(evaluated_variables(state), batch_of())["loss"]
    plain = run.evaluate({"params": state.average, "frozen": {}}, batch_of())["loss"]
    assert averaged == plain


def test_after_a_step_that_is_not_finite_the_weights_stay():
    config = tiny_config(optimizer__name="sgd", optimizer__learning_rate=3e38, model__dropout__embedding=0.0)
    _, run = make(config)
    step, state = jax.jit(run.step), run.init(0, scalars(hparams(config)))
    kept = None
    for _ in range(8):
        before = state.params
        state, metrics = step(state, labelled())
        if kept is None and not state.finite:
            kept = before
        if kept is not None:
            assert np.isnan(metrics["loss"])
            jax.tree.map(np.testing.assert_array_equal, state.params, kept)
    assert kept is not None


@pytest.mark.slow
def test_a_frozen_embedding_does_not_move():
    config = tiny_config(model__train_embedding=False)
    _, run = make(config)
    state = run.init(0, scalars(hparams(config)))
    stepped, _ = jax.jit(run.step)(state, labelled())
    np.testing.assert_array_equal(stepped.frozen["embedding"], state.frozen["embedding"])
    assert "embedding" not in stepped.params


@pytest.mark.slow
def test_evaluation_is_deterministic_and_training_masks_change_by_step():
    config = tiny_config(model__dropout__embedding=0.5, model__dropout__tokens=0.3, optimizer__learning_rate=1e-12)
    _, run = make(config)
    state = run.init(0, scalars(hparams(config)))
    variables = evaluated_variables(state)
    assert run.evaluate(variables, batch_of())["loss"] == run.evaluate(variables, batch_of())["loss"]
    first, second = (jax.jit(run.step)(state._replace(step=jnp.int32(n)), labelled())[1]["loss"] for n in (0, 1))
    assert first != second


@pytest.mark.slow
def test_probabilities_add_up_and_agree_with_the_metrics():
    config = tiny_config()
    _, run = make(config)
    state, batch = run.init(0, scalars(hparams(config))), batch_of()
    probabilities = run.predict(evaluated_variables(state), batch)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0, rtol=1e-6)
    metrics = run.evaluate(evaluated_variables(state), batch)
    assert metrics["correct"] == np.sum(probabilities.argmax(axis=-1) == batch.labels)
    np.testing.assert_allclose(metrics["loss"], -np.log(probabilities[np.arange(8), batch.labels]).sum(), rtol=1e-5)


@pytest.mark.slow
def test_the_embedding_may_learn_at_a_rate_of_its_own():
    moved = []
    for factor in (1.0, 0.25):
        config = tiny_config(
            optimizer__name="sgd",
            optimizer__learning_rate=0.5,
            optimizer__embedding_lr_scale=factor,
            model__dropout__embedding=0.0,
        )
        _, run = make(config)
        state = run.init(0, scalars(hparams(config)))
        stepped, _ = jax.jit(run.step)(state, labelled())
        moved.append(jax.tree.map(lambda new, old: new - old, stepped.params, state.params))
    np.testing.assert_allclose(moved[1]["embedding"], 0.25 * moved[0]["embedding"], atol=1e-6)
    np.testing.assert_allclose(moved[1]["output"]["kernel"], moved[0]["output"]["kernel"], atol=1e-6)
