"""A ``TextClassifier`` written for PyTorch, as someone would who has only PyTorch, on the same weights."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Weights = Mapping[str, np.ndarray]  # by path, as ``layers/cells/0/input_kernel``


class Network(nn.Module):
    """Embedding, LSTM layers, pooling, dense head, and the linear part over words and pairs where a config has one."""

    def __init__(self, model: Any, rates: Mapping[str, float], unknown: int, weights: Weights) -> None:
        """Copies the weights.

        Args:
          model: the fields of ``config.model``.
          rates: of dropout, by place.
          unknown: the id that dropped words become.
          weights: first values, laid out as ours.

        Raises:
          NotImplementedError: the config asks for what is not written here.
        """
        super().__init__()
        if model.cell != "lstm" or model.pooling not in POOLINGS or model.dropout_per_step:
            raise NotImplementedError("of this config no network is written for PyTorch")
        self.model, self.rates, self.unknown = model, rates, unknown
        self.embedding = nn.Embedding.from_pretrained(_tensor(weights["embedding"]), freeze=not model.train_embedding)
        ways = ("/forward", "/backward") if model.bidirectional else ("",)
        self.layers = nn.ModuleList(
            nn.ModuleList(_lstm(weights, f"layers/cells/{n}{way}") for way in ways) for n in range(model.layers)
        )
        self.head = nn.ModuleList(_dense(weights, f"head_{n}") for n in range(len(model.head)))
        self.output = _dense(weights, "output")
        if model.wide:
            self.words, self.pairs = (
                nn.EmbeddingBag.from_pretrained(_tensor(weights[f"wide/{name}"]), freeze=False, mode="sum")
                for name in ("words", "pairs")
            )

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits ``[B, C]`` of ``tokens[T, B]``, of which ``lengths[B]``, none 0, belong to each row."""
        model, read = self.model, tokens
        if self.training and self.rates["words"]:
            read = tokens.masked_fill(torch.rand_like(tokens, dtype=torch.float32) < self.rates["words"], self.unknown)
        x = self.dropped(self.embedding(read), "embedding")
        y = self.segments(x, lengths) if model.segment else self.stack(x, lengths)
        y = POOLINGS[model.pooling](y, lengths, model.hidden_size if model.bidirectional else 0)
        y = self.dropped(y, "pooled")
        for dense in self.head:
            y = F.relu(dense(y))
        z = self.output(y)
        if model.wide:
            z = z + self.wide(tokens, lengths)
        return torch.cat([torch.zeros_like(z), z], dim=-1) if model.output == "sigmoid" else z

    def dropped(self, x: Tensor, place: str, rows: int = 0) -> Tensor:
        """Drops features of ``x[..., B, D]``, the same at all steps, and in all of the segments of ``rows`` reviews."""
        if not (self.training and self.rates[place]):
            return x
        count = x.shape[-2] // (rows or x.shape[-2])
        mask = F.dropout(x.new_ones(x.shape[-2] // count, x.shape[-1]), self.rates[place])
        return x * mask.repeat(count, 1)

    def segments(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The layers over short segments, which are further rows, instead of whole reviews."""
        (steps, rows, features), size = x.shape, self.model.segment
        count = -(-steps // size)
        x = F.pad(x, (0, 0, 0, 0, 0, count * size - steps)).reshape(count, size, rows, features)
        x = x.transpose(0, 1).reshape(size, count * rows, features)
        starts = size * torch.arange(count, device=x.device)[:, None]
        y = self.stack(x, (lengths[None] - starts).clamp(0, size).reshape(-1), rows)
        return y.reshape(size, count, rows, -1).transpose(0, 1).reshape(count * size, rows, -1)[:steps]

    def stack(self, x: Tensor, lengths: Tensor, rows: int = 0) -> Tensor:
        """All layers; what they give past a row's length is anything."""
        for n, ways in enumerate(cast(Iterable[nn.ModuleList], self.layers)):
            x = self.dropped(x, "layers", rows) if n else x
            y = ways[0](x)[0]
            if len(ways) == 2:
                # On CPUs a packed sequence takes about three times as long as rows turned round within their lengths.
                turned = _turned(lengths, *x.shape[:2])
                y = torch.cat([y, _taken(ways[1](_taken(x, turned))[0], turned)], dim=-1)
            x = x + y if n and self.model.residual else y
        return x

    def wide(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits of the words and pairs that a review has, each counted once."""
        before = torch.cat([torch.full_like(tokens[:1], self.unknown), tokens[:-1]])
        known = _alive(tokens, lengths) & (tokens > self.unknown)
        total, number = torch.zeros((), device=tokens.device), torch.zeros((), device=tokens.device)
        pairs = _hashed(before, tokens, self.model.wide)
        for bag, rows, there in (
            (self.words, tokens, known),
            (self.pairs, pairs, known & (before > self.unknown)),
        ):
            counted = _first_of_each(rows, there).float()
            number = number + counted.sum(0)
            kept = F.dropout(counted, self.rates["wide"], self.training)
            total = total + bag(rows.T.contiguous(), per_sample_weights=kept.T.contiguous())
        return total / number.clamp(min=1.0).sqrt()[:, None]


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)  # a copy


def _lstm(weights: Weights, path: str) -> nn.LSTM:
    """One direction. Of PyTorch's two biases one stays 0, or the optimizer would move their sum twice as far."""
    kernel, recurrent, bias = (weights[f"{path}/{name}"] for name in ("input_kernel", "recurrent_kernel", "bias"))
    module = nn.LSTM(len(kernel), len(recurrent))
    values = (kernel.T, recurrent.T, bias, 0 * bias)  # the gates stand in the same order
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    module.load_state_dict({name: _tensor(value) for name, value in zip(names, values, strict=True)})
    module.bias_hh_l0.requires_grad_(False)
    return module


def _dense(weights: Weights, path: str) -> nn.Linear:
    kernel, bias = weights[f"{path}/kernel"], weights[f"{path}/bias"]
    module = nn.Linear(*kernel.shape)
    module.load_state_dict({"weight": _tensor(kernel.T), "bias": _tensor(bias)})
    return module


def _alive(y: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of ``y[T, B, …]`` belong to a row, ``[T, B]``."""
    return torch.arange(len(y), device=y.device)[:, None] < lengths


def _turned(lengths: Tensor, steps: int, rows: int) -> Tensor:
    """Places in ``[T · B]`` that turn every row round within its length."""
    time = torch.arange(steps, device=lengths.device)[:, None]
    turned = torch.where(time < lengths, lengths - 1 - time, time)
    return (turned * rows + torch.arange(rows, device=lengths.device)).reshape(-1)


def _taken(x: Tensor, places: Tensor) -> Tensor:
    return x.reshape(len(places), -1).index_select(0, places).reshape(*x.shape[:2], -1)


def _last(y: Tensor, lengths: Tensor, backward: int) -> Tensor:
    forward = y.shape[-1] - backward
    end = y[lengths - 1, torch.arange(y.shape[1], device=y.device)]
    return torch.cat([end[:, :forward], y[0, :, forward:]], dim=-1)


def _mean(y: Tensor, lengths: Tensor, backward: int) -> Tensor:
    del backward
    return (y * _alive(y, lengths)[:, :, None]).sum(0) / lengths[:, None]


def _maximum(y: Tensor, lengths: Tensor, backward: int) -> Tensor:
    del backward
    return y.masked_fill(~_alive(y, lengths)[:, :, None], -torch.inf).amax(0)


def _mean_max(y: Tensor, lengths: Tensor, backward: int) -> Tensor:
    return torch.cat([_mean(y, lengths, backward), _maximum(y, lengths, backward)], dim=-1)


POOLINGS = {"last": _last, "mean": _mean, "max": _maximum, "mean_max": _mean_max}


def _first_of_each(rows: Tensor, there: Tensor) -> Tensor:
    """Which entries ``[T, B]`` are the first in their column with their value, among those that are ``there``."""
    value, place = torch.where(there, rows, -1).sort(dim=0, stable=True)
    first = value != torch.cat([torch.full_like(value[:1], -1), value[:-1]])
    return torch.zeros_like(there).scatter(0, place, first)


def _hashed(first: Tensor, second: Tensor, rows: int) -> Tensor:
    """The row of every pair of ids; the arithmetic of 32 bits within 64."""
    low = 0xFFFFFFFF
    mixed = (first * 0x9E3779B1 + second * 0x85EBCA77) & low
    mixed = ((mixed ^ (mixed >> 15)) * 0xC2B2AE3D) & low
    return (mixed ^ (mixed >> 13)) % rows
