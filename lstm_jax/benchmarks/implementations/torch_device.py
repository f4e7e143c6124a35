"""Where PyTorch computes."""

import torch


def torch_device(platform: str) -> str:
    """PyTorch's name for JAX's kind of device.

    Raises:
      RuntimeError: it has none, and times on another one would be no comparison.
    """
    device = {"cpu": "cpu", "gpu": "cuda"}.get(platform)
    if device is None or (device == "cuda" and not torch.cuda.is_available()):
        raise RuntimeError(f"not measured: JAX computes on {platform}, which this PyTorch cannot")
    return device
