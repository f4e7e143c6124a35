import copy
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax import config as configs
from lstm_jax import optimizers
from lstm_jax.config import validate
from lstm_jax.data import corpus
from lstm_jax.data.batching import gather
from lstm_jax.errors import ConfigError
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.optimizers import NAMES, OPTIMIZERS, Range, masks
from lstm_jax.training import network
from lstm_jax.training.experiment import evaluated_params, experiment
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.gradient_chain import optimizer
from lstm_jax.training.lanes import Program, make_mesh
from tests.training.tiny import BATCH, CLASSES, STEPS, WORDS, tiny_config, toy_corpus

NAMED = (
    "sgd momentum nesterov adam adamw nadamw amsgrad adamax rmsprop adagrad adadelta adafactor adabelief radam yogi "
    "lamb lars lion signum novograd sm3 adan muon prodigy schedule_free_sgd schedule_free_adamw sophia ademamix adopt "
    "madgrad"
)
PARAMS = {"w": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), "b": jnp.ones(3)}


@pytest.fixture
def registry(monkeypatch):
    """A registry that a test may add to."""
    own = dict(OPTIMIZERS)
    yield OPTIMIZERS
    OPTIMIZERS.clear()
    OPTIMIZERS.update(own)


def test_every_optimizer_that_users_ask_for_is_there():
    assert set(NAMED.split()) <= set(OPTIMIZERS)


def test_every_row_states_its_source_and_hyper_parameters_of_the_config():
    fields = set(vars(configs.Config().optimizer))
    for row in OPTIMIZERS.values():
        assert row.source
        assert row.rate > 0
        assert set(row.hparams) <= set(NAMES) <= fields
        assert list(row.space) == ["learning_rate"]
        assert row.space["learning_rate"].low < row.rate < row.space["learning_rate"].high


def settings(name, **changes):
    config = tiny_config(optimizer__name=name, **changes)
    return config, {path: jnp.float32(value) for path, value in configs.hparams(config).items()}


# Others learn these 30 steps at ten times the rate that their source recommends.
CAREFUL = ("sgd", "momentum", "nesterov", "optimistic_sgd", "polyak_sgd", "dog", "dowg", "cocob")
SLOW = ("dog", "lars", "momo", "dadapt_adamw")  # which begin with steps too tiny, or too large, for so few of them


def trained(config, lanes, way, rates):
    """Losses ``[L, steps]`` of lanes ``(seed, rate)`` on two devices, and seconds of compiling after the first call."""
    mesh = make_mesh(len(lanes), BATCH, 2)
    functions = experiment(config, TextClassifier(config.model, WORDS, CLASSES), STEPS, data_axis="data")
    program, feed = Program(functions, mesh, way), make_feed(toy_corpus(), mesh)
    hparams = [configs.hparams(config) | {"optimizer.learning_rate": rate} for rate in rates]
    state = program.init(
        np.array(lanes), {path: np.array([h[path] for h in hparams], np.float32) for path in hparams[0]}
    )
    found, compiled = [], []
    for call in range(3):
        drawn = [np.random.default_rng([seed, call]).integers(0, 40, (10, BATCH)).astype(np.int32) for seed in lanes]
        corpus, rows = feed_arguments(feed, np.stack(drawn), 16, 10)
        state, metrics = program.train(state, corpus, rows, 10, 16)
        found.append(np.asarray(metrics.loss))
        compiled.append(program.compile_seconds)
    return np.concatenate(found, axis=1), compiled[-1] - compiled[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_lane_equals_its_solo_run_which_learns_and_compiles_once(name):
    """Two lanes a device, in either way, against a run that shares each batch over both, as ``train.py``'s does."""
    rate = OPTIMIZERS[name].rate * (1 if name in CAREFUL else 10)
    way = "map" if OPTIMIZERS[name].periodic or list(OPTIMIZERS).index(name) % 2 else "vmap"
    config = tiny_config(
        optimizer__name=name,
        model__cell="rnn_tanh",  # which compiles soon
        model__dropout__embedding=0.0,
    )
    together, _ = trained(config, (0, 3, 1, 2), way, (rate, rate, rate / 2, rate))
    alone, recompiled = trained(config, (3,), way, (rate,))
    np.testing.assert_allclose(together[1, :6], alone[0, :6], rtol=1e-5)
    assert not np.allclose(together[0, :6], alone[0, :6], rtol=1e-3)
    assert recompiled == 0
    first, last = alone[0, :3].mean(), alone[0, -3:].mean()
    assert last < 0.99 * first or (name in SLOW and np.isfinite(last))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("sgd", lambda: optax.sgd(0.1)),
        ("momentum", lambda: optax.sgd(0.1, momentum=0.9)),
        ("nesterov", lambda: optax.sgd(0.1, momentum=0.9, nesterov=True)),
        ("adam", lambda: optax.adam(0.1, 0.9, 0.999, 1e-8)),
        ("adamw", lambda: optax.adamw(0.1, 0.9, 0.999, 1e-8, weight_decay=0.01, mask=masks.matrices)),
        ("rmsprop", lambda: optax.rmsprop(0.1, 0.9, 1e-8)),
        ("adadelta", lambda: optax.adadelta(0.1, 0.95, 1e-6)),
        ("lion", lambda: optax.lion(0.1, 0.9, 0.99, weight_decay=0.1, mask=masks.matrices)),
        ("adan", lambda: optax.adan(0.1, 0.98, 0.92, 0.99)),
        ("novograd", lambda: optax.novograd(0.1, 0.95, 0.98, 1e-6)),
    ],
)
def test_the_table_means_what_its_sources_say(name, reference):
    config, values = settings(name, optimizer__learning_rate=0.1)
    ours, theirs = optimizer(config.optimizer, values, 10), reference()
    state, other = ours.init(PARAMS), theirs.init(PARAMS)
    for n in range(3):
        gradient = jax.tree.map(lambda p, n=n: jnp.cos(p + n), PARAMS)
        updates, state = ours.update(gradient, state, PARAMS)
        wanted, other = theirs.update(gradient, other, PARAMS)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-7), updates, wanted)


def test_hyper_parameters_are_the_optimizers_own_unless_they_are_set():
    assert configs.hparams(tiny_config(optimizer__name="adan"))["optimizer.b1"] == 0.98
    assert configs.hparams(tiny_config(optimizer__name="adan", optimizer__b1=0.5))["optimizer.b1"] == 0.5
    assert "optimizer.b1" not in configs.hparams(tiny_config(optimizer__name="sgd"))
    assert configs.hparams(tiny_config(optimizer__name="adamw"))["optimizer.weight_decay"] == 0.01
    assert configs.hparams(tiny_config(optimizer__name="adam"))["optimizer.weight_decay"] == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "sgd", "b1": 0.5}, "config.optimizer.b1 is 0.5, but 'sgd' has no such hyper-parameter; it has learn"),
        (
            {"name": "adam", "b1": -0.5},
            "config.optimizer.b1 is -0.5; it must be between 0 and 0.999999, or -1 for the own",
        ),
        ({"name": "adamm"}, "config.optimizer.name is 'adamm'; it must be one of 'sgd', 'momentum'"),
        ({"name": "schedule_free_sgd", "ema": 0.9}, "'schedule_free_sgd' keeps an average of the weights of its own"),
        (
            {"name": "schedule_free_sgd", "embedding_lr_scale": 0.5},
            "config.optimizer.embedding_lr_scale is 0.5, but 'sched",
        ),
        ({"name": "schedule_free_adamw", "b1": 0.0}, "config.optimizer.b1 is 0.0, by which"),
    ],
)
def test_what_an_optimizer_does_not_have_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        tiny_config(**{f"optimizer__{name}": value for name, value in changes.items()})


def test_ones_own_optimizer_takes_part_by_its_name(registry):
    optimizers.register("mine", lambda rate, b1: optax.sgd(rate, momentum=b1), rate=0.2, b1=0.5)
    config, values = settings("mine", optimizer__learning_rate=0.1)
    assert configs.hparams(config)["optimizer.b1"] == 0.5
    ours, theirs = optimizer(config.optimizer, values, 10), optax.sgd(0.1, momentum=0.5)
    gradient = jax.tree.map(jnp.cos, PARAMS)
    updates, _ = ours.update(gradient, ours.init(PARAMS), PARAMS)
    wanted, _ = theirs.update(gradient, theirs.init(PARAMS), PARAMS)
    jax.tree.map(np.testing.assert_allclose, updates, wanted)
    assert OPTIMIZERS["mine"].space["learning_rate"] == Range(0.2 / 10**1.5, 0.2 * 10**1.5)


def test_a_registration_that_cannot_be_meant_is_refused(registry):
    with pytest.raises(ConfigError, match="registered with a hyper-parameter 'beta'; they are called by the fields"):
        optimizers.register("mine", optax.sgd, rate=0.1, beta=0.9)
    with pytest.raises(ConfigError, match="there is an optimizer 'adam' already"):
        optimizers.register("adam", optax.sgd, rate=0.1)
    optimizers.register("adam", optax.adam, rate=1e-3, b1=0.9, b2=0.999, eps=1e-8)  # the same one again


def test_an_optimizers_identity_changes_with_its_code(registry):
    optimizers.register("one", lambda rate: optax.sgd(rate), rate=0.1)
    optimizers.register("two", lambda rate: optax.sgd(rate, momentum=0.9), rate=0.1)
    optimizers.register("three", optax.sgd, rate=0.1, momentum=0.9)
    optimizers.register("four", functools.partial(optax.adam, b1=0.5), rate=0.1)
    optimizers.register("five", functools.partial(optax.adam, b1=0.8), rate=0.1)
    slow, fast = ((lambda rate, factor=factor: optax.sgd(lambda n: factor * rate(n))) for factor in (0.1, 1.0))
    optimizers.register("six", slow, rate=0.1)
    optimizers.register("seven", fast, rate=0.1)
    names = ("one", "two", "three", "four", "five", "six", "seven")
    assert len({optimizers.identity(name) for name in names}) == len(names)
    optimizers.register("one", lambda rate: optax.sgd(rate), rate=0.3)  # another centre of the search, no other code


@pytest.mark.parametrize("name", ["prodigy", "dadapt_adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "warmup"])
def test_optimizers_learn_under_every_schedule(name, schedule):
    config, values = settings(
        name, optimizer__learning_rate=OPTIMIZERS[name].rate, optimizer__schedule=schedule, optimizer__warmup=0.3
    )
    ours, params = optimizer(config.optimizer, values, 10), {"layers": PARAMS, "output": PARAMS}
    state, update = ours.init(params), jax.jit(ours.update)
    for n in range(10):
        updates, state = update(jax.tree.map(lambda p, n=n: jnp.cos(p + n), params), state, params)
        params = jax.tree.map(jnp.add, params, updates)
    assert np.isfinite(optax.tree.norm(params))
    assert optax.tree.norm(optax.tree.sub(params, {"layers": PARAMS, "output": PARAMS})) > 0


def test_an_update_that_is_not_finite_leaves_the_weights_as_they_were(registry):
    broken = lambda rate: optax.stateless(lambda updates, params: jax.tree.map(lambda u: u / 0.0, updates))
    optimizers.register("broken", broken, rate=0.1)
    config, values = settings("broken", model__dropout__embedding=0.0)
    functions = experiment(config, TextClassifier(config.model, WORDS, CLASSES), STEPS)
    state = functions.init(0, values)
    batch = jax.tree.map(jnp.asarray, gather(toy_corpus(), np.arange(8), 16))
    after, metrics = jax.jit(functions.step)(state, batch)
    assert not after.finite
    assert np.isnan(metrics.loss)
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)


def test_schedule_free_is_evaluated_at_x_which_is_the_average_of_z():
    """Defazio et al. 2024, eq. 2–4, at a constant rate: x is the mean of z_1 … z_t, y = 0.1 z + 0.9 x."""
    config, values = settings("schedule_free_sgd", optimizer__learning_rate=0.5)
    ours = optimizer(config.optimizer, values, 10)
    params, state = PARAMS, ours.init(PARAMS)
    z, mean = PARAMS, jax.tree.map(jnp.zeros_like, PARAMS)
    for n in range(1, 5):
        gradient = jax.tree.map(jnp.cos, params)
        z = jax.tree.map(lambda p, g: p - 0.5 * g, z, gradient)
        mean = jax.tree.map(lambda m, p, n=n: m + (p - m) / n, mean, z)
        updates, state = ours.update(gradient, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        x = optimizers.evaluated(state, params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), x, mean)
    both = optimizers.evaluated(*jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), (state, params)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-6), both, x)
    assert optimizers.evaluated(optax.adam(0.1).init(PARAMS), PARAMS) is PARAMS


def test_muon_orthogonalises_hidden_kernels_and_leaves_the_rest_to_adamw():
    config, values = settings("muon", optimizer__learning_rate=0.1)
    params = {"layers": {"w": jnp.eye(4), "b": jnp.ones(4)}, "embedding": jnp.eye(4), "output": {"kernel": jnp.eye(4)}}
    ours, adam = optimizer(config.optimizer, values, 10), optax.adam(0.1)
    gradient = jax.tree.map(lambda p: 2 * p + jnp.sin(jnp.arange(p.size, dtype=p.dtype)).reshape(p.shape), params)
    updates, _ = ours.update(gradient, ours.init(params), params)
    wanted, _ = adam.update(gradient, adam.init(params), params)
    for path in ("embedding", "output"):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), updates[path], wanted[path])
    np.testing.assert_allclose(updates["layers"]["b"], wanted["layers"]["b"], rtol=1e-5)
    singular = np.linalg.svd(np.asarray(updates["layers"]["w"]), compute_uv=False)
    assert singular.max() / singular.min() < 2  # the gradient's are far apart
    assert np.linalg.cond(np.asarray(gradient["layers"]["w"])) > 2


def test_sophias_estimate_of_curvature_is_the_diagonal_of_the_hessian():
    """Of a quadratic whose Hessian is diagonal, z · Hz is that diagonal for any signs z, and parts add up."""
    curvature = jax.tree.map(lambda p: 1.0 + jnp.abs(p), PARAMS)

    def half(params):  # the loss that one of two devices adds
        return 0.25 * optax.tree.vdot(curvature, jax.tree.map(jnp.square, params))

    estimator = optimizers.special.hutchinson()
    state = estimator.init(PARAMS)
    for _ in range(2):
        found, state = estimator.update(
            PARAMS, state, PARAMS, obj_fn=half, total=lambda tree: jax.tree.map(lambda leaf: 2 * leaf, tree)
        )
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, curvature)
    assert state.made == 2


def test_weight_decay_of_ones_own_kind_stays_in_the_program_at_zero():
    config = tiny_config(optimizer__name="adamw")
    assert not configs.left_out(config, "optimizer.weight_decay", 0.0)
    assert configs.left_out(tiny_config(optimizer__name="adam"), "optimizer.weight_decay", 0.0)
    changed = copy.deepcopy(configs.from_json(configs.to_json(config)))
    configs.change(changed, "optimizer.weight_decay", 0.0)
    assert configs.hparams(validate(changed))["optimizer.weight_decay"] == 0.0


@pytest.fixture(scope="module")
def corpora():
    return corpus.prepare(tiny_config().data)


@pytest.fixture(scope="module")
def first_weights(corpora):
    config = tiny_config()
    return experiment(config, network.classifier(config, corpora), total_steps=1).weights(0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_size_of_a_checkpoint_is_known_beforehand(name, corpora, first_weights):
    config, values = settings(name)
    functions = experiment(config, network.classifier(config, corpora), total_steps=1)
    state = functions.begin(0, values, first_weights)
    kept = (state, evaluated_params(state), state.frozen)
    assert network.checkpoint_bytes(config, corpora) == sum(leaf.nbytes for leaf in jax.tree.leaves(kept))
