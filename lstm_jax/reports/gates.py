"""Gates, cell state and prediction of an LSTM after each token of one text."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.cells.lstm import LSTMParams, LSTMState, gates
from lstm_jax.characters import printable
from lstm_jax.reports import plots
from lstm_jax.types import HostArray, MatmulDtype

# Title, colour map and range of values of each panel. The cell state has no fixed range.
GATE_PANELS = {
    "i": ("input gate", "viridis", (0, 1)),
    "f": ("forget gate", "viridis", (0, 1)),
    "g": ("candidate", "RdBu_r", (-1, 1)),
    "o": ("output gate", "viridis", (0, 1)),
    "c": ("cell state", "RdBu_r", None),
}


class GateTrace(NamedTuple):
    """Gates, candidate and cell state of one LSTM layer over the tokens of a text, each ``[T, H]``."""

    i: HostArray
    f: HostArray
    g: HostArray
    o: HostArray
    c: HostArray


class Predictions(NamedTuple):
    """The probability of a class while a text is read, each ``[T]``."""

    name: str  # The class's name.
    so_far: HostArray  # From the text up to each token.
    by_itself: HostArray  # From each step's outputs alone. Backward outputs have read the tokens that follow.


def record_gates(params: LSTMParams, x: jax.Array, segment: int = 0, matmul_dtype: MatmulDtype = None) -> GateTrace:
    """Runs a forward LSTM over the embedded tokens ``x[T, D]`` and records its gates and cell state.

    Args:
      params: The weights of the cell.
      x: The embedded tokens of one text.
      segment: Number of tokens after which the state is reset, as in ``layers.segmented``; 0: never.
      matmul_dtype: The type to which the layer rounds the operands of products.
    """

    def step(state: LSTMState, inputs: tuple[jax.Array, jax.Array]) -> tuple[LSTMState, tuple[jax.Array, ...]]:
        x_t, kept = inputs
        state = LSTMState(kept * state.c, kept * state.h)
        opened = gates(params, state, x_t[None], matmul_dtype)
        c = opened.f * state.c + opened.i * opened.g
        return LSTMState(c, opened.o * jnp.tanh(c)), (*opened, c)

    zeros = jnp.zeros((1, params.recurrent_kernel.shape[0]))
    kept = jnp.arange(len(x)) % segment != 0 if segment else jnp.ones(len(x))
    _, seen = jax.lax.scan(step, LSTMState(zeros, zeros), (x, kept.astype(x.dtype)))
    return GateTrace(*(np.asarray(each)[:, 0] for each in seen))


def draw_gates(inside: GateTrace, words: list[str], predictions: Predictions, title: str, most_words: int = 60) -> Any:
    """A figure of gates and cell state, unit by unit, and the class probability after each token.

    Args:
      inside: Gates and cell state after each of T tokens.
      words: The T tokens as text.
      predictions: Predictions after each of the T tokens.
      title: The title, which names the layer and the direction.
      most_words: Maximum number of tokens, since more would be illegible. The last ones are drawn.
    """
    inside = GateTrace(*(each[-most_words:] for each in inside))
    words = [printable(word) for word in words[-most_words:]]
    # Units are sorted by their last cell state, so that similar ones are next to each other.
    order = np.argsort(inside.c[-1])[::-1]
    drawn, axes = plots.figure(
        max(6.0, 2.2 + 0.24 * len(words)),
        11,
        len(GATE_PANELS) + 1,
        sharex=True,
        height_ratios=[1] * len(GATE_PANELS) + [1.1],
    )
    axes[0].set_title(title)
    for axis, (field, (label, colours, limits)) in zip(axes, GATE_PANELS.items(), strict=False):
        _panel(drawn, axis, getattr(inside, field)[:, order].T, label, colours, limits)
    last: Any = axes[-1]
    style: dict[str, Any] = {"marker": "o", "markersize": 4}
    by_itself, so_far = predictions.by_itself[-most_words:], predictions.so_far[-most_words:]
    last.plot(by_itself, color=plots.SPLIT_COLOURS["train"], label="of this step's outputs", **style)
    last.plot(so_far, color=plots.SPLIT_COLOURS["validation"], label="of the review so far", **style)
    last.axhline(1 / 2, color="grey", linewidth=0.8, linestyle=":")
    last.set(ylim=(-0.03, 1.03), ylabel=f"p({printable(predictions.name)})")
    last.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    last.set_xticks(range(len(words)), words, rotation=90, fontfamily="monospace", fontsize=10)
    return drawn


def _panel(drawn: Any, axis: Any, values: HostArray, title: str, colours: str, limits: Any) -> None:
    low, high = limits or (-np.abs(values).max(), np.abs(values).max())
    image = axis.imshow(values, aspect="auto", cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axis.set_ylabel(f"{title}\n(units)")
    axis.set_yticks([])
    drawn.colorbar(image, ax=axis, pad=0.01, fraction=0.02)
