"""Records results of PyTorch's recurrent layers, with which tests/cells/test_parity.py compares ours.

Run by hand, with the extra ``peers`` installed, after changing a case::

    python tests/golden/record.py

It writes recurrent.npz beside itself: plain arrays in float32 (computed in float64), the same on every run.
An entry is named CASE/NAME, where CASE is kind-layers-directions, as in ``lstm-2-1``, and NAME is one of

    x                     [T, B, D] inputs of ragged lengths
    lengths               [B]
    weights.N             [G H, D + H + 2] of PyTorch's N-th pair of layer and direction, G gates in its order;
                          the columns are those of w_ih and of w_hh, then b_ih and b_hh
    initial.h, initial.c  [layers * directions, B, H] first states, c for the LSTM only
    y                     [T, B, directions * H] outputs, zero past a row's length
    final.h, final.c      [layers * directions, B, H] last states
    loss.y, loss.h, .c    weights of the scalar loss: the sum of loss.y * y, loss.h * final.h and loss.c * final.c
    gradient.NAME         of that loss with respect to x, weights.N, initial.h and initial.c
"""

from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PATH = Path(__file__).with_name("recurrent.npz")
FEATURES, UNITS = 3, 5
LENGTHS = [4, 7, 1, 6]
LAYERS = {
    "lstm": lambda **kwargs: nn.LSTM(**kwargs),
    "gru": lambda **kwargs: nn.GRU(**kwargs),
    "rnn_tanh": lambda **kwargs: nn.RNN(nonlinearity="tanh", **kwargs),
    "rnn_relu": lambda **kwargs: nn.RNN(nonlinearity="relu", **kwargs),
}


def record_case(kind: str, layers: int, directions: int, seed: int) -> dict[str, np.ndarray]:
    """Runs one layer forward and backward. Names are those of the module's docstring, without the case."""
    rng = np.random.default_rng(seed)

    def drawn(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.from_numpy(rng.normal(scale=scale, size=shape).astype(np.float32)).double()

    layer = LAYERS[kind](
        input_size=FEATURES, hidden_size=UNITS, num_layers=layers, bidirectional=directions == 2, dtype=torch.float64
    )
    weights = {f"weights.{n}": parts for n, parts in enumerate(layer.all_weights)}
    with torch.no_grad():
        for part in layer.parameters():
            part.copy_(drawn(*part.shape, scale=0.5))

    x = drawn(max(LENGTHS), len(LENGTHS), FEATURES).requires_grad_()
    names = ("h", "c") if kind == "lstm" else ("h",)
    initial = {name: drawn(layers * directions, len(LENGTHS), UNITS).requires_grad_() for name in names}

    packed = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
    packed, end = layer(packed, tuple(initial.values()) if kind == "lstm" else initial["h"])
    y, _ = pad_packed_sequence(packed)
    final = dict(zip(names, end if kind == "lstm" else (end,), strict=True))

    results = {"y": y, **final}
    loss = {name: drawn(*result.shape) for name, result in results.items()}
    sum((loss[name] * result).sum() for name, result in results.items()).backward()

    arrays = {
        "x": x,
        **{name: joined(parts) for name, parts in weights.items()},
        **{f"initial.{name}": state for name, state in initial.items()},
        "y": y,
        **{f"final.{name}": state for name, state in final.items()},
        **{f"loss.{name}": weight for name, weight in loss.items()},
        "gradient.x": x.grad,
        **{f"gradient.{name}": joined([part.grad for part in parts]) for name, parts in weights.items()},
        **{f"gradient.initial.{name}": state.grad for name, state in initial.items()},
    }
    recorded = {name: array.detach().numpy().astype(np.float32) for name, array in arrays.items()}
    return {**recorded, "lengths": np.array(LENGTHS, np.int32)}


def joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """``w_ih, w_hh, b_ih, b_hh``, concatenated."""
    return torch.cat([part.reshape(len(part), -1) for part in parts], dim=1)


def record() -> dict[str, np.ndarray]:
    """Records all cases."""
    cases = list(product(LAYERS, (1, 2), (1, 2)))
    return {
        f"{kind}-{layers}-{directions}/{name}": array
        for seed, (kind, layers, directions) in enumerate(cases)
        for name, array in record_case(kind, layers, directions, seed).items()
    }


if __name__ == "__main__":
    np.savez_compressed(PATH, **record())
    print(f"{PATH}: {PATH.stat().st_size:,} bytes")
