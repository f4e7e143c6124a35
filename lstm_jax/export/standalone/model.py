"""The network in PyTorch: python model.py "a text" prints the probabilities of the classes. Needs torch alone."""

import json
import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

try:
    import parts  # There if the network has segments or a linear part.
except ImportError:
    parts = None


class TorchClassifier(nn.Module):
    """Embedding, recurrent layers, pooling, dense head and linear part, by the fields of ``torch.json``."""

    def __init__(self, how, rows, classes):
        super().__init__()
        kinds = {"lstm": nn.LSTM, "gru": nn.GRU}
        kind = kinds.get(how["layer"]) or partial(nn.RNN, nonlinearity=how["layer"].removeprefix("rnn_"))
        size, self.how, self.layers = how["embedding_size"], how, nn.ModuleList()
        self.embedding = nn.Embedding(rows, size)
        for depth in [1] * how["layers"] if how["residual"] else [how["layers"]]:
            self.layers.append(kind(size, how["hidden_size"], depth, bidirectional=how["bidirectional"]))
            size = how["hidden_size"] * (1 + how["bidirectional"])
        if how["pooling"] == "attention":
            self.attention, self.context = nn.Linear(size, size), nn.Parameter(torch.zeros(size))
        widths = [size * (1 + (how["pooling"] in ("mean_max", "first_last"))), *how["head"]]
        self.head = nn.ModuleList(map(nn.Linear, widths, widths[1:]))
        self.output = nn.Linear(widths[-1], 1 if how["output"] == "sigmoid" else classes)
        if how["wide"]:
            self.wide = parts.TorchWide(how["vocabulary_size"], how["wide"], self.output.out_features, how["unknown"])

    def forward(self, tokens, lengths):
        """Probabilities ``[B, C]`` of token ids ``[T, B]`` and lengths ``[B]``, arrays or tensors of integers."""
        device = self.embedding.weight.device
        tokens, lengths = (torch.as_tensor(each, device=device).long() for each in (tokens, lengths))
        x, size = self.embedding(tokens), self.how["segment"]
        y = parts.in_segments(self.recur, x, lengths, size) if size else self.recur(x, lengths)
        y = self.pool(y, lengths)
        for dense in self.head:
            y = F.relu(dense(y))
        z = self.output(y)
        if self.how["wide"]:
            z = (z + self.wide(tokens, lengths)) / 2
        return torch.softmax(torch.cat([0 * z, z], -1) if self.how["output"] == "sigmoid" else z, -1)

    def recur(self, x, lengths):
        """Outputs ``[T, B, H]``, zero past each length."""
        for n, layer in enumerate(self.layers):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths.clamp(min=1).cpu(), enforce_sorted=False)
            y = nn.utils.rnn.pad_packed_sequence(layer(packed)[0], total_length=len(x))[0]
            x = x + y if n else y
        return x * alive(x, lengths)

    def pool(self, y, lengths):
        """One vector for each example."""
        if self.how["pooling"] == "attention":
            return self.attend(y, alive(y, lengths)[:, :, 0])
        end = y[(lengths - 1).clamp(min=0), torch.arange(y.shape[1], device=y.device)]
        mean = y.sum(0) / lengths.clamp(min=1)[:, None]
        best = y.masked_fill(~alive(y, lengths), -torch.inf).amax(0).where(lengths[:, None] > 0, 0)
        forward = y.shape[2] // 2 if self.how["bidirectional"] else y.shape[2]
        last = torch.cat([end[:, :forward], y[0, :, forward:]], -1)  # The backward direction ends at the first token.
        pooled = {"last": [last], "first_last": [y[0], end], "mean": [mean], "max": [best], "mean_max": [mean, best]}
        return torch.cat({**pooled, "every": [end]}[self.how["pooling"]], -1)

    def attend(self, y, there):
        """The mean over the tokens, weighted by a softmax of their scores; ``there[T, B]`` marks the tokens."""
        scores = (self.attention(y).tanh() @ self.context).masked_fill(~there, -torch.inf)
        return (scores.softmax(0).where(there, 0)[:, :, None] * y).sum(0)


class TorchEnsemble(nn.ModuleList):
    """The mean of the probabilities of several networks, or those of one."""

    def forward(self, tokens, lengths):
        return torch.stack([each(tokens, lengths) for each in self]).mean(0)


def alive(y, lengths):
    """Which steps of ``y[T, B, H]`` lie within their example, ``[T, B, 1]``."""
    return (torch.arange(len(y), device=y.device)[:, None] < lengths)[:, :, None]


def read_model(folder=Path(__file__).parent):
    """The network with the weights of ``model.pt``, or of each ``model-laneN.pt``."""
    how, networks = json.loads((folder / "torch.json").read_text("utf-8")), TorchEnsemble()
    for lane in range(how["lanes"]):
        name = "model.pt" if how["lanes"] == 1 else f"model-lane{lane}.pt"
        weights = torch.load(folder / name, map_location="cpu", weights_only=True)
        networks.append(TorchClassifier(how, len(weights["embedding.weight"]), how["classes"]))
        networks[-1].load_state_dict(weights)
    return networks.eval()


if __name__ == "__main__":
    from token_ids import token_ids

    print(read_model()(*token_ids(sys.argv[1:])).tolist())
