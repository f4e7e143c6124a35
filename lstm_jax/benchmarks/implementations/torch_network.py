"""The networks of ``configs/keras_imdb.py`` and ``configs/imdb.py`` written for PyTorch, on the same initial weights.

The network is one LSTM layer, either in one direction with last pooling or bidirectional with mean and max pooling. It
may read segments, and may have a linear part over n-grams. Other configs are refused.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

WeightsByPath = Mapping[str, np.ndarray]  # Weights by path, such as ``layers/cells/0/input_kernel``.

_TABLES = ("words", "pairs", "triples", "bias")  # Of the linear part.


class TorchNetwork(nn.Module):
    """Embedding, an LSTM layer, pooling, output, and the linear part if the config has one."""

    def __init__(self, model: Any, rates: Mapping[str, float], unknown: int, weights: WeightsByPath) -> None:
        """Copies the weights.

        Args:
          model: The fields of ``config.model``.
          rates: Dropout rates by place.
          unknown: The id of unknown and of dropped tokens.
          weights: Initial values in lstm_jax's layout.

        Raises:
          NotImplementedError: The config asks for another network.
        """
        super().__init__()
        plain = model.layers == 1 and model.train_embedding and not model.head and not model.dropout_per_step
        if model.layer != "lstm" or not plain or model.pooling != ("mean_max" if model.bidirectional else "last"):
            raise NotImplementedError("PyTorch supports only the networks of configs/keras_imdb.py and configs/imdb.py")
        self.model, self.rates, self.unknown = model, rates, unknown
        self.embedding = nn.Embedding.from_pretrained(_tensor(weights["embedding"]), freeze=False)
        directions = ("/forward", "/backward") if model.bidirectional else ("",)
        self.lstm = nn.ModuleList(_lstm(weights, f"layers/cells/0{direction}") for direction in directions)
        self.output = nn.Linear(*weights["output/kernel"].shape)
        values = {"weight": _tensor(weights["output/kernel"].T), "bias": _tensor(weights["output/bias"])}
        self.output.load_state_dict(values)
        if model.wide:
            for name in _TABLES:  # Fitted before; training leaves them as they are.
                self.register_buffer(name, _tensor(weights[f"wide/{name}"]))

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits ``[B, C]`` of ``tokens[T, B]``; all ``lengths[B]`` are at least 1."""
        read = tokens
        if self.training and self.rates["tokens"]:
            read = tokens.masked_fill(torch.rand_like(tokens, dtype=torch.float32) < self.rates["tokens"], self.unknown)
        x = self.dropped(self.embedding(read), "embedding")
        y = self.segments(x, lengths) if self.model.segment else self.layer(x, lengths)
        if self.model.bidirectional:
            alive = _alive(y, lengths)[:, :, None]
            mean = (y * alive).sum(0) / lengths[:, None]
            y = torch.cat([mean, y.masked_fill(~alive, -torch.inf).amax(0)], dim=-1)
        else:
            y = y[lengths - 1, torch.arange(y.shape[1], device=y.device)]
        z = self.output(self.dropped(y, "pooled"))
        if self.model.wide and not self.training:
            z = (z + self.wide(tokens, lengths)) / 2
        return torch.cat([torch.zeros_like(z), z], dim=-1) if self.model.output == "sigmoid" else z

    def dropped(self, x: Tensor, place: str) -> Tensor:
        """Applies dropout to the features of ``x[..., B, D]``, with the same mask at all steps."""
        if not (self.training and self.rates[place]):
            return x
        return x * F.dropout(x.new_ones(x.shape[-2:]), self.rates[place])

    def segments(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Applies the layer to short segments, as if each were an example of its own."""
        (steps, batch, features), size = x.shape, self.model.segment
        count = -(-steps // size)
        x = F.pad(x, (0, 0, 0, 0, 0, count * size - steps)).reshape(count, size, batch, features)
        x = x.transpose(0, 1).reshape(size, count * batch, features)
        starts = size * torch.arange(count, device=x.device)[:, None]
        y = self.layer(x, (lengths[None] - starts).clamp(0, size).reshape(-1))
        return y.reshape(size, count, batch, -1).transpose(0, 1).reshape(count * size, batch, -1)[:steps]

    def layer(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The outputs of the LSTM. Those past an example's length are meaningless."""
        y = self.lstm[0](x)[0]
        if len(self.lstm) == 1:
            return y
        # On CPUs a packed sequence takes about three times as long as examples reversed within their lengths.
        reversed_ = _reversed(lengths, *x.shape[:2])
        return torch.cat([y, _taken(self.lstm[1](_taken(x, reversed_))[0], reversed_)], dim=-1)

    def wide(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits of the linear part. Each word, pair and triple of an example counts once."""
        known = _alive(tokens, lengths) & (tokens > self.unknown)
        *tables, total = (self.get_buffer(name) for name in _TABLES)
        ngram, there = [tokens], known
        for n, table in enumerate(tables):
            if n:
                ngram, there = [_one_later(ngram[0]), *ngram], _one_later(there) & known
            rows = _hashed(ngram, self.model.wide) if n else tokens
            total = total + (table[rows] * _first_of_each(rows, there)[:, :, None]).sum(0)
        return total


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)  # a copy


def _lstm(weights: WeightsByPath, path: str) -> nn.LSTM:
    """One direction. One of PyTorch's two biases stays 0; otherwise the optimizer would update their sum twice."""
    kernel, recurrent, bias = (weights[f"{path}/{name}"] for name in ("input_kernel", "recurrent_kernel", "bias"))
    module = nn.LSTM(len(kernel), len(recurrent))
    values = (kernel.T, recurrent.T, bias, 0 * bias)  # the order of the gates is the same
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    module.load_state_dict({name: _tensor(value) for name, value in zip(names, values, strict=True)})
    module.bias_hh_l0.requires_grad_(False)
    return module


def _alive(y: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of ``y[T, B, …]`` lie within their example, ``[T, B]``."""
    return torch.arange(len(y), device=y.device)[:, None] < lengths


def _reversed(lengths: Tensor, steps: int, batch: int) -> Tensor:
    """Indices into ``[T · B]`` that reverse every example within its length."""
    time = torch.arange(steps, device=lengths.device)[:, None]
    places = torch.where(time < lengths, lengths - 1 - time, time)
    return (places * batch + torch.arange(batch, device=lengths.device)).reshape(-1)


def _taken(x: Tensor, places: Tensor) -> Tensor:
    return x.reshape(len(places), -1).index_select(0, places).reshape(*x.shape[:2], -1)


def _first_of_each(rows: Tensor, there: Tensor) -> Tensor:
    """A mask ``[T, B]`` of the first occurrence of each value in its column, among the entries that are ``there``."""
    value, place = torch.where(there, rows, -1).sort(dim=0, stable=True)
    first = value != torch.cat([torch.full_like(value[:1], -1), value[:-1]])
    return torch.zeros_like(there).scatter(0, place, first)


def _one_later(values: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(values[:1]), values[:-1]])


def _hashed(ids: list[Tensor], rows: int) -> Tensor:
    """The table row of every n-gram. 32-bit arithmetic is emulated with 64-bit integers."""
    low = 0xFFFFFFFF
    factors = (0x9E3779B1, 0x85EBCA77, 0x27D4EB2F)
    mixed = torch.stack([own * factor for own, factor in zip(ids, factors, strict=False)]).sum(0) & low
    mixed = ((mixed ^ (mixed >> 15)) * 0xC2B2AE3D) & low
    return (mixed ^ (mixed >> 13)) % rows
