"""Parts of ``model.py`` that few networks have: segments, and a linear part over tokens and pairs."""

import torch
from torch import nn
from torch.nn import functional as F

_LOW = 0xFFFFFFFF


def in_segments(recur, x, lengths, size):
    """Outputs ``[T, B, H]`` of layers that restart from a zero state after every ``size`` tokens."""
    (steps, batch), count = x.shape[:2], -(-len(x) // size)
    x = F.pad(x, (0, 0, 0, 0, 0, count * size - steps)).reshape(count, size, batch, -1).transpose(0, 1)
    own = (lengths[None] - size * torch.arange(count, device=x.device)[:, None]).clamp(0, size).reshape(-1)
    y = recur(x.reshape(size, count * batch, -1), own).reshape(size, count, batch, -1)
    return y.transpose(0, 1).reshape(count * size, batch, -1)[:steps]


class TorchWide(nn.Module):
    """Sums of the weights of an example's distinct tokens and pairs, divided by the root of their number."""

    def __init__(self, vocabulary, rows, outputs, unknown):
        super().__init__()
        self.words, self.pairs, self.unknown = nn.Embedding(vocabulary, outputs), nn.Embedding(rows, outputs), unknown

    def forward(self, tokens, lengths):
        """What is added to the logits ``[B, C]`` of tokens ``[T, B]``."""
        before = torch.cat([torch.full_like(tokens[:1], self.unknown), tokens[:-1]])
        known = (torch.arange(len(tokens), device=tokens.device)[:, None] < lengths) & (tokens > self.unknown)
        total, number = torch.zeros(2, device=tokens.device)
        rows = pair_rows(before, tokens, self.pairs.num_embeddings)
        for table, own, there in [(self.words, tokens, known), (self.pairs, rows, known & (before > self.unknown))]:
            counted = first_of_each(own, there).float()
            total, number = total + (table(own) * counted[:, :, None]).sum(0), number + counted.sum(0)
        return total / number.clamp(min=1).sqrt()[:, None]


def first_of_each(rows, there):
    """A mask of the first occurrence of each value in its column of ``rows[T, B]``, among the entries that count."""
    value, place = torch.where(there, rows, -1).sort(dim=0, stable=True)
    first = value != torch.cat([torch.full_like(value[:1], -1), value[:-1]])
    return torch.zeros_like(there).scatter(0, place, first)


def pair_rows(first, second, rows):
    """The table row of each pair of token ids, by a hash of 32 bits."""
    mixed = (first * 0x9E3779B1 + second * 0x85EBCA77) & _LOW
    mixed = ((mixed ^ (mixed >> 15)) * 0xC2B2AE3D) & _LOW
    return (mixed ^ (mixed >> 13)) % rows
