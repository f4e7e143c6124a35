"""State dicts for plain modules of PyTorch, and the module that they fit."""

import dataclasses
import io
import json
from typing import Any

from lstm_jax.data.tokenizer import unknown_id
from lstm_jax.errors import UserError
from lstm_jax.export.common import standalone
from lstm_jax.export.folder import Files
from lstm_jax.export.plain import LaneWeights, candidate_bias, check_plain, lane_weights
from lstm_jax.layers.dropped_lstm import without_dropout
from lstm_jax.training.restore import Trained
from lstm_jax.training.weights import weights_file
from lstm_jax.types import HostArray


def torch_files(trained: Trained) -> Files:
    """``model.pt``, or ``model-laneN.pt`` for each of several lanes, and ``model.py``, which reads them.

    The keys are those of ``nn.Embedding``, ``nn.LSTM``, ``nn.GRU`` or ``nn.RNN``, and ``nn.Linear``. PyTorch has
    lstm_jax's order of gates and its GRU, but two biases for each gate; one is zero where lstm_jax has a single one.

    Raises:
      ConfigError: ``torch.nn`` has no such layer or pooling.
      UserError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise UserError(f"--to=torch needs PyTorch ({error}); pip install torch") from None
    config = trained.config.model
    check_plain(config, "torch")
    files = {"model.py": standalone("model")}
    if config.wide or config.segment:
        files["parts.py"] = standalone("parts")
    names = [own.name for own in dataclasses.fields(config) if own.name not in ("dropout", "layer_options")]
    fields = {name: getattr(config, name) for name in names} | {"layer": without_dropout(config.layer)}
    sizes = {"vocabulary_size": trained.model.vocabulary_size, "unknown": unknown_id(trained.tokenizer)}
    how = {**fields, **sizes, "classes": trained.model.classes, "lanes": trained.lanes}
    files["torch.json"] = f"{json.dumps(how, indent=2, default=dict)}\n".encode()
    for lane in range(trained.lanes):
        weights = state_dict(lane_weights(trained, lane), config.residual)
        content = io.BytesIO()
        torch.save({name: torch.from_numpy(value.copy()) for name, value in weights.items()}, content)
        files[weights_file(lane, trained.lanes, ".pt")] = content.getvalue()
    return files


def state_dict(weights: LaneWeights, residual: bool) -> dict[str, HostArray]:
    """The entries of the state dict of ``TorchClassifier`` in ``standalone/model.py``.

    Args:
      weights: The weights of a lane.
      residual: Whether each layer is a module of its own, since its input is added to its output.
    """
    found: dict[str, Any] = {"embedding.weight": weights.embedding}
    for n, directions in enumerate(weights.layers):
        module, depth = (n, 0) if residual else (0, n)
        for own, direction in zip(directions, ("", "_reverse"), strict=False):
            values = (own["input_kernel"].T, own["recurrent_kernel"].T, own["bias"], candidate_bias(own))
            for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), values, strict=True):
                found[f"layers.{module}.{name}_l{depth}{direction}"] = value
    for name, dense in [*((f"head.{n}", own) for n, own in enumerate(weights.head)), ("output", weights.output)]:
        found |= {f"{name}.weight": dense.kernel.T, f"{name}.bias": dense.bias}
    if own := weights.pooling:
        found |= {"attention.weight": own["kernel"].T, "attention.bias": own["bias"], "context": own["context"]}
    tables = {f"wide.{name}.weight": table for name, table in weights.wide.items() if name != "bias"}
    return found | tables | ({"wide.bias": weights.wide["bias"]} if tables else {})
