"""The parts of a network, with the shapes of their weights and of what they return."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lstm_jax.layers.bidirectional import Directions
from lstm_jax.models.classifier import TextClassifier, recurrent_layers
from lstm_jax.types import Params

Shape = tuple[int, ...]

_LEADING = {3: ("T", "B"), 2: ("B",)}  # The axes before the features, by the number of axes.


class NetworkPart(NamedTuple):
    """A part of a network.

    Attributes:
      name: What it is, such as ``layer 1 forward``.
      kind: Which one, such as ``LSTM``; empty if there is one kind only.
      output: What it returns, such as ``[T, B, 64]`` for T tokens of B examples; empty for what only training uses.
      weights: The shapes of its weights.
      trained: Whether they are trained.
    """

    name: str
    kind: str
    output: str
    weights: list[Shape]
    trained: bool = True


def network_parts(model: TextClassifier, variables: Params) -> list[NetworkPart]:
    """The parts of a network from the embedding to the logits, and weights of objectives.

    The shapes of outputs are those that the network itself gives when it is traced; nothing is computed.

    Args:
      model: The network.
      variables: Its variables ``params`` and ``frozen``, or their shapes.
    """
    params, config = variables["params"], model.config
    outputs = _outputs(model, variables)
    returned = {name: _shown(shape) for name, shape in outputs.items()}
    trained = "embedding" in params
    table = _shapes((params if trained else variables["frozen"])["embedding"])
    parts = [NetworkPart("embedding", "" if trained else "frozen", returned["embed"], table, trained)]
    parts += _layers(model, params["layers"]["cells"], outputs["embed"][-1])
    pooled = returned.get("pooling", returned["layers"])  # Pooling ``every`` leaves the layers' outputs as they are.
    parts.append(NetworkPart("pooling", config.pooling, pooled, _shapes(params.get("pooling", ()))))
    heads = [f"head_{n}" for n in range(len(config.head))]
    parts += [NetworkPart(name, "", returned[name], _shapes(params[name])) for name in [*heads, "output"]]
    if config.wide:
        tables = _shapes(variables["frozen"]["wide"])
        parts.append(NetworkPart("linear part", "fitted", returned["wide"], tables, trained=False))
    if "objectives" in params:
        parts.append(NetworkPart("objectives", "", "", _shapes(params["objectives"])))
    return parts


def _outputs(model: TextClassifier, variables: Params) -> dict[str, Shape]:
    """The shapes of what the modules return, and ``embed``, for one example of one token."""

    def apply(variables: Params) -> Any:
        tokens, lengths = jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
        kept = lambda _, method: method in ("__call__", "embed")
        _, found = model.apply(variables, tokens, lengths, mutable=["intermediates"], capture_intermediates=kept)
        return found["intermediates"]

    network = {"params": {name: part for name, part in variables["params"].items() if name != "objectives"}}
    found = jax.eval_shape(apply, {**network, "frozen": variables["frozen"]})
    return {name: jax.tree.leaves(found[name])[0].shape for name in found if name != "__call__"}


def _layers(model: TextClassifier, cells: Any, features: int) -> list[NetworkPart]:
    """Each direction of each layer, given what the layer below returns."""
    one = dataclasses.replace(model.config, layers=1)
    single = dataclasses.replace(one, bidirectional=False)
    x, lengths = jax.ShapeDtypeStruct((1, 1, features), jnp.float32), jax.ShapeDtypeStruct((1,), jnp.int32)
    parts = []
    for n, layer in enumerate(cells):
        directions = layer._asdict() if isinstance(layer, Directions) else {"": layer}
        for name, own in directions.items():
            y, _ = jax.eval_shape(recurrent_layers(single).apply, (own,), x, lengths)
            kind = type(own).__name__.removesuffix("Params") if isinstance(own, tuple) else ""
            parts.append(NetworkPart(f"layer {n + 1} {name}".rstrip(), kind, _shown(y.shape), _shapes(own)))
        x, _ = jax.eval_shape(recurrent_layers(one).apply, (layer,), x, lengths)
    return parts


def _shapes(weights: Params) -> list[Shape]:
    return [leaf.shape for leaf in jax.tree.leaves(weights)]


def _shown(shape: Shape) -> str:
    return f"[{', '.join(map(str, (*_LEADING[len(shape)], shape[-1])))}]"
