"""The Objective contract: what a training step minimises, and from which streams of batches."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lstm_jax.data.batching import Batch
from lstm_jax.errors import ConfigError
from lstm_jax.models.classifier import Network, TextClassifier
from lstm_jax.registry import OBJECTIVES, nearest
from lstm_jax.types import Bounds, ExampleKeys, Key, Params, Scalar

LABELLED = "labelled"  # The stream of labelled training examples.
STREAMS = (LABELLED,)
COUNTED = ("loss", "correct", "examples", "tokens")  # The sums that every objective returns.

Sums = dict[str, Scalar]  # Sums and counts over examples by name, which can be added over batches.
Loss = Callable[
    [Network, Params, Mapping[str, Batch], Mapping[str, ExampleKeys | None], Mapping[str, Scalar | float]],
    tuple[Scalar, Sums],
]


def no_params(key: Key, module: TextClassifier) -> Params:
    """The parameters of an objective without any: an empty dict."""
    del key, module
    return {}


class Objective(NamedTuple):
    """What a training step minimises.

    Attributes:
      loss: ``(network, params, batches, keys, hparams) -> (loss, sums)``. ``params`` holds the network's variables
        ``params`` and ``frozen``, and the objective's ``own``. ``batches`` and ``keys`` are by stream, with one key
        for each example. The loss is this device's part: its sum over the batch divided by ``batch.total``, the number
        of examples on all devices. ``sums`` are unnormalised sums and counts: ``loss`` in nats, ``correct``,
        ``examples``, ``tokens``, and any others, which are logged per example.
      hparams: Default values of the hyper-parameters by name. All are traced.
      streams: The streams that it draws batches from.
      init: ``(key, module) -> own parameters``, which are trained with the network's. ``module`` is the TextClassifier,
        which knows the vocabulary's size and the widths.
      bounds: The allowed values of hyper-parameters, both ends included. Others may be any finite number.
    """

    loss: Loss
    hparams: dict[str, float]
    streams: tuple[str, ...] = (LABELLED,)
    init: Callable[[Key, TextClassifier], Params] = no_params
    bounds: Bounds = MappingProxyType({})


def checked_result(name: str, result: Any) -> tuple[Scalar, Sums]:
    """What an objective returned, held against the contract while the step is traced.

    Raises:
      TypeError: It is not ``(loss, sums)`` with a scalar loss, or a sum that every objective returns is missing.
    """
    wanted = f"the objective {name!r} must return (loss, sums), a scalar and a dict with {', '.join(COUNTED)}"
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], Mapping):
        raise TypeError(f"{wanted}; it returned {jax.tree.map(jnp.shape, result)}")
    loss, sums = result
    shapes = {each: jnp.shape(value) for each, value in {"the loss": loss, **sums}.items() if jnp.shape(value)}
    if shapes:
        raise TypeError(f"{wanted}, all of them scalars; found the shapes {shapes}")
    if missing := [each for each in COUNTED if each not in sums]:
        raise TypeError(f"{wanted}; {', '.join(missing)} is missing")
    return loss, dict(sums)


def register(
    name: str,
    loss: Loss,
    *,
    streams: tuple[str, ...] = (LABELLED,),
    init: Callable[[Key, TextClassifier], Params] = no_params,
    bounds: Bounds = MappingProxyType({}),
    **hparams: float,
) -> None:
    """Registers an objective under a name, for ``config.objectives``.

    Args:
      name: The name.
      loss: As in ``Objective``.
      streams: As in ``Objective``.
      init: As in ``Objective``.
      bounds: As in ``Objective``.
      **hparams: Default values of the hyper-parameters. Every objective also has ``weight``, which is not given here.

    Raises:
      ConfigError: The name is taken, there is no such stream, or a hyper-parameter is called ``weight``.
    """
    if "weight" in hparams:
        raise ConfigError(f"every objective has a weight in the config; rename the hyper-parameter of {name!r}")
    for stream in streams:
        if stream not in STREAMS:
            raise ConfigError(f"the objective {name!r} draws from {stream!r}; {nearest(stream, STREAMS)}")
    OBJECTIVES.register(name, Objective(loss, hparams, streams, init, bounds))
