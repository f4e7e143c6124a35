"""Parts of ``model.py`` that few networks have: segments, and a linear part over words, pairs and triples."""

import torch
from torch import nn
from torch.nn import functional as F

_LOW, _FACTORS = 0xFFFFFFFF, (0x9E3779B1, 0x85EBCA77, 0x27D4EB2F)


def in_segments(recur, x, lengths, size):
    """Outputs ``[T, B, H]`` of layers that restart from a zero state after every ``size`` tokens."""
    (steps, batch), count = x.shape[:2], -(-len(x) // size)
    x = F.pad(x, (0, 0, 0, 0, 0, count * size - steps)).reshape(count, size, batch, -1).transpose(0, 1)
    own = (lengths[None] - size * torch.arange(count, device=x.device)[:, None]).clamp(0, size).reshape(-1)
    y = recur(x.reshape(size, count * batch, -1), own).reshape(size, count, batch, -1)
    return y.transpose(0, 1).reshape(count * size, batch, -1)[:steps]


class TorchWide(nn.Module):
    """Sums of the weights of an example's distinct words, pairs and triples, and a bias."""

    def __init__(self, vocabulary, rows, outputs, unknown):
        super().__init__()
        self.words, self.pairs, self.triples = (nn.Embedding(n, outputs) for n in (vocabulary, rows, rows))
        self.bias, self.unknown = nn.Parameter(torch.zeros(outputs)), unknown

    def forward(self, tokens, lengths):
        """The logits ``[B, C]`` of tokens ``[T, B]``."""
        known = (torch.arange(len(tokens), device=tokens.device)[:, None] < lengths) & (tokens > self.unknown)
        total, ngram, there = self.bias, [tokens], known
        for n, table in enumerate((self.words, self.pairs, self.triples)):
            if n:
                ngram, there = [one_later(ngram[0]), *ngram], one_later(there) & known
            rows = ngram_rows(ngram, table.num_embeddings) if n else tokens
            total = total + (table(rows) * first_of_each(rows, there)[:, :, None]).sum(0)
        return total


def one_later(values):
    """Values ``[T, B]`` one step later, with zeros at the first step."""
    return torch.cat([torch.zeros_like(values[:1]), values[:-1]])


def first_of_each(rows, there):
    """A mask of the first occurrence of each value in its column of ``rows[T, B]``, among the entries that count."""
    value, place = torch.where(there, rows, -1).sort(dim=0, stable=True)
    first = value != torch.cat([torch.full_like(value[:1], -1), value[:-1]])
    return torch.zeros_like(there).scatter(0, place, first)


def ngram_rows(ids, rows):
    """The table row of each n-gram, given by the ids of its tokens, by a hash of 32 bits."""
    mixed = sum(own * factor for own, factor in zip(ids, _FACTORS, strict=False)) & _LOW
    mixed = ((mixed ^ (mixed >> 15)) * 0xC2B2AE3D) & _LOW
    return (mixed ^ (mixed >> 13)) % rows
