"""What ``--explain`` draws, for networks with random weights on a small vocabulary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.cells import Cell, lstm, register
from lstm_jax.data.labels import Classes
from lstm_jax.data.tokenizer import learn_vocabulary, unknown_id
from lstm_jax.errors import UserError
from lstm_jax.evaluation import explain
from lstm_jax.evaluation.predictions import probabilities, read_texts
from lstm_jax.layers import bidirectional, scan, segmented, stack
from lstm_jax.layers.make import layers_with_gates
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.registry import CELLS
from lstm_jax.training.restore import Trained, shapes_of
from tests.helpers import randomised
from tests.training.tiny import tiny_config

PNG = b"\x89PNG\r\n\x1a\n"
TEXT = "The SCREEN is<br />not xylographically bad ."
WORDS = ["the", "screen", "is", "not", "[UNK]", "bad", "."]


def network(workdir, lanes: int = 1, names: tuple[str, ...] = ("negative", "positive"), **fields) -> Trained:
    """A network with random weights."""
    config = tiny_config(**({"ensemble": lanes} if lanes > 1 else {}), **fields)
    tokenizer = learn_vocabulary([["the screen is not bad . good"] * 9], "explained", config.data.tokens)
    model = TextClassifier(config.model, tokenizer.get_vocab_size(), len(names), unknown_id(tokenizer))
    variables = jax.tree.map(jnp.asarray, randomised(shapes_of(config, model, lanes), 1))
    return Trained(config, model, variables, tokenizer, Classes(names, names), lanes, 1, workdir)


@pytest.fixture
def drawn(monkeypatch):
    """The arguments of ``gates.draw_gates``."""
    seen = []
    monkeypatch.setattr(explain.gates, "draw_gates", lambda *arguments: seen.append(arguments))
    return seen


def test_the_picture_of_a_text_is_written(tmp_path):
    (path,) = explain.explain(network(tmp_path, model__bidirectional=True), TEXT)
    assert path == tmp_path / "plots" / "explain.png"
    assert path.read_bytes().startswith(PNG)


def test_every_layer_has_a_picture(tmp_path, monkeypatch):
    drawn, saved = [], []
    monkeypatch.setattr(explain.gates, "draw_gates", lambda *arguments: drawn.append(arguments))
    monkeypatch.setattr(explain.plots, "save", lambda _, path: saved.append(path.name))
    trained = network(tmp_path, model__layers=3, model__residual=True, model__bidirectional=True, model__segment=3)
    paths = explain.explain(trained, TEXT)
    assert [path.name for path in paths] == saved == ["explain.png", "explain-2.png", "explain-3.png"]
    for n, (directions, *_, heading, _) in enumerate(drawn, start=1):
        assert heading[1].startswith(
            f"gates and state of lstm layer {n} of 3, each line a unit; it restarts every 3 tok"
        )
        assert [*directions] == ["forward", "backward"]
    # The third layer reads what the first two give, in segments as in the network.
    params = jax.tree.map(lambda leaf: leaf[0], trained.variables)["params"]
    x = params["embedding"][read_texts(trained, [TEXT]).examples.tokens][:, None]
    below = segmented(stack([bidirectional(scan(lstm(8)), scan(lstm(8), reverse=True))] * 2, residual=True), 3)
    x, _ = below.apply(params["layers"]["cells"][:2], x, jnp.array([len(WORDS)]))
    y, _ = segmented(scan(lstm(8)), 3).apply(params["layers"]["cells"][2].forward, x, jnp.array([len(WORDS)]))
    seen = drawn[2][0]["forward"]
    np.testing.assert_allclose(seen["output gate"] * np.tanh(seen["cell state"]), y[:, 0], rtol=1e-5, atol=1e-6)


def test_the_figure_has_every_token_and_says_what_is_drawn(tmp_path):
    drawn = explain.explain_figure(network(tmp_path, lanes=2, model__layers=2), TEXT)
    tokens = next(axes for axes in drawn.axes if axes.get_legend())
    assert [text.get_text() for text in tokens.texts] == WORDS
    assert tokens.get_ylabel() == "probability of\npositive"
    prediction, layer, read = drawn.texts[0].get_text().splitlines()
    assert prediction.endswith("% (mean of 2 lanes)")
    assert layer == "gates and state of lstm layer 1 of 2, in the first of 2 lanes, each line a unit"
    assert read == "7 tokens; 1 unknown ([UNK], in red)"


@pytest.mark.parametrize(
    "fields",
    [
        {"model__pooling": "max", "model__segment": 3},
        {"model__pooling": "mean", "model__train_embedding": False, "lanes": 2},
        {"model__pooling": "last", "model__bidirectional": True, "model__layers": 2, "model__residual": True},
        {"model__pooling": "every", "model__output": "sigmoid"},
        {"model__layer": "gru", "model__bidirectional": True, "model__wide": 16},
        {"names": ("a", "b", "c")},
    ],
    ids=["segments", "ensemble", "both directions", "every", "gru", "three classes"],
)
@pytest.mark.long
def test_the_prediction_drawn_at_the_last_token_is_that_of_the_text(tmp_path, drawn, fields):
    trained = network(tmp_path, **fields)
    explain.explain_figure(trained, TEXT)
    ((directions, words, predictions, _, unknown),) = drawn
    assert (words, unknown) == (WORDS, "[UNK]")
    whole = probabilities(trained, read_texts(trained, [TEXT]).examples)[0]
    shown = len(whole) - 1 if len(whole) == 2 else whole.argmax()
    assert predictions.name == trained.classes.names[shown]
    both = ["forward", "backward"] if trained.config.model.bidirectional else ["forward"]
    assert list(directions) == both
    recorded = [values for trace in directions.values() for values in trace.values()]
    assert {len(each) for each in (*recorded, predictions.so_far, predictions.by_itself)} == {len(WORDS)}
    for n, text in ((3, "the screen is"), (len(WORDS), TEXT)):
        expected = probabilities(trained, read_texts(trained, [text]).examples)[0, shown]
        np.testing.assert_allclose(predictions.so_far[n - 1], expected, atol=1e-6)
    assert np.ptp(predictions.so_far) > 1e-3
    assert np.ptp(predictions.by_itself) > 1e-3


def test_where_the_last_output_is_pooled_each_token_alone_gives_the_prediction_so_far(tmp_path, drawn):
    explain.explain_figure(network(tmp_path, lanes=2, model__pooling="last"), TEXT)
    ((_, _, predictions, _, _),) = drawn
    np.testing.assert_allclose(predictions.by_itself, predictions.so_far, atol=1e-6)


def test_the_gates_are_those_of_the_first_lane_and_the_first_layer(tmp_path, drawn):
    trained = network(tmp_path, lanes=2, model__bidirectional=True, model__layers=2)
    explain.explain_figure(trained, "the screen is not bad")
    ((directions, *_),) = drawn
    params = jax.tree.map(lambda leaf: leaf[0], trained.variables)["params"]
    x = params["embedding"][read_texts(trained, ["the screen is not bad"]).examples.tokens]
    for name, reverse in (("forward", False), ("backward", True)):
        cell = getattr(params["layers"]["cells"][0], name)
        y, _ = scan(lstm(8), reverse).apply(cell, x[:, None], jnp.array([5]))
        seen = directions[name]
        np.testing.assert_allclose(seen["output gate"] * np.tanh(seen["cell state"]), y[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_long_text_is_drawn_whole(tmp_path):
    trained = network(tmp_path, model__bidirectional=True, data__tokens__max_length=500)
    drawn = explain.explain_figure(trained, "the screen is not bad " * 87)
    rows = [axes for axes in drawn.axes if axes.get_legend()]
    tokens = [text.get_text() for axes in rows for text in axes.texts if not text.get_text().startswith("tokens ")]
    assert tokens == ["the", "screen", "is", "not", "bad"] * 87
    assert len(rows) == 8
    assert drawn.get_figheight() < 70


@pytest.mark.parametrize(
    ("fields", "text", "expected"),
    [
        ({}, "good", "1 token"),
        ({"max_length": 4}, TEXT, "the first 4 of 7 tokens, 3 truncated"),
        ({"max_length": 4, "truncation": "tail"}, TEXT, "the last 4 of 7 tokens, 3 truncated; 1 unknown"),
        ({"max_length": 5, "truncation": "both"}, TEXT, "the first 2 and the last 3 of 7 tokens, 2 truncated"),
        ({"max_length": 9, "pad_left": True}, "good", "1 token; 8 of padding before them"),
        ({"remove_unknown": True}, TEXT, "6 tokens; 1 unknown removed"),
        ({"remove_unknown": True}, "xylographically", "1 token; 1 unknown"),
        ({}, "映画 שלום \x1b[31m", "[UNK]"),
    ],
    ids=["one", "head", "tail", "both", "padding", "removed", "all unknown", "scripts"],
)
def test_the_heading_says_what_is_read(tmp_path, drawn, fields, text, expected):
    fields = {f"data__tokens__{name}": value for name, value in fields.items()}
    explain.explain_figure(network(tmp_path, **fields), text)
    ((_, words, _, heading, _),) = drawn
    assert expected in heading[-1]
    assert len(words) == len(drawn[0][2].so_far)


def test_layers_without_gates_are_refused(tmp_path):
    message = "the layer 'rnn_tanh' of this run has none; layers with gates: 'lstm', .*'gru'"
    with pytest.raises(UserError, match=message):
        explain.explain_figure(network(tmp_path, model__layer="rnn_tanh"), TEXT)
    with pytest.raises(UserError, match="there is no layer 3; this run has layers 1 to 2"):
        explain.explain_figure(network(tmp_path, model__layers=2), TEXT, layer=3)


def test_a_cell_of_ones_own_is_drawn_by_its_own_gates(tmp_path, drawn):
    def leaky(hidden_size):
        def opened(params, h, x):
            return jax.nn.sigmoid(x @ params), h

        def step(params, h, x):
            f, h = opened(params, h, x)
            return f * h + (1 - f), f * h + (1 - f)

        shown = lambda params, h, x: {"leak gate": opened(params, h, x)[0], "memory": step(params, h, x)[0]}
        return Cell(
            lambda key, size: jnp.zeros((size, hidden_size)), lambda n: jnp.zeros((n, hidden_size)), step, shown
        )

    register("leaky", leaky)
    try:
        explain.explain_figure(network(tmp_path, model__layer="leaky"), TEXT)
    finally:
        CELLS.unregister("leaky")
    seen = drawn[0][0]["forward"]
    assert set(seen) == {"leak gate", "memory"}
    f, h = seen["leak gate"], seen["memory"]
    np.testing.assert_allclose(h[1:], f[1:] * h[:-1] + 1 - f[1:], atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("layer", layers_with_gates())
def test_every_layer_with_gates_is_drawn(tmp_path, layer):
    drawn = explain.explain_figure(network(tmp_path, model__layer=layer), TEXT)
    assert max(len(axes.images) for axes in drawn.axes) > 1
