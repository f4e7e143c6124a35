"""PyTorch's ``nn.LSTM``: padded, packed, or compiled."""

import time
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_jax.benchmarks.implementations.problem import Built, Case, Problem, Results, Weights
from lstm_jax.types import HostArray


def torch_device(platform: str) -> str:
    """PyTorch's name for JAX's kind of device.

    Raises:
      RuntimeError: PyTorch has no such device. Times on another one would not be comparable.
    """
    device = {"cpu": "cpu", "gpu": "cuda"}.get(platform)
    if device is None or (device == "cuda" and not torch.cuda.is_available()):
        raise RuntimeError(f"not measured: JAX computes on {platform}, which this PyTorch does not support")
    return device


def build_torch(name: str, case: Case, problem: Problem, dtype: str, platform: str) -> Built:
    """Builds PyTorch layers on the kind of device that JAX computes on, with everything in the type ``dtype``.

    ``torch`` pads. It packs if examples have different lengths and are also read backwards, because the backward
    direction would begin with the padding. ``torch_packed`` always packs. ``torch_compiled`` is ``torch.compile`` of
    ``torch``, which does not change the loop over time.

    Raises:
      RuntimeError: PyTorch has no such device.
    """
    device = torch_device(platform)
    torch.backends.cudnn.allow_tf32 = False  # as in all other implementations
    kind = getattr(torch, dtype)
    module = torch.nn.LSTM(case.inputs, case.units, case.layers, bidirectional=case.directions == 2)
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), _ordered(problem), strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    module = module.to(device, kind)
    x = torch.from_numpy(problem.x).to(device, kind).requires_grad_()
    probe = torch.from_numpy(problem.probe).to(device, kind)
    lengths = torch.from_numpy(problem.lengths).to(torch.int64)
    alive = torch.from_numpy(np.arange(case.steps)[:, None] < problem.lengths)[:, :, None].to(device)

    packs = name == "torch_packed" or (case.ragged and case.directions == 2)

    def apply(x: Any) -> Any:
        if not packs:
            return module(x)[0]
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return pad_packed_sequence(module(packed)[0], total_length=case.steps)[0]

    function = torch.compile(apply) if name == "torch_compiled" else apply

    def forward() -> Any:
        with torch.no_grad():
            return _waited(function(x), device)

    def train() -> Any:
        gradients = torch.autograd.grad((function(x) * probe).sum(), (*module.parameters(), x))
        return _waited(gradients, device)

    def results(y: Any, gradients: Any) -> Results:
        *of_weights, of_x = (_host(each) for each in gradients)
        return Results(_host(y * alive), _weights(of_weights, case), of_x)

    seconds = {}
    for pass_, run in (("forward", forward), ("train", train)):
        start = time.perf_counter()
        run()
        seconds[pass_] = time.perf_counter() - start
    return Built(forward, train, results, seconds)


def _ordered(problem: Problem) -> list[HostArray]:
    """The weights in PyTorch's order. The second of PyTorch's two biases is 0."""
    own = [each for layer in problem.weights for each in layer]
    return [value for w in own for value in (w.input_kernel.T, w.recurrent_kernel.T, w.bias, np.zeros_like(w.bias))]


def _weights(values: list[HostArray], case: Case) -> list[list[Weights]]:
    found = iter(values)
    layers: list[list[Weights]] = []
    for _ in range(case.layers):
        layers.append([])
        for _ in range(case.directions):
            from_input, from_hidden, bias, _ = (next(found) for _ in range(4))
            layers[-1].append(Weights(from_input.T, from_hidden.T, bias))
    return layers


def _host(value: Any) -> HostArray:
    return value.detach().float().cpu().numpy()


def _waited(value: Any, device: str) -> Any:
    if device == "cuda":
        torch.cuda.synchronize()
    return value
