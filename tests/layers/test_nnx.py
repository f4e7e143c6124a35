"""A Layer as a module of Flax NNX equals the Layer, in values and gradients, and trains."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import pytest
from flax import nnx

from lstm_jax import cells, layers
from lstm_jax.cells import gru
from lstm_jax.errors import ConfigError
from lstm_jax.layers import bidirectional, make_layer, scan, segmented, stack
from lstm_jax.layers.nnx import LayerModule
from lstm_jax.registry import CELLS, LAYERS
from tests.helpers import assert_equal, random, weighted_sum

T, B, D, H = 6, 3, 5, 4
LENGTHS = jnp.array([T, 2, 4])
X = jnp.asarray(random(0, T, B, D))


def is_param(leaf) -> bool:
    return isinstance(leaf, nnx.Param)


def both_ways(name: str) -> layers.Layer:
    return bidirectional(make_layer(name, H), make_layer(name, H, reverse=True))


def summing(hidden_size, *, reverse=False):
    """A layer whose parameters are one array."""

    def apply(params, x, lengths, key=None, state=None):
        alive = (jnp.arange(len(x))[:, None] < lengths[None])[:, :, None]
        return jnp.where(alive, jnp.cumsum(x, axis=0) @ params, 0.0), ()

    return layers.Layer(lambda key, size: jax.random.normal(key, (size, hidden_size)), apply)


@pytest.fixture
def own():
    """Registers a cell and a layer for one test."""
    cells.register("own cell", lambda hidden_size: gru(hidden_size))
    layers.register("own layer", summing)
    yield
    CELLS.unregister("own cell")
    LAYERS.unregister("own layer")


NAMES = ("lstm", "gru", "rnn_tanh", "own cell", "own layer")
BUILT = {
    "scan": lambda: scan(gru(H)),
    "stack": lambda: stack([both_ways("lstm"), both_ways("gru")], dropout=0.5, residual=True),
    "segmented": lambda: segmented(make_layer("lstm", H), 2),
}


def assert_same(module: LayerModule, layer: layers.Layer, key=None) -> None:
    """Values and gradients are bit-equal to those of the layer with the key that the module drew."""
    params = layer.init(nnx.Rngs(7).params(), D)
    by_layer = jax.jit(lambda p, x: layer.apply(p, x, LENGTHS, key))(params, X)
    assert_equal(nnx.jit(lambda m, x: m(x, LENGTHS, key))(module, X), by_layer)
    of_layer = jax.jit(jax.grad(lambda p: weighted_sum(layer.apply(p, X, LENGTHS, key))))(params)
    of_module = nnx.jit(nnx.grad(lambda m: weighted_sum(m(X, LENGTHS, key))))(module)
    nnx.update(module, of_module)  # A state has its own order; in the module the gradients have the layer's structure.
    assert_equal(jax.tree.map(lambda param: param[...], module.params, is_leaf=is_param), of_layer)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_gives_the_registered_layer(name):
    assert_same(LayerModule(name, D, H, rngs=nnx.Rngs(7)), make_layer(name, H))


@pytest.mark.parametrize("built", BUILT.values(), ids=BUILT)
@pytest.mark.parametrize("drops", [False, True])
def test_a_layer_gives_itself(built, drops):
    key = jax.random.split(jax.random.key(3), B) if drops else None
    assert_same(LayerModule(built(), D, rngs=nnx.Rngs(7)), built(), key)


def test_options_and_a_state_reach_the_layer():
    options = {"reverse": True, "implementation": "scan"}
    assert_same(LayerModule("lstm", D, H, rngs=nnx.Rngs(7), **options), make_layer("lstm", H, **options))
    module = LayerModule("gru", D, H, rngs=nnx.Rngs(7))
    whole, end = module(X, jnp.full(B, T))
    first, between = module(X[:2], jnp.full(B, 2))
    second, end_again = module(X[2:], jnp.full(B, T - 2), state=between)
    np.testing.assert_allclose(jnp.concatenate([first, second]), whole, atol=1e-6)
    np.testing.assert_allclose(end_again, end, atol=1e-6)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("layer", [*NAMES, "stack"])
def test_a_module_trains_beside_others(layer):
    rngs = nnx.Rngs(0)

    class Classifier(nnx.Module):
        def __init__(self):
            self.layer = (
                LayerModule(BUILT[layer](), D, rngs=rngs) if layer in BUILT else LayerModule(layer, D, H, rngs=rngs)
            )
            self.head = nnx.Linear(2 * H if layer in BUILT else H, 2, rngs=rngs)

        def __call__(self, x, lengths):
            return self.head(self.layer(x, lengths)[0].max(axis=0))

    @nnx.jit
    def step(model, optimizer):
        def loss(model):
            labels = jnp.array([0, 1, 1])
            return optax.softmax_cross_entropy_with_integer_labels(model(X, LENGTHS), labels).mean()

        value, grads = nnx.value_and_grad(loss)(model)
        optimizer.update(model, grads)
        return value

    model = Classifier()
    before = jax.tree.map(np.asarray, nnx.state(model, nnx.Param))
    optimizer = nnx.Optimizer(model, optax.adam(0.05), wrt=nnx.Param)
    losses = [float(step(model, optimizer)) for _ in range(30)]
    assert losses[-1] < losses[0] / 2
    changed = jax.tree.map(lambda old, new: bool(np.any(old != new)), before, nnx.state(model, nnx.Param))
    assert all(jax.tree.leaves(changed))


def test_a_module_can_be_split_copied_and_saved_as_a_state():
    module = LayerModule(BUILT["stack"](), D, rngs=nnx.Rngs(7))
    definition, state = nnx.split(module)
    assert_equal(nnx.merge(definition, state)(X, LENGTHS), module(X, LENGTHS))
    assert_equal(nnx.clone(module)(X, LENGTHS), module(X, LENGTHS))
    paths = [".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(module))]
    assert "params.0.forward.input_kernel" in paths


@pytest.mark.parametrize(
    ("arguments", "options"),
    [(("lstm", D), {}), ((scan(gru(H)), D, H), {}), ((scan(gru(H)), D), {"reverse": True}), ((gru(H), D), {})],
    ids=["no size", "a size beside a layer", "options beside a layer", "a cell"],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, options, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as it is outside of tests
    with pytest.raises(TypeError, match="LayerModule takes a name with hidden_features and options, such as"):
        LayerModule(*arguments, rngs=nnx.Rngs(0), **options)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match="there is no layer 'ltsm'; did you mean 'lstm'"):
        LayerModule("ltsm", D, H, rngs=nnx.Rngs(0))
