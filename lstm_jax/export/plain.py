"""What formats with fixed operators can express, and how a lane's weights are grouped for them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.config import ModelConfig
from lstm_jax.errors import ConfigError
from lstm_jax.layers.dropped_lstm import without_dropout
from lstm_jax.training.restore import Trained
from lstm_jax.training.weights import named_weights
from lstm_jax.types import HostArray

_LAYERS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_POOLINGS = ("last", "first_last", "mean", "max", "mean_max", "attention", "every")

_log = logging.getLogger(__name__)


class Dense(NamedTuple):
    """A dense layer."""

    kernel: HostArray  # [D, H]
    bias: HostArray  # [H]


class LaneWeights(NamedTuple):
    """The weights of one lane.

    Attributes:
      embedding: The table, ``[V, D]``.
      layers: For each layer the weights of its directions, by the names that its cell gives them.
      pooling: ``kernel``, ``bias`` and ``context`` of the pooling ``attention``, or nothing.
      head: The dense layers before the output.
      output: The output layer.
      wide: The fields of ``NgramTables`` by name, the weights of the linear part, or nothing.
    """

    embedding: HostArray
    layers: Sequence[Sequence[Mapping[str, HostArray]]]
    pooling: Mapping[str, HostArray]
    head: list[Dense]
    output: Dense
    wide: Mapping[str, HostArray]


def check_plain(config: ModelConfig, target: str) -> None:
    """Checks that operators of a format can express the network.

    Raises:
      ConfigError: They cannot. The message names the field, and a format that can.
    """
    for field, known in (("layer", _LAYERS), ("pooling", _POOLINGS)):
        value = getattr(config, field)
        if without_dropout(value) not in known:
            raise ConfigError(
                f"--to={target} has no {value!r}, the config.model.{field} of this run; it has {', '.join(known)}. "
                "--to=stablehlo exports every network"
            )
    if config.bidirectional and config.hidden_size_backward not in (0, config.hidden_size):
        raise ConfigError(
            f"--to={target} has one number of units for both directions; this run has config.model.hidden_size "
            f"{config.hidden_size} and hidden_size_backward {config.hidden_size_backward}. --to=stablehlo exports "
            "every network"
        )
    if config.matmul_dtype != "float32":
        _log.warning(
            "--to=%s computes in float32; the run rounded products to %s, so probabilities differ in the third digit",
            target,
            config.matmul_dtype,
        )


def lane_weights(trained: Trained, lane: int) -> LaneWeights:
    """The weights of a lane of a network that ``check_plain`` accepts."""
    named, config = named_weights(trained.variables, lane), trained.config.model
    directions = ("forward.", "backward.") if config.bidirectional else ("",)
    layers = [
        [_under(named, f"layers.cells.{n}.{direction}") for direction in directions] for n in range(config.layers)
    ]
    head = [Dense(**_under(named, f"head_{n}.")) for n in range(len(config.head))]
    pooling, output = _under(named, "pooling.weights."), Dense(**_under(named, "output."))
    return LaneWeights(named["embedding"], layers, pooling, head, output, _under(named, "wide."))


def candidate_bias(weights: Mapping[str, HostArray]) -> HostArray:
    """The second bias of PyTorch's and ONNX's layers, zero but for a GRU's candidate; gates in lstm_jax's order."""
    bias = np.zeros_like(weights["bias"])
    if "recurrent_bias" in weights:
        bias[-len(weights["recurrent_bias"]) :] = weights["recurrent_bias"]
    return bias


def _under(named: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {path.removeprefix(prefix): value for path, value in named.items() if path.startswith(prefix)}
