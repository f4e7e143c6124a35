"""Grid LSTM (Kalchbrenner, Danihelka & Graves 2015, arXiv:1507.01526): LSTM cells along depth as well as along time.

A block of the grid has a hidden and a memory vector for each of its N dimensions. Every dimension has an LSTM of its
own, whose gates see the hidden vectors of all dimensions, and which changes the memory of its own dimension alone. So a
signal can cross many layers as it can cross many steps: gates keep it, where a stack has a nonlinearity in every layer.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.cells.base import Cell, input_kernel, matmul, sigmoid
from lstm_jax.cells.lstm import Gates
from lstm_jax.errors import ConfigError
from lstm_jax.layers.base import Layer
from lstm_jax.layers.scan import scan
from lstm_jax.types import Features, Hidden, Key, MatmulDtype, Size


class TransformParams(NamedTuple):
    """Weights of the LSTM along one dimension of a block, with the gates side by side in the order i, f, g, o."""

    kernel: Float[Array, "N*H 4*H"]  # It reads the hidden vectors of all N dimensions, the first dimension's first.
    bias: Float[Array, "4*H"]


class Side(NamedTuple):
    """What a block passes on along one dimension."""

    m: Hidden  # memory vector
    h: Hidden  # hidden vector


class LayerParams(NamedTuple):
    """Weights of one layer of a grid over time and depth."""

    time: TransformParams
    depth: TransformParams


class GridParams(NamedTuple):
    """Weights of a grid over time and depth."""

    input_kernel: Float[Array, "D 2*H"]  # It makes the memory and the hidden vector that enter the lowest layer.
    bias: Float[Array, "2*H"]
    layers: tuple[LayerParams, ...]  # From the lowest upwards; tied layers have one entry.


def transform_gates(params: TransformParams, hiddens: Sequence[Hidden], matmul_dtype: MatmulDtype = None) -> Gates:
    """The gates of the LSTM along one dimension, from the hidden vectors of all."""
    z = matmul(jnp.concatenate(hiddens, axis=-1), params.kernel, matmul_dtype) + params.bias[None]
    i, f, g, o = jnp.split(z, 4, axis=-1)
    return Gates(sigmoid(i), sigmoid(f), jnp.tanh(g), sigmoid(o))


def grid_block(
    params: Sequence[TransformParams | Callable[[Hidden], Hidden]],
    sides: Sequence[Side],
    priority: Sequence[int] = (),
    matmul_dtype: MatmulDtype = None,
) -> list[Side]:
    """One block of a grid of N dimensions (equations 1 and 8)::

        H = [h_1, …, h_N]
        i = σ(H·Wi + bi)        f = σ(H·Wf + bf)        g = tanh(H·Wg + bg)        o = σ(H·Wo + bo)
        m'_n = f ⊙ m_n + i ⊙ g                          h'_n = tanh(o ⊙ m'_n)

    with weights of its own for every dimension n.

    Args:
      params: The weights of each dimension. A dimension with a function instead, of the concatenated hidden vectors
        ``[B, N*H]``, is no LSTM: its new hidden vector is what the function returns, and it keeps its memory vector.
      sides: The hidden and the memory vector that enter along each dimension.
      priority: The dimensions that are computed after the others, in this order. They see the new hidden vectors of
        the dimensions before them (section 3.3). The others see those that enter the block.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.

    Returns:
      What leaves the block along each dimension.
    """
    after = list(sides)
    seen = [side.h for side in sides]
    others = [n for n in range(len(sides)) if n not in priority]
    for group in [others, *([n] for n in priority)]:
        for n in group:
            after[n] = _along(params[n], seen, sides[n].m, matmul_dtype)
        seen = [side.h for side in after]
    return after


def _along(
    params: TransformParams | Callable[[Hidden], Hidden], hiddens: list[Hidden], m: Hidden, matmul_dtype: MatmulDtype
) -> Side:
    """What leaves a block along one dimension."""
    if not isinstance(params, TransformParams):
        return Side(m, params(jnp.concatenate(hiddens, axis=-1)))
    i, f, g, o = transform_gates(params, hiddens, matmul_dtype)
    m = f * m + i * g
    return Side(m, jnp.tanh(o * m))


def grid_lstm(
    hidden_size: int,
    depth: int = 2,
    tied: bool = False,
    priority: bool = True,
    forget_bias: float = 1.0,
    reverse: bool = False,
    matmul_dtype: MatmulDtype = None,
) -> Layer:
    """A grid of two dimensions, time and depth: the paper's 2-LSTM as one Layer.

    A linear map of the input makes the vectors that enter the lowest layer along depth; those that enter along time are
    zero at first. The output is the hidden vector that leaves the highest layer along depth. The state has what leaves
    each layer along time.

    Args:
      hidden_size: The number of entries, H, of every hidden and memory vector.
      depth: The number of layers of the grid.
      tied: Whether all layers of the grid have the same weights.
      priority: Whether depth is computed after time, so that the output of a step sees the new state of that step.
      forget_bias: The initial value of the forget gates' biases, along both dimensions.
      reverse: Whether to read from each example's last token to its first.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.

    Raises:
      ConfigError: There is no layer.
    """
    if depth < 1:
        raise ConfigError(f"a grid of {depth} layers cannot be made; set depth to 1 or more")
    cell = _cell(hidden_size, depth, tied, (1,) if priority else (), forget_bias, matmul_dtype)
    return scan(cell, reverse)


def _cell(
    hidden_size: int, depth: int, tied: bool, priority: tuple[int, ...], forget_bias: float, matmul_dtype: MatmulDtype
) -> Cell:
    """One step along time, through all layers; the arguments are those of :func:`grid_lstm`."""

    def init(key: Key, input_size: int) -> GridParams:
        input_key, *keys = jax.random.split(key, 1 + (1 if tied else depth))
        kernel = input_kernel(input_key, input_size, hidden_size, 2)
        layers = [LayerParams(*_transforms(own, 2, hidden_size, forget_bias)) for own in keys]
        return GridParams(kernel, jnp.zeros(2 * hidden_size), tuple(layers))

    def initial_state(batch_size: Size) -> tuple[Side, ...]:
        zeros = jnp.zeros((batch_size, hidden_size))
        return (Side(zeros, zeros),) * depth

    def entering(params: GridParams, x: Features) -> Side:
        """What enters the lowest layer along depth."""
        return Side(*jnp.split(matmul(x, params.input_kernel, matmul_dtype) + params.bias[None], 2, axis=-1))

    def step(params: GridParams, state: tuple[Side, ...], x: Features) -> tuple[tuple[Side, ...], Hidden]:
        up = entering(params, x)
        after = []
        for own, side in zip(params.layers * (depth if tied else 1), state, strict=True):
            side, up = grid_block(own, (side, up), priority, matmul_dtype)
            after.append(side)
        return tuple(after), up.h

    def gates(params: GridParams, state: tuple[Side, ...], x: Features) -> dict[str, Hidden]:
        """Those of the highest layer, along time and along depth."""
        up = entering(params, x)
        for own, side in zip(params.layers * (depth if tied else 1), state, strict=True):
            below, (after, up) = up, grid_block(own, (side, up), priority, matmul_dtype)
        along_time = transform_gates(own.time, (side.h, below.h), matmul_dtype)
        along_depth = transform_gates(own.depth, (after.h if priority else side.h, below.h), matmul_dtype)
        seen = {f"time: {name}": array for name, array in along_time.named(after.m).items()}
        return seen | {f"depth: {name}": array for name, array in along_depth.named(up.m).items()}

    return Cell(init, initial_state, step, gates)


def _transforms(key: Key, dimensions: int, hidden_size: int, forget_bias: float) -> list[TransformParams]:
    """First weights of the LSTM along each dimension of a block."""
    bias = jnp.zeros(4 * hidden_size).at[hidden_size : 2 * hidden_size].set(forget_bias)
    keys = jax.random.split(key, dimensions)
    return [TransformParams(input_kernel(own, dimensions * hidden_size, hidden_size, 4), bias) for own in keys]
