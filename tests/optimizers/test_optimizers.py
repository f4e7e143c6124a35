import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax import config as configs
from lstm_jax import optimizers
from lstm_jax.data import corpus
from lstm_jax.data.batching import gather
from lstm_jax.errors import ConfigError
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.optimizers import OPTIMIZERS, Range, masks
from lstm_jax.training import network
from lstm_jax.training.experiment import evaluated_variables, experiment
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


def test_every_optimizer_that_users_ask_for_is_there():
    assert set(NAMED.split()) <= set(OPTIMIZERS)


def test_every_row_states_its_source_and_where_to_search():
    for _, row in OPTIMIZERS.items():
        assert row.source
        assert row.learning_rate > 0
        assert list(row.space) == ["learning_rate"]
        assert row.space["learning_rate"].low < row.learning_rate < row.space["learning_rate"].high


@pytest.fixture
def registered():
    """Registers a test's own optimizers and removes them after the test."""
    known = set(OPTIMIZERS)
    yield optimizers.register
    for name in set(OPTIMIZERS) - known:
        OPTIMIZERS.unregister(name)


def settings(name, **changes):
    config = tiny_config(optimizer__name=name, **changes)
    return config, {path: jnp.float32(value) for path, value in configs.hparams(config).items()}


TREE = {"embedding": jnp.ones((5, 3)), "layers": {"w": jnp.full((3, 4), 0.5, jnp.float32), "b": jnp.zeros(4)}}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_contract(name):
    """A quadratic decreases, every hyper-parameter is traced, and a second call compiles nothing again."""
    row = OPTIMIZERS[name]
    compiled = []

    def loss(params):
        return 0.1 * sum(jnp.sum(jnp.square(leaf - 1.5)) for leaf in jax.tree.leaves(params))

    @jax.jit
    def step(params, state, hparams):
        compiled.append(name)
        ours = optimizer(tiny_config(optimizer__name=name).optimizer, hparams, 60)
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = ours.update(gradient, state, params, value=value, obj_fn=loss, total=lambda tree: tree)
        return jax.tree.map(jnp.add, params, updates), state

    _, hparams = settings(name, optimizer__learning_rate=row.learning_rate)
    params, state = TREE, optimizer(tiny_config(optimizer__name=name).optimizer, hparams, 60).init(TREE)
    for _ in range(60):
        params, state = step(params, state, hparams)
    assert loss(optimizers.eval_params(state, params)) < loss(TREE)
    assert compiled == [name]
    other = {path: value * 0.9 for path, value in hparams.items()}
    changed, _ = step(params, state, other)
    assert compiled == [name]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(changed))


# All others make these 30 steps at ten times the recommended learning rate.
CAREFUL = ("sgd",)


def trained(config, lanes, way, learning_rates):
    """Losses ``[L, steps]`` of lanes, one per seed and learning rate, and seconds of compiling after the first call."""
    mesh = make_mesh(len(lanes), BATCH, 2)
    functions = experiment(config, TextClassifier(config.model, WORDS, CLASSES), STEPS, data_axis="data")
    program, feed = Program(functions, mesh, way), make_feed(toy_corpus(), mesh)
    hparams = [configs.hparams(config) | {"optimizer.learning_rate": value} for value in learning_rates]
    stacked = {path: np.array([own[path] for own in hparams], np.float32) for path in hparams[0]}
    state = program.begin(np.array(lanes), stacked, program.weights(np.array(lanes)))
    found, compiled = [], []
    for call in range(3):
        drawn = [np.random.default_rng([seed, call]).integers(0, 40, (10, BATCH)).astype(np.int32) for seed in lanes]
        corpus, rows = feed_arguments(feed, np.stack(drawn), 16, 10)
        state, sums = program.train(state, corpus, rows, 10, 16)
        found.append(np.asarray(sums["loss"]))
        compiled.append(program.compile_seconds)
    return np.concatenate(found, axis=1), compiled[-1] - compiled[0]


@pytest.mark.long
@pytest.mark.parametrize("way", ["map", "vmap"])
@pytest.mark.parametrize("name", ["sgd", "adam", "muon", "schedule_free_adamw", "sophia", "prodigy"])
def test_a_lane_equals_its_solo_run_which_learns_and_compiles_once(name, way):
    """Two lanes per device, in either way, against a run that shards its batches over both devices, as in train.py."""
    rate = OPTIMIZERS[name].learning_rate * (1 if name in CAREFUL else 10)
    config = tiny_config(
        optimizer__name=name,
        model__layer="rnn_tanh",  # It compiles fast.
        model__dropout__embedding=0.0,
    )
    together, _ = trained(config, (0, 3, 1, 2), way, (rate, rate, rate / 2, rate))
    alone, recompiled = trained(config, (3,), way, (rate,))
    np.testing.assert_allclose(together[1, :6], alone[0, :6], rtol=1e-5)
    assert not np.allclose(together[0, :6], alone[0, :6], rtol=1e-3)
    assert recompiled == 0
    assert alone[0, -3:].mean() < 0.99 * alone[0, :3].mean()


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
    def of(name, **hparams):
        return configs.hparams(tiny_config(optimizer__name=name, optimizer__hparams=hparams))

    assert of("adan")["optimizer.hparams.b1"] == 0.98
    assert of("adan", b1=0.5)["optimizer.hparams.b1"] == 0.5
    assert "optimizer.hparams.b1" not in of("sgd")
    assert of("adamw")["optimizer.hparams.weight_decay"] == 0.01
    assert of("adam")["optimizer.hparams.weight_decay"] == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "sgd", "hparams": {"b1": 0.5}},
            "config.optimizer.hparams of 'sgd' has no hyper-parameter 'b1'; ther",
        ),
        ({"name": "schedule_free_sgd", "ema": 0.9}, "'schedule_free_sgd' keeps its own average of the weights"),
        (
            {"name": "schedule_free_sgd", "embedding_lr_scale": 0.5},
            "config.optimizer.embedding_lr_scale is 0.5, but 'sched",
        ),
        (
            {"name": "schedule_free_adamw", "hparams": {"b1": 0.0}},
            "config.optimizer.hparams.b1 is 0.0; it must be between 1e-06 and 0.999999",
        ),
    ],
)
def test_what_an_optimizer_does_not_have_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        tiny_config(**{f"optimizer__{name}": value for name, value in changes.items()})


def test_ones_own_optimizer_takes_part_by_its_name(registered):
    registered("mine", lambda schedule, tau: optax.sgd(schedule, momentum=tau), learning_rate=0.2, tau=0.5)
    config, values = settings("mine", optimizer__learning_rate=0.1)
    assert values["optimizer.hparams.tau"] == 0.5
    ours, theirs = optimizer(config.optimizer, values, 10), optax.sgd(0.1, momentum=0.5)
    gradient = jax.tree.map(jnp.cos, PARAMS)
    updates, _ = ours.update(gradient, ours.init(PARAMS), PARAMS)
    wanted, _ = theirs.update(gradient, theirs.init(PARAMS), PARAMS)
    jax.tree.map(np.testing.assert_allclose, updates, wanted)
    assert OPTIMIZERS["mine"].space["learning_rate"] == Range(0.2 / 10**1.5, 0.2 * 10**1.5)


def test_hyper_parameters_of_ones_own_have_any_names_and_finite_values(registered):
    make = lambda schedule, **own: optax.sgd(schedule)
    registered("mine", make, learning_rate=0.2, hparams={"source": -1.0, "name": 0.5}, momentum=2.0)
    assert OPTIMIZERS["mine"].hparams == {"source": -1.0, "name": 0.5, "momentum": 2.0}
    found = tiny_config(optimizer__name="mine", optimizer__hparams={"source": -3.0, "momentum": 1.5})
    assert configs.hparams(found)["optimizer.hparams.source"] == -3.0
    registered("bounded", make, learning_rate=0.2, bounds={"tau": (-1.0, 1.0)}, tau=-0.5)
    tiny_config(optimizer__name="bounded", optimizer__hparams={"tau": -1.0})
    for name, hparam, value, wanted in (
        ("mine", "source", np.inf, "it must be finite"),
        ("mine", "weight_decay", -0.1, "it must be at least 0"),
        ("bounded", "tau", 2.0, "it must be between -1.0 and 1.0"),
    ):
        with pytest.raises(ConfigError, match=f"hparams.{hparam} is {value}; {wanted}"):
            tiny_config(optimizer__name=name, optimizer__hparams={hparam: value})
    with pytest.raises(ConfigError, match="the schedule gives 'wrong' its learning_rate"):
        registered("wrong", make, learning_rate=0.2, hparams={"learning_rate": 1.0})


def test_an_average_of_ones_own_excludes_another(registered):
    registered("mine", optax.sgd, learning_rate=0.2, averages=True)
    registered("schedule_free_of_nothing", optax.sgd, learning_rate=0.2)
    with pytest.raises(ConfigError, match="'mine' keeps its own average of the weights; set it to 0"):
        tiny_config(optimizer__name="mine", optimizer__ema=0.9)
    tiny_config(optimizer__name="schedule_free_of_nothing", optimizer__ema=0.9)


def test_a_name_that_is_taken_is_refused(registered):
    with pytest.raises(ConfigError, match="lstm_jax has registered the optimizer 'adam' already"):
        registered("adam", optax.sgd, learning_rate=0.1)
    registered("mine", optax.sgd, learning_rate=0.1)
    registered("mine", optax.adam, learning_rate=0.1)  # The same file may register it again.
    assert OPTIMIZERS["mine"].make is optax.adam


def test_an_optimizers_identity_changes_with_its_code(registered):
    registered("one", lambda schedule: optax.sgd(schedule), learning_rate=0.1)
    registered("two", lambda schedule: optax.sgd(schedule, momentum=0.9), learning_rate=0.1)
    registered("three", optax.sgd, learning_rate=0.1, momentum=0.9)
    registered("four", functools.partial(optax.adam, b1=0.5), learning_rate=0.1)
    registered("five", functools.partial(optax.adam, b1=0.8), learning_rate=0.1)
    slow, fast = ((lambda schedule, factor=factor: optax.sgd(lambda n: factor * schedule(n))) for factor in (0.1, 1.0))
    registered("six", slow, learning_rate=0.1)
    registered("seven", fast, learning_rate=0.1)
    names = ("one", "two", "three", "four", "five", "six", "seven")
    assert len({optimizers.identity(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["prodigy", "dadapt_adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "warmup"])
def test_optimizers_learn_under_every_schedule(name, schedule):
    config, values = settings(
        name,
        optimizer__learning_rate=OPTIMIZERS[name].learning_rate,
        optimizer__schedule=schedule,
        optimizer__warmup=0.3,
    )
    ours, params = optimizer(config.optimizer, values, 10), {"layers": PARAMS, "output": PARAMS}
    state, update = ours.init(params), jax.jit(ours.update)
    for n in range(10):
        updates, state = update(jax.tree.map(lambda p, n=n: jnp.cos(p + n), params), state, params)
        params = jax.tree.map(jnp.add, params, updates)
    assert np.isfinite(optax.tree.norm(params))
    assert optax.tree.norm(optax.tree.sub(params, {"layers": PARAMS, "output": PARAMS})) > 0


@pytest.mark.slow
def test_an_update_that_is_not_finite_leaves_the_weights_as_they_were(registered):
    broken = lambda schedule: optax.stateless(lambda updates, params: jax.tree.map(lambda u: u / 0.0, updates))
    registered("broken", broken, learning_rate=0.1)
    config, values = settings("broken", model__dropout__embedding=0.0)
    functions = experiment(config, TextClassifier(config.model, WORDS, CLASSES), STEPS)
    state = functions.begin(jnp.uint32(0), values, functions.weights(jnp.uint32(0)))
    batch = jax.tree.map(jnp.asarray, gather(toy_corpus(), np.arange(8), 16))
    after, sums = jax.jit(functions.step)(state, {"labelled": batch})
    assert not after.finite
    assert np.isnan(sums["loss"])
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)


@pytest.mark.slow
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
        x = optimizers.eval_params(state, params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), x, mean)
    both = optimizers.eval_params(*jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), (state, params)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-6), both, x)
    assert optimizers.eval_params(optax.adam(0.1).init(PARAMS), PARAMS) is PARAMS


@pytest.mark.slow
def test_muon_orthogonalises_hidden_kernels_and_leaves_the_rest_to_adamw():
    config, values = settings("muon", optimizer__learning_rate=0.1)
    params = {"layers": {"w": jnp.eye(4), "b": jnp.ones(4)}, "embedding": jnp.eye(4), "output": {"kernel": jnp.eye(4)}}
    params["objectives"] = {"of_tokens": {"output": jnp.eye(4)}}
    ours, adam = optimizer(config.optimizer, values, 10), optax.adam(0.1)
    gradient = jax.tree.map(lambda p: 2 * p + jnp.sin(jnp.arange(p.size, dtype=p.dtype)).reshape(p.shape), params)
    updates, _ = ours.update(gradient, ours.init(params), params)
    wanted, _ = adam.update(gradient, adam.init(params), params)
    for path in ("embedding", "output", "objectives"):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), updates[path], wanted[path])
    np.testing.assert_allclose(updates["layers"]["b"], wanted["layers"]["b"], rtol=1e-5)
    singular = np.linalg.svd(np.asarray(updates["layers"]["w"]), compute_uv=False)
    assert singular.max() / singular.min() < 2  # The gradient's own singular values are far apart.
    assert np.linalg.cond(np.asarray(gradient["layers"]["w"])) > 2


@pytest.mark.slow
def test_sophias_estimate_of_curvature_is_the_diagonal_of_the_hessian():
    """For a quadratic with a diagonal Hessian, z · Hz is that diagonal for any signs z, and parts add up."""
    curvature = jax.tree.map(lambda p: 1.0 + jnp.abs(p), PARAMS)

    def half(params):  # the part of the loss on one of two devices
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
    path = "optimizer.hparams.weight_decay"
    assert not configs.is_off(tiny_config(optimizer__name="adamw"), path, 0.0)
    assert configs.is_off(tiny_config(optimizer__name="adam"), path, 0.0)
    assert not configs.is_off(tiny_config(optimizer__name="adam"), path, 0.1)


@pytest.fixture(scope="module")
def corpora():
    return corpus.prepare(tiny_config().data)


@pytest.fixture(scope="module")
def first_weights(corpora):
    config = tiny_config()
    return experiment(config, network.classifier(config, corpora), total_steps=1).weights(0)


@pytest.mark.parametrize("name", ["sgd", "adam", "adafactor", "schedule_free_adamw"])
def test_the_size_of_a_checkpoint_is_known_beforehand(name, corpora, first_weights):
    config, values = settings(name)
    functions = experiment(config, network.classifier(config, corpora), total_steps=1)
    state = functions.begin(0, values, first_weights)
    kept = (state, evaluated_variables(state))
    assert network.checkpoint_bytes(config, corpora) == sum(leaf.nbytes for leaf in jax.tree.leaves(kept))
