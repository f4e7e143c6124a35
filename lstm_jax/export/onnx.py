"""The network as an ONNX graph with the operators LSTM, GRU and RNN."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import lstm_jax
from lstm_jax.config import ModelConfig
from lstm_jax.data.ngrams import NgramTables
from lstm_jax.data.tokenizer import unknown_id
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.export.folder import Files
from lstm_jax.export.plain import Dense, LaneWeights, candidate_bias, check_plain, lane_weights
from lstm_jax.layers.dropped_lstm import without_dropout
from lstm_jax.training.restore import Trained

if TYPE_CHECKING:
    from lstm_jax.export.onnx_graph import Graph

OPSET = 18  # The first with BitwiseXor, which the linear part needs.
IR_VERSION = 8  # Of the time of that opset, so that older runtimes read the file too.

# The operator of a layer, its activation if it can be chosen, and the order of ONNX's gates among those of lstm_jax.
OPERATORS: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "lstm": ("LSTM", "", (0, 3, 1, 2)),
    "gru": ("GRU", "", (1, 0, 2)),
    "rnn_tanh": ("RNN", "Tanh", (0,)),
    "rnn_relu": ("RNN", "Relu", (0,)),
}


def onnx_files(trained: Trained) -> Files:
    """``model.onnx``: ``tokens[T, B]`` and ``lengths[B]``, both int32, to ``probabilities[B, C]``, for any T and B.

    The names of the classes are in the model's metadata as ``classes``, a JSON list. Several lanes give the mean of
    their probabilities.

    Raises:
      ConfigError: ONNX has no operator for a part of the network.
      UserError: The package onnx is not installed.
    """
    try:
        import onnx
        from onnx import helper
    except ImportError as error:
        raise UserError(f'--to=onnx needs the package onnx ({error}); pip install "lstm_jax[onnx]"') from None
    from lstm_jax.export.onnx_graph import Graph

    config = trained.config.model
    check_plain(config, "onnx")
    if config.segment:
        raise ConfigError(
            f"--to=onnx has no segments, and config.model.segment of this run is {config.segment}; --to=stablehlo and "
            "--to=torch export them"
        )
    graph = Graph()
    _add_network(graph, trained)
    integer, real = onnx.TensorProto.INT32, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, integer, own) for name, own in _INPUTS.items()]
    output = helper.make_tensor_value_info("probabilities", real, ["B", trained.model.classes])
    made = helper.make_graph(graph.nodes, "lstm_jax", inputs, [output], graph.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION, producer_name="lstm_jax")
    model.producer_version = lstm_jax.__version__
    helper.set_model_props(model, {"classes": json.dumps(trained.classes.names), "step": str(trained.step)})
    onnx.checker.check_model(model, full_check=True)
    return {"model.onnx": model.SerializeToString()}


_INPUTS = {"tokens": ["T", "B"], "lengths": ["B"]}


def _add_network(graph: "Graph", trained: Trained) -> None:
    """Adds everything from ``tokens`` and ``lengths`` to ``probabilities``."""
    from lstm_jax.export.onnx_graph import first_ngrams

    config, add, number = trained.config.model, graph.add, graph.integers
    lengths = graph.cast("lengths", INT64)
    alive = add("Less", graph.steps("tokens")[1], add("Unsqueeze", lengths, number(0)))
    once: list[tuple[str, str]] = []
    if config.wide:
        tokens, other = graph.cast("tokens", INT64), unknown_id(trained.tokenizer)
        once = first_ngrams(graph, tokens, alive, config.wide, other)
    found = []
    for lane in range(trained.lanes):
        weights = lane_weights(trained, lane)
        z = _pooled(graph, config, weights, _outputs(graph, config, weights, alive), lengths, alive)
        for dense in weights.head:
            z = add("Relu", _dense(graph, dense, z))
        z = _dense(graph, weights.output, z)
        if config.wide:
            linear = _linear_part(graph, NgramTables(**weights.wide), once)
            z = add("Mul", add("Add", z, linear), graph.constant(np.full(1, 0.5, np.float32)))
        if config.output == "sigmoid":
            z = add("Concat", add("Mul", z, graph.constant(np.zeros(1, np.float32))), z, axis=1)
        found.append(add("Softmax", z, axis=1))
    graph.add("Mean", *found)
    graph.nodes[-1].output[0] = "probabilities"


def _outputs(graph: "Graph", config: ModelConfig, weights: LaneWeights, alive: str) -> str:
    """The outputs ``[T, B, H]`` of the layers, zero past each length."""
    kind, activation, order = OPERATORS[without_dropout(config.layer)]
    directions = 2 if config.bidirectional else 1
    attributes: dict[str, Any] = {"activations": [activation] * directions} if activation else {}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    lengths = graph.add("Max", "lengths", graph.constant(np.ones(1, np.int32)))  # The operators need a first token.
    mask = graph.add("Unsqueeze", graph.cast(alive, FLOAT), graph.integers(2))

    def gates(kernel: Any) -> Any:
        """The columns of a kernel, or the entries of a bias, with ONNX's order of gates."""
        return np.concatenate([np.split(kernel, len(order), axis=-1)[n] for n in order], axis=-1)

    x = graph.add("Gather", graph.constant(weights.embedding), "tokens")
    for n, own in enumerate(weights.layers):
        kernels = [np.stack([gates(each[name]).T for each in own]) for name in ("input_kernel", "recurrent_kernel")]
        bias = np.stack([np.concatenate([gates(each["bias"]), gates(candidate_bias(each))]) for each in own])
        inputs = [x, *map(graph.constant, kernels), graph.constant(bias), lengths]
        y = graph.add(kind, *inputs, hidden_size=config.hidden_size, direction=_DIRECTIONS[directions], **attributes)
        y = graph.add("Reshape", graph.add("Transpose", y, perm=[0, 2, 1, 3]), graph.integers(0, 0, -1))
        y = graph.add("Mul", y, mask)
        x = graph.add("Add", x, y) if config.residual and n else y
    return str(x)


def _pooled(graph: "Graph", config: ModelConfig, weights: LaneWeights, y: str, lengths: str, alive: str) -> str:
    """One vector for each example from ``y[T, B, H]``, as in ``layers.pooling``."""
    add, number = graph.add, graph.integers

    def count() -> str:
        return str(add("Unsqueeze", graph.cast(lengths, FLOAT), number(1)))

    def start() -> str:
        return str(add("Squeeze", add("Gather", y, number(0)), number(0)))

    def end() -> str:
        index = add("Unsqueeze", add("Max", add("Sub", lengths, number(1)), number(0)), number(0, 2))
        size = add("Shape", add("Gather", y, number(0)))
        return str(add("Squeeze", add("GatherElements", y, add("Expand", index, size), axis=0), number(0)))

    def mean() -> str:
        one = graph.constant(np.ones(1, np.float32))
        return str(add("Div", add("ReduceSum", y, number(0), keepdims=0), add("Max", count(), one)))

    def maximum() -> str:
        lowest = graph.constant(np.full(1, -np.inf, np.float32))
        best = add("ReduceMax", add("Where", add("Unsqueeze", alive, number(2)), y, lowest), number(0), keepdims=0)
        nothing = graph.constant(np.zeros(1, np.float32))
        return str(add("Where", add("Greater", count(), nothing), best, nothing))

    def last() -> str:
        if not config.bidirectional:
            return end()
        sizes = number(config.hidden_size, config.hidden_size)
        (forward, _), (_, backward) = (add("Split", each, sizes, outputs=2, axis=1) for each in (end(), start()))
        return str(add("Concat", forward, backward, axis=1))

    kinds = {
        "last": last,
        "every": end,
        "attention": lambda: _attended(graph, weights.pooling, y, alive),
        "first_last": lambda: add("Concat", start(), end(), axis=1),
        "mean": mean,
        "max": maximum,
        "mean_max": lambda: add("Concat", mean(), maximum(), axis=1),
    }
    return str(kinds[config.pooling]())


def _attended(graph: "Graph", weights: Mapping[str, Any], y: str, alive: str) -> str:
    """The mean of ``y[T, B, H]`` over the tokens, weighted by a softmax of their scores."""
    add, number = graph.add, graph.integers
    there = add("Unsqueeze", alive, number(2))
    features = add("Tanh", _dense(graph, Dense(weights["kernel"], weights["bias"]), y))
    scores = add("MatMul", features, graph.constant(weights["context"][:, None]))  # [T, B, 1]
    # The lowest number, not −inf: a softmax over nothing but −inf would be NaN in an example without tokens.
    lowest = graph.constant(np.full(1, np.finfo(np.float32).min))
    shares = add("Mul", add("Softmax", add("Where", there, scores, lowest), axis=0), graph.cast(there, FLOAT))
    return str(add("ReduceSum", add("Mul", shares, y), number(0), keepdims=0))


def _dense(graph: "Graph", dense: Dense, x: str) -> str:
    return str(graph.add("Add", graph.add("MatMul", x, graph.constant(dense.kernel)), graph.constant(dense.bias)))


def _linear_part(graph: "Graph", tables: NgramTables, once: list[tuple[str, str]]) -> str:
    """The logits of the linear part from its tables, and the rows of each and which of them count."""
    add, number = graph.add, graph.integers
    total = graph.constant(tables.bias)
    for table, (rows, counted) in zip(tables[:-1], once, strict=True):
        weights = add("Mul", add("Gather", graph.constant(table), rows), add("Unsqueeze", counted, number(2)))
        total = add("Add", total, add("ReduceSum", weights, number(0), keepdims=0))
    return total


_DIRECTIONS = {1: "forward", 2: "bidirectional"}
FLOAT, INT64 = 1, 7  # onnx.TensorProto's numbers; the package is imported only if an export needs it.
