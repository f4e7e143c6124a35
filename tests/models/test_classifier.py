"""The classifier: its parts and its losses against direct computations, its number of parameters."""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.cells import lstm
from lstm_jax.cells.lstm import LSTMState
from lstm_jax.cells.reference import lstm_step
from lstm_jax.config import DropoutConfig, ModelConfig
from lstm_jax.data.tokenizer import PADDING
from lstm_jax.layers import lstm_vjp, make_layer, scan, stack
from lstm_jax.layers.pooling import attention
from lstm_jax.models import classifier as models
from lstm_jax.models.classifier import DropoutRates, TextClassifier, recurrent_layers
from lstm_jax.models.wide import WideLinear
from lstm_jax.objectives.classification import cross_entropy
from lstm_jax.registry import POOLINGS
from tests.helpers import assert_close, assert_equal, difference, random, random_weights, randomised, slow_but

T, B, V, D, H, C = 5, 3, 11, 4, 6, 3
UNKNOWN = 3
LENGTHS, LABELS = np.array([5, 2, 4], np.int32), np.array([1, 0, 1], np.int32)
WORDS = np.arange(T)[:, None] < LENGTHS
TOKENS = np.where(WORDS, np.random.default_rng(0).integers(2, V, (T, B)), PADDING).astype(np.int32)
KEYS = jax.random.split(jax.random.key(5), B)
PLACES = DropoutRates._fields
losses = jax.jit(cross_entropy)


def model_of(vectors=None, classes: int = C, layer: str = "rnn_tanh", **fields) -> TextClassifier:
    return TextClassifier(
        ModelConfig(embedding_size=D, hidden_size=H, layer=layer, **fields), V, classes, UNKNOWN, vectors
    )


def random_variables(model: TextClassifier):
    return randomised(jax.eval_shape(model.init, jax.random.key(0), TOKENS, LENGTHS), 1)


def rates(**given: float) -> DropoutRates:
    return DropoutRates(*(jnp.asarray(given.get(place, 0.0)) for place in PLACES))


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


class Computed(NamedTuple):
    params: Any
    y: np.ndarray  # outputs of the recurrent layers
    logits: np.ndarray


@cache
def computed(**fields) -> Computed:
    """A model with random weights applied to the tokens above, and the outputs of its recurrent layers."""
    model = model_of(**fields)
    variables = random_variables(model)
    params = variables["params"]
    x = np.asarray(params["embedding"])[TOKENS]
    y, _ = jax.jit(recurrent_layers(model.config).apply)(params["layers"]["cells"], x, LENGTHS)
    logits = jax.jit(model.apply)(variables, TOKENS, LENGTHS)
    return Computed(jax.tree.map(np.asarray, params), np.asarray(y), np.asarray(logits))


def dense(params: dict, name: str, x: np.ndarray) -> np.ndarray:
    return x @ params[name]["kernel"] + params[name]["bias"]


def test_logits_equal_the_parts_by_hand():
    params, y, logits = computed(bidirectional=True, pooling="last", head=(7, 5))
    pooled = np.stack([np.append(y[n - 1, row, :H], y[0, row, H:]) for row, n in enumerate(LENGTHS)])
    hidden = np.maximum(dense(params, "head_0", pooled), 0)
    hidden = np.maximum(dense(params, "head_1", hidden), 0)
    assert_close(logits, dense(params, "output", hidden), atol=1e-5)


def test_sigmoid_output_is_binary_cross_entropy():
    params, y, logits = computed(output="sigmoid", pooling="mean", classes=2)
    z = dense(params, "output", y.sum(axis=0) / LENGTHS[:, None])[:, 0]
    probability = 1 / (1 + np.exp(-z))
    expected = -np.where(LABELS == 1, np.log(probability), np.log(1 - probability))
    loss, decisive = losses(logits, LENGTHS, LABELS)
    assert_close(loss, expected, atol=1e-5)
    assert_close(softmax(decisive)[:, 1], probability, atol=1e-5)
    assert_equal(logits[:, 0], np.zeros(B))


def test_softmax_output_is_cross_entropy():
    _, _, logits = computed(pooling="max")
    loss, decisive = losses(logits, LENGTHS, LABELS)
    assert_close(loss, -np.log(softmax(logits)[range(B), LABELS]), atol=1e-5)
    assert_equal(decisive, logits)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_every_is_the_mean_loss_over_the_words_and_decides_at_the_last(output):
    params, y, logits = computed(output=output, pooling="every", classes=2)
    z = dense(params, "output", y)
    z = np.concatenate([np.zeros_like(z), z], axis=-1) if output == "sigmoid" else z
    assert_close(logits, z, atol=1e-5)
    expected = [
        np.mean([-np.log(softmax(z[t, row])[label]) for t in range(length)])
        for row, (length, label) in enumerate(zip(LENGTHS, LABELS, strict=True))
    ]
    loss, decisive = losses(logits, LENGTHS, LABELS)
    assert_close(loss, np.array(expected), atol=1e-5)
    assert_equal(decisive, logits[LENGTHS - 1, range(B)])


def test_every_looks_at_words_only():
    logits = random(2, T, B, C)
    clean, dirty = (losses(np.where(WORDS[:, :, None], logits, p), LENGTHS, LABELS) for p in (0.0, np.nan))
    assert_equal(dirty, clean)


def test_every_of_a_review_without_words_has_no_loss():
    loss, decisive = losses(random(3, T, 2, C), np.array([0, T]), np.array([1, 1]))
    assert loss[0] == 0
    assert loss[1] > 0
    assert np.isfinite(decisive).all()


@pytest.mark.parametrize(("words", "rows"), [(88_588, 0), (10_000, 88_588)])
def test_parameters_of_the_keras_article(words, rows):
    config = ModelConfig(embedding_size=32, embedding_rows=rows, hidden_size=100, pooling="last", output="sigmoid")
    model = TextClassifier(config, words, 2)
    params = jax.eval_shape(model.init, jax.random.key(0), TOKENS, LENGTHS)["params"]
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in params.items()}
    assert counts == {"embedding": 2_834_816, "layers": 53_200, "output": 101}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_layers_are_those_of_the_config(layers, bidirectional):
    config = ModelConfig(layer="gru", hidden_size=H, layers=layers, bidirectional=bidirectional)
    params = random_weights(recurrent_layers(config), D, 1)
    cells = [cell for layer in params for cell in (layer if bidirectional else [layer])]
    wide = 2 * H if bidirectional else H
    inputs = [D] + [wide] * (layers - 1)
    assert [cell.input_kernel.shape for cell in cells] == [
        (width, 3 * H) for width in inputs for _ in range(2 if bidirectional else 1)
    ]


def test_residual_of_the_config_reaches_the_layers():
    two, one = recurrent_layers(ModelConfig(hidden_size=H, layers=2, residual=True)), scan(lstm(H))
    below, above = random_weights(two, D, 1)
    silent = jax.tree.map(jnp.zeros_like, above)  # an LSTM of zeros outputs zeros
    x = random(4, T, B, D)
    y, _ = jax.jit(two.apply)((below, silent), x, LENGTHS)
    assert_close(y, jax.jit(one.apply)(below, x, LENGTHS)[0])


@pytest.mark.slow
def test_dropout_per_step_of_the_config_reaches_the_layers():
    per_step = recurrent_layers(ModelConfig(hidden_size=H, layers=2, dropout_per_step=True), 0.5)
    params, x = random_weights(per_step, D, 1), random(4, T, B, D)
    expected, other = (stack([lstm_vjp(H)] * 2, 0.5, dropout_per_step=steps) for steps in (True, False))
    y, wanted, unwanted = (jax.jit(each.apply)(params, x, LENGTHS, KEYS)[0] for each in (per_step, expected, other))
    assert_equal(y, wanted)
    assert difference(y, unwanted) > 1e-3


def test_the_config_names_layer_implementation_and_rounding(monkeypatch):
    made = []
    make = models.make_layer
    monkeypatch.setattr(models, "make_layer", lambda *given, **options: made.append((given, options)) or make(*given))
    recurrent_layers(
        ModelConfig(layer="gru", hidden_size=H, implementation="scan", matmul_dtype="bfloat16", bidirectional=True)
    )
    options = {"implementation": "scan", "matmul_dtype": "bfloat16"}
    assert made == [(("gru", H), {**options, "reverse": reverse}) for reverse in (False, True)]


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn_tanh"])
@pytest.mark.parametrize("implementation", ["auto", "custom_vjp", "scan"])
def test_matmul_dtype_of_the_config_rounds_what_enters_products_and_nothing_else(kind, implementation):
    if implementation == "custom_vjp" and kind != "lstm":
        pytest.skip("for LSTMs")
    whole, rounded = (
        recurrent_layers(ModelConfig(layer=kind, implementation=implementation, hidden_size=H, matmul_dtype=dtype))
        for dtype in ("float32", "bfloat16")
    )
    params, x = random_weights(whole, D, 1), random(4, T, B, D)
    expected, y = (jax.jit(layer.apply)(params, x, LENGTHS)[0] for layer in (whole, rounded))
    assert y.dtype == jnp.float32
    assert 1e-5 < difference(y, expected) < 3e-2


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.slow
def test_both_implementations_give_the_same_logits(bidirectional):
    scan, by_vjp = (
        model_of(layer="lstm", implementation=how, layers=2, bidirectional=bidirectional)
        for how in ("scan", "custom_vjp")
    )
    variables = random_variables(scan)
    expected = jax.jit(scan.apply)(variables, TOKENS, LENGTHS)
    assert_close(jax.jit(by_vjp.apply)(variables, TOKENS, LENGTHS), expected)
    assert difference(expected[0], expected[1]) > 1e-3


# Every step by itself.


@pytest.mark.parametrize("pooling", slow_but([*POOLINGS, "every"], "last", "every"))
def test_every_step_gives_the_logits_of_each_outputs_alone(pooling):
    params, y, _ = computed(layer="lstm", bidirectional=True, pooling=pooling)
    model = model_of(layer="lstm", bidirectional=True, pooling=pooling).clone(every_step=True)
    logits = jax.jit(model.apply)({"params": params}, TOKENS, LENGTHS)
    assert logits.shape == (T, B, C)
    features = np.concatenate([y, y], axis=-1) if pooling in ("first_last", "mean_max") else y
    assert_close(logits, dense(params, "output", features), atol=1e-5)


def test_pooling_with_weights_has_them_among_the_parameters_and_every_other_pooling_none():
    names = {pooling: set(computed(pooling=pooling).params) for pooling in ("max", "attention")}
    assert names == {
        "max": {"embedding", "layers", "output"},
        "attention": {"embedding", "layers", "output", "pooling"},
    }


@pytest.mark.parametrize("fields", [{"bidirectional": True}, {"segment": 2}], ids=str)
def test_attention_pools_the_outputs_and_its_shares_can_be_read(fields):
    params, y, logits = computed(layer="lstm", pooling="attention", **fields)
    weights = params["pooling"]["weights"]
    pooled = np.asarray(jax.jit(attention, static_argnums=3)(weights, y, LENGTHS, 0))
    assert_close(logits, dense(params, "output", pooled), atol=1e-5)
    model = model_of(layer="lstm", pooling="attention", **fields)

    def shares_of(model):
        return jax.jit(partial(model.apply, method="token_shares"))({"params": params}, TOKENS, LENGTHS)

    shares = shares_of(model)
    assert_close(np.sum(shares[:, :, None] * y, axis=0), pooled, atol=1e-5)
    assert shares_of(model_of(layer="lstm", pooling="mean", **fields)) is None


def test_attention_is_vectorised_over_lanes():
    model = model_of(pooling="attention")
    lanes = [randomised(random_variables(model), seed) for seed in (3, 40)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *lanes)
    apply = jax.jit(model.apply)
    found = jax.jit(jax.vmap(model.apply, (0, None, None)))(stacked, TOKENS, LENGTHS)
    assert_close(found, np.stack([apply(own, TOKENS, LENGTHS) for own in lanes]), atol=1e-5)


def test_the_last_step_by_itself_is_the_verdict_where_the_last_is_pooled():
    model = model_of(layer="lstm", pooling="last")
    variables = random_variables(model)
    every = np.asarray(jax.jit(model.clone(every_step=True).apply)(variables, TOKENS, LENGTHS))
    assert_close(every[LENGTHS - 1, range(B)], jax.jit(model.apply)(variables, TOKENS, LENGTHS))
    assert difference(every[0], every[1]) > 1e-2


# The embedding.


def test_random_embedding_has_deviation_a_tenth():
    model = TextClassifier(ModelConfig(embedding_size=50, hidden_size=2, layer="rnn_relu"), 1000, 2)
    table = jax.jit(model.init)(jax.random.key(0), TOKENS, LENGTHS)["params"]["embedding"]
    assert table.shape == (1000, 50)
    assert float(table.std()) == pytest.approx(0.1, rel=0.02)
    assert abs(float(table.mean())) < 0.002


@pytest.mark.parametrize(("trained", "collection"), [(True, "params"), (False, "frozen")])
def test_given_vectors_are_the_embedding(trained, collection):
    vectors = random(6, V, D)
    model = model_of(vectors, train_embedding=trained, layer="rnn_relu")
    variables = jax.jit(model.init)(jax.random.key(0), TOKENS, LENGTHS)
    assert_equal(variables[collection]["embedding"], vectors)
    other = {**variables, collection: {**variables[collection], "embedding": jnp.zeros((V, D))}}
    apply = jax.jit(model.apply)
    assert difference(apply(variables, TOKENS, LENGTHS), apply(other, TOKENS, LENGTHS)) > 1e-3


@pytest.mark.parametrize("vectors", [None, np.ones((V, D), np.float32)], ids=["random", "given"])
def test_frozen_embedding_is_no_parameter(vectors):
    model = model_of(vectors, train_embedding=False)
    variables = jax.eval_shape(model.init, jax.random.key(0), TOKENS, LENGTHS)
    assert variables["params"].keys() == {"layers", "output"}
    assert variables["frozen"].keys() == {"embedding"}


def test_only_words_read_have_a_gradient():
    model = model_of(pooling="every")
    tokens, lengths, labels = map(jnp.asarray, (TOKENS, LENGTHS, LABELS))

    def loss(variables):
        return jnp.sum(cross_entropy(model.apply(variables, tokens, lengths), lengths, labels)[0])

    gradient = jax.jit(jax.grad(loss))(random_variables(model))
    slopes = np.abs(gradient["params"]["embedding"]).max(axis=1)
    read = np.isin(np.arange(V), TOKENS[WORDS])
    assert (slopes[read] > 1e-5).all()
    assert not slopes[~read].any()
    assert not read[PADDING]


# Padding and dropout.


def read_in_front(params: dict, masked: bool) -> tuple[list, np.ndarray]:
    """Final states and probabilities of examples left-padded to nine tokens, step by step as in Keras.

    If ``masked``, a step on padding leaves the state unchanged.
    """
    (cell,), states, step = params["layers"]["cells"], [], jax.jit(lstm_step)
    for row, length in enumerate(LENGTHS):
        state = LSTMState(c=np.zeros(H, np.float32), h=np.zeros(H, np.float32))
        for token in [PADDING] * (9 - length) + TOKENS[:length, row].tolist():
            if token != PADDING or not masked:
                state = step(cell, state, params["embedding"][token])
        states.append(state)
    z = dense(params, "output", np.stack([state.h for state in states]))[:, 0]
    return states, 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("implementation", ["scan", "custom_vjp"])
def test_padding_behind_in_a_bucket_equals_masked_padding_in_front(implementation):
    model = model_of(layer="lstm", implementation=implementation, pooling="last", output="sigmoid", classes=2)
    variables = jax.tree.map(np.asarray, random_variables(model))
    params = variables["params"]
    states, probabilities = read_in_front(params, masked=True)
    (end,) = jax.jit(recurrent_layers(model.config).apply)(
        params["layers"]["cells"], params["embedding"][TOKENS], LENGTHS
    )[1]
    assert_close(end, jax.tree.map(lambda *rows: np.stack(rows), *states), atol=1e-5)
    logits = jax.jit(model.apply)(variables, TOKENS, LENGTHS)
    assert_close(softmax(logits)[:, 1], probabilities, atol=1e-5)
    assert difference(read_in_front(params, masked=False)[1], probabilities) > 1e-2  # padding counts without a mask


@cache
def dropping():
    """A model with dropout at every place: its variables and its compiled forward pass."""
    model = model_of(layers=2, pooling="mean_max", dropout=DropoutConfig(*[0.5] * len(PLACES)))
    return random_variables(model), jax.jit(model.apply)


def test_bucket_and_padding_change_nothing():
    variables, apply = dropping()
    everywhere = rates(**dict.fromkeys(PLACES, 0.5))
    other = np.concatenate([np.where(WORDS, TOKENS, 7), np.full((2, B), 9)]).astype(np.int32)
    short, long = (apply(variables, tokens, LENGTHS, KEYS, everywhere) for tokens in (TOKENS, other))
    assert_close(long, short, atol=1e-5)


def test_dropout_is_off_without_a_key_and_at_rate_zero():
    variables, apply = dropping()
    plain = model_of(layers=2, pooling="mean_max")
    expected = jax.jit(plain.apply)(variables, TOKENS, LENGTHS, KEYS, rates(**dict.fromkeys(PLACES, 0.5)))
    assert_close(apply(variables, TOKENS, LENGTHS), expected)
    assert_close(apply(variables, TOKENS, LENGTHS, KEYS, rates()), expected)


@pytest.mark.parametrize("place", PLACES)
def test_each_place_of_dropout_has_a_rate_of_its_own(place):
    variables, apply = dropping()
    plain, dropped = (apply(variables, TOKENS, LENGTHS, KEYS, rates(**{place: rate})) for rate in (0.0, 0.5))
    assert difference(dropped, plain) > 1e-3


def test_dropped_words_are_read_as_unknown():
    variables, apply = dropping()
    dropped = apply(variables, TOKENS, LENGTHS, KEYS, rates(tokens=1.0))
    assert_close(dropped, apply(variables, np.full_like(TOKENS, UNKNOWN), LENGTHS))


@pytest.mark.parametrize("fields", [{}, {"pooling": "every"}, {"output": "sigmoid", "classes": 2}])
def test_logits_are_the_mean_of_the_network_and_the_linear_part(fields):
    variables, outputs = random_variables(model_of(wide=32, **fields)), 1 if "output" in fields else C
    linear = WideLinear(32, V, outputs, UNKNOWN, every_step="pooling" in fields)
    tokens, lengths = jnp.asarray(TOKENS), jnp.asarray(LENGTHS)
    alone = linear.apply({"frozen": variables["frozen"]["wide"]}, tokens, lengths)
    model, network = (jax.jit(model_of(**own, **fields).apply) for own in ({"wide": 32}, {}))
    both, without = (np.asarray(apply(variables, tokens, lengths)) for apply in (model, network))
    assert_close((2 * both - without)[..., -outputs:], alone, atol=1e-5)
    assert difference(alone, 0 * alone) > 0.1
    assert_close(model(variables, tokens, lengths, KEYS, rates()), without, atol=1e-6)  # In training.


def test_a_sequence_encoded_in_two_parts_gives_what_the_whole_gives():
    model = model_of(layer="lstm")
    variables, x = jax.tree.map(jnp.asarray, random_variables(model)), random(3, T, B, D)
    encode = jax.jit(lambda x, lengths, state=None: model.apply(variables, x, lengths, state=state, method="encode"))
    whole, end = encode(x, LENGTHS)
    first, state = encode(x[:3], np.minimum(LENGTHS, 3))
    second, last = encode(x[3:], np.maximum(LENGTHS - 3, 0), state)
    assert_close(jnp.concatenate([first, second]), whole)
    assert_close(last, end)


@pytest.mark.parametrize("pooling", ["last", "first_last", "mean_max"])
def test_directions_of_different_sizes(pooling):
    """Against the two directions by themselves; the pooling ``last`` takes each from the token that it reads last."""
    config = ModelConfig(
        layers=2, hidden_size=3, hidden_size_backward=5, bidirectional=True, pooling=pooling, embedding_size=4
    )
    model = TextClassifier(config, vocabulary_size=9, classes=2)
    tokens, lengths = jnp.array([[3, 4], [5, 6], [7, 0]]), jnp.array([3, 2])
    variables = jax.tree.map(jnp.asarray, randomised(model.init(jax.random.key(0), tokens, lengths), 0))
    x = model.apply(variables, tokens, method="embed")
    for params in variables["params"]["layers"]["cells"]:
        forward, _ = make_layer("lstm", 3).apply(params.forward, x, lengths)
        backward, _ = make_layer("lstm", 5, reverse=True).apply(params.backward, x, lengths)
        x = jnp.concatenate([forward, backward], axis=-1)
    y, _ = model.apply(variables, model.apply(variables, tokens, method="embed"), lengths, method="encode")
    assert_close(y, x, atol=1e-6)
    if pooling == "last":
        end = x[lengths - 1, jnp.arange(2)]
        pooled = jnp.concatenate([end[:, :3], x[0, :, 3:]], axis=-1)
        output = variables["params"]["output"]
        assert_close(
            model.apply(variables, tokens, lengths), pooled @ output["kernel"] + output["bias"][None], atol=1e-5
        )
    assert model.apply(variables, tokens, lengths).shape == (2, 2)


def test_the_standard_deviation_of_the_embedding():
    def table(std):
        model = TextClassifier(ModelConfig(embedding_size=8, embedding_std=std), vocabulary_size=50, classes=2)
        return model.init(jax.random.key(0), jnp.ones((1, 1), jnp.int32), jnp.ones(1, jnp.int32))["params"]["embedding"]

    assert_close(10 * table(0.1), table(1.0), rtol=1e-5)
    assert 0.9 < float(table(1.0).std()) < 1.1
