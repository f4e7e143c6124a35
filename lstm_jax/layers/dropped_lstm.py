"""LSTMs with dropout inside the recurrence. Both have the parameters of the LSTM and, without keys, its results.

A mask is drawn when ``apply`` is given keys, as in training, and kept values are scaled by 1 / (1 - rate).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from lstm_jax.cells.lstm import LSTMParams, LSTMState, lstm
from lstm_jax.errors import ConfigError
from lstm_jax.layers.auto import auto_lstm
from lstm_jax.layers.base import Layer
from lstm_jax.layers.dropout import feature_dropout, fold_in
from lstm_jax.layers.scan import scan
from lstm_jax.types import ExampleKeys, Features, Hidden, Inputs, Key, Lengths, MatmulDtype, Outputs


def without_dropout(layer: str) -> str:
    """The name of the layer that a layer is without keys. They can exchange weights."""
    return "lstm" if layer in ("variational_lstm", "weight_drop_lstm") else layer


def variational_lstm(
    hidden_size: int,
    forget_bias: float = 1.0,
    input_dropout: float = 0.0,
    recurrent_dropout: float = 0.5,
    reverse: bool = False,
    matmul_dtype: MatmulDtype = None,
    make_lstm: Callable[..., Layer] = auto_lstm,
) -> Layer:
    """An LSTM that drops features of its inputs and of its recurrent state (Gal & Ghahramani 2016).

    An example keeps one mask of inputs ``[D]`` and one of the recurrent ``h[H]`` for all its steps, drawn from its own
    key. All four gates share them: these are the paper's tied weights. The mask of h applies to the product with U
    alone, so that the outputs and the final state are not dropped.

    Args:
      hidden_size: The number of hidden units, H.
      forget_bias: The initial value of the forget gate's bias.
      input_dropout: The probability that an input feature is dropped.
      recurrent_dropout: The probability that a feature of h is dropped. If it is positive, ``apply`` scans the cell
        when it has keys, whatever ``make_lstm``.
      reverse: Whether to read from each example's last token to its first.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
      make_lstm: The implementation of the LSTM, such as ``lstm_vjp``.

    Raises:
      ConfigError: A rate is not in [0, 1).
    """
    _check_rates(input_dropout=input_dropout, recurrent_dropout=recurrent_dropout)
    cell = lstm(hidden_size, forget_bias, matmul_dtype)
    plain = make_lstm(hidden_size, forget_bias=forget_bias, reverse=reverse, matmul_dtype=matmul_dtype)

    def apply(
        params: LSTMParams,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: LSTMState | None = None,
    ) -> tuple[Outputs, LSTMState]:
        if key is not None and input_dropout:
            x = feature_dropout(fold_in(key, 0), x, input_dropout)
        if key is None or not recurrent_dropout:
            return plain.apply(params, x, lengths, None, state)
        mask = feature_dropout(fold_in(key, 1), jnp.ones((x.shape[1], hidden_size)), recurrent_dropout)

        def step(params: LSTMParams, state: LSTMState, x: Features) -> tuple[LSTMState, Hidden]:
            return cell.step(params, LSTMState(state.c, state.h * mask), x)

        return scan(cell._replace(step=step), reverse).apply(params, x, lengths, None, state)

    return plain._replace(apply=apply)


def weight_drop_lstm(
    hidden_size: int,
    forget_bias: float = 1.0,
    weight_dropout: float = 0.5,
    reverse: bool = False,
    matmul_dtype: MatmulDtype = None,
    make_lstm: Callable[..., Layer] = auto_lstm,
) -> Layer:
    """An LSTM that drops recurrent weights: DropConnect on U (Merity, Keskar & Socher 2018, AWD-LSTM).

    All steps and all examples of a forward pass share one mask ``[H, 4 H]``, since they share one product. Its key is
    made of the keys of all examples, whatever their order. So a result with keys depends on which examples are in the
    batch, and every device of a run draws its own mask for its part of a batch.

    Args:
      hidden_size: The number of hidden units, H.
      forget_bias: The initial value of the forget gate's bias.
      weight_dropout: The probability that a recurrent weight is dropped.
      reverse: Whether to read from each example's last token to its first.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
      make_lstm: The implementation of the LSTM, such as ``lstm_vjp``.

    Raises:
      ConfigError: The rate is not in [0, 1).
    """
    _check_rates(weight_dropout=weight_dropout)
    plain = make_lstm(hidden_size, forget_bias=forget_bias, reverse=reverse, matmul_dtype=matmul_dtype)

    def apply(
        params: LSTMParams,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: LSTMState | None = None,
    ) -> tuple[Outputs, LSTMState]:
        if key is not None and weight_dropout:
            keep = jax.random.bernoulli(_batch_key(key), 1.0 - weight_dropout, params.recurrent_kernel.shape)
            dropped = params.recurrent_kernel * (keep / (1.0 - weight_dropout))
            params = params._replace(recurrent_kernel=dropped)
        return plain.apply(params, x, lengths, None, state)

    return plain._replace(apply=apply)


def _batch_key(keys: ExampleKeys) -> Key:
    """One key from those of all examples, the same in whatever order they are."""
    # A sum that wraps around is the same in any order, and segments, which repeat every key, do not cancel in it.
    total = jnp.sum(jax.random.key_data(keys), axis=0, dtype=jnp.uint32)
    return jax.random.fold_in(jax.random.wrap_key_data(total, impl=jax.random.key_impl(keys)), 0)


def _check_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise ConfigError(f"{name} is {rate:g}; a dropout rate must be at least 0 and less than 1")
