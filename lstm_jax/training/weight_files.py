"""Reads tensors from weight files: safetensors, and PyTorch's files without executing anything that they hold."""

import pickle
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from lstm_jax.errors import ConfigError
from lstm_jax.types import HostArray

TORCH_SUFFIXES = (".pt", ".pth", ".bin")
SUFFIXES = (".safetensors", *TORCH_SUFFIXES)
CONTAINERS = ("state_dict", "model_state_dict", "model")  # Keys under which training scripts store a state dict.
DEEPEST = 4  # Number of dictionaries inside each other that are searched for tensors.
SAFE_TORCH = (2, 6)  # Before this version a file could execute code in spite of weights_only (CVE-2025-32434).
SAFETENSORS_DTYPES = {
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F64": "float64",
}  # Names in safetensors' header.


class Tensor(NamedTuple):
    """A tensor of a file, not read yet."""

    shape: tuple[int, ...]
    kind: str  # Its dtype, or why it is not a plain array, such as ``quantised``.
    read: Callable[[], HostArray]  # Called for tensors of the kind ``float32`` only.


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a file by their dotted names.

    Dictionaries inside a PyTorch file become parts of the names, except for the one that holds the state dict.

    Raises:
      ConfigError: The file does not exist, is damaged, holds no tensors or objects of other types, or PyTorch is needed
        and missing.
    """
    if not file.is_file():
        raise ConfigError(f"{file} does not exist; give the path of a file of weights, or of a run's folder")
    if file.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{file} is no file of weights; its name must end in {', '.join(SUFFIXES)}")
    found = _from_safetensors(file) if file.suffix.lower() == ".safetensors" else dict(_from_torch(file))
    if not found:
        raise ConfigError(f"{file} holds no tensors; save the state dict of a module there")
    return found


def values(name: str, tensor: Tensor) -> HostArray:
    """The values of a tensor, float32.

    Raises:
      ConfigError: It is not a plain float32 tensor, or a value is not finite.
    """
    if tensor.kind != "float32":
        raise ConfigError(f"{name} is {tensor.kind}, not float32; save the weights after model.float()")
    found = tensor.read()
    if not np.isfinite(found).all():
        raise ConfigError(f"{name} holds values that are NaN or infinite; save weights of a model that did not diverge")
    return found


def _from_safetensors(file: Path) -> dict[str, Tensor]:
    def tensor(name: str) -> HostArray:
        with safe_open(file, framework="np") as again:
            return np.asarray(again.get_tensor(name))

    def entry(name: str, header: Any) -> Tensor:
        kind = header.get_dtype()
        return Tensor(tuple(header.get_shape()), SAFETENSORS_DTYPES.get(kind, kind), lambda: tensor(name))

    try:
        with safe_open(file, framework="np") as opened:
            return {name: entry(name, opened.get_slice(name)) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise ConfigError(f"{file} is no readable safetensors file ({error}); save or download it again") from error


def _from_torch(file: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        import torch  # An optional dependency.
    except ImportError:
        raise ConfigError(
            f"{file} is a file of PyTorch, which is not installed; pip install 'torch>=2.6', or save the weights as "
            ".safetensors"
        ) from None
    if tuple(map(int, torch.__version__.split(".")[:2])) < SAFE_TORCH:
        raise ConfigError(
            f"PyTorch {torch.__version__} cannot read files of others safely; pip install 'torch>=2.6', or save the "
            "weights as .safetensors"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of old formats before it refuses or reads them.
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ConfigError(
            f"{file} is damaged, or holds Python objects beside tensors, which are never loaded, since that would "
            "execute code; save the weights by torch.save(model.state_dict(), FILE)"
        ) from None
    except Exception as error:  # Damaged files raise many types of exceptions.
        reason = textwrap.shorten(str(error).partition("\n")[0] or type(error).__name__, 200)
        raise ConfigError(f"{file} is no readable file of PyTorch ({reason}); save or download it again") from error
    yield from _flat(content, torch)


def _flat(content: Any, torch: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested dictionaries, with dotted names."""
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return
    inner = [key for key in CONTAINERS if isinstance(content.get(key), Mapping)]
    if depth == 0 and len(inner) == 1:
        content = content[inner[0]]
    for key, value in content.items():
        if isinstance(value, torch.Tensor):
            yield f"{prefix}{key}", _torch_tensor(value, torch)
        else:
            yield from _flat(value, torch, f"{prefix}{key}.", depth + 1)


def _torch_tensor(tensor: Any, torch: Any) -> Tensor:
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized:
        kind = f"quantised ({kind})"
    elif tensor.layout != torch.strided:
        kind = f"sparse ({str(tensor.layout).removeprefix('torch.')})"
    elif tensor.is_meta:
        kind = "without values (on the device meta)"
    return Tensor(tuple(tensor.shape), kind, lambda: tensor.detach().numpy().copy())
