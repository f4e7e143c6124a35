"""Weights of a run as safetensors files, one for each lane, which hold what an evaluation needs."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lstm_jax.errors import UserError
from lstm_jax.training.experiment import network_params
from lstm_jax.types import HostArray, Params


def weights_file(lane: int, lanes: int, suffix: str) -> str:
    """The name of a lane's file of weights, such as ``model.safetensors``, or ``model-lane0.pt`` if there are more."""
    return f"model{suffix}" if lanes == 1 else f"model-lane{lane}{suffix}"


def named_weights(variables: Params, lane: int) -> dict[str, HostArray]:
    """The weights of one lane by dotted path, such as ``layers.cells.0.input_kernel``.

    Weights of objectives, which only training needs, are left out.

    Args:
      variables: The collections ``params`` and ``frozen``, with a leading axis L.
      lane: The number of the lane.
    """
    leaves = jax.tree_util.tree_flatten_with_path(_network(variables))[0]
    return {_dotted(path): np.array(leaf[lane]) for path, leaf in leaves}


def weights_bytes(variables: Params, lane: int, step: int) -> bytes:
    """The content of a lane's safetensors file, with the step of the weights as its metadata."""
    return bytes(save(named_weights(variables, lane), {"format": "lstm_jax", "step": str(step)}))


def has_weights(folder: Path, lanes: int) -> bool:
    """Whether a folder holds weights that ``weights_bytes`` made."""
    return (folder / weights_file(0, lanes, ".safetensors")).exists()


def read_weights(folder: Path, like: Params, lanes: int) -> tuple[Params, int]:
    """The variables of all lanes, ``params`` and ``frozen`` with a leading axis L, and their step.

    Args:
      folder: The folder of the files.
      like: Shapes of the variables, with a leading axis L.
      lanes: Number of lanes, L.

    Raises:
      UserError: A file is missing or damaged, or an array is missing or has another shape.
    """
    network = _network(like)
    paths = [_dotted(path) for path, _ in jax.tree_util.tree_flatten_with_path(network)[0]]
    shapes = {path: leaf.shape[1:] for path, leaf in zip(paths, jax.tree.leaves(network), strict=True)}
    read = [_read(folder / weights_file(lane, lanes, ".safetensors"), shapes) for lane in range(lanes)]
    stacked = [jax.numpy.asarray(np.stack([own[path] for own, _ in read])) for path in paths]
    variables = jax.tree.unflatten(jax.tree.structure(network), stacked)
    return variables, max(step for _, step in read)


def _read(file: Path, shapes: dict[str, tuple[int, ...]]) -> tuple[dict[str, HostArray], int]:
    try:
        with safe_open(file, "numpy") as opened:
            step = int((opened.metadata() or {}).get("step", 0))
            found = {path: opened.get_tensor(path) for path in opened.keys()}  # noqa: SIM118 - it has no iterator
    except FileNotFoundError:
        raise UserError(f"{file} is missing; export the run again, or download it again") from None
    except (SafetensorError, ValueError, OSError) as error:
        raise UserError(f"{file} is damaged ({error}); export the run again, or download it again") from error
    for path in dict.fromkeys([*shapes, *found]):
        there = found[path].shape if path in found else "no array"
        if there != (here := shapes.get(path, "no array")):
            raise UserError(
                f"{file} does not fit its config.json: the shape of {path} is {there} there and {here} by the config; "
                "restore both from one export"
            )
    return found, step


def _network(variables: Params) -> dict[str, Any]:
    return {"params": network_params(variables["params"]), "frozen": variables["frozen"]}


def _dotted(path: tuple[Any, ...]) -> str:
    # The collections params and frozen have no name in common.
    return jax.tree_util.keystr(path[1:], simple=True, separator=".")
