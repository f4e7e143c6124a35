"""Quasi-recurrent networks (Bradbury et al. 2016, arXiv:1611.01576).

A convolution over the last k inputs gives the gates of all steps at once, as one matrix product. What is left is
elementwise and linear in the state, a ``linear_recurrence``.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from lstm_jax.cells.base import input_kernel, matmul, sigmoid
from lstm_jax.errors import ConfigError
from lstm_jax.layers.base import Layer, check_inputs
from lstm_jax.layers.dropout import feature_dropout
from lstm_jax.layers.linear_recurrence import masked_recurrence
from lstm_jax.types import ExampleKeys, Hidden, Inputs, Key, Lengths, MatmulDtype, Outputs


class QRNNParams(NamedTuple):
    """Weights with the G gates side by side in the order z, f, o, i, as far as the layer has them.

    Rows j*D to (j+1)*D of the kernel multiply the input j steps back.
    """

    convolution_kernel: Float[Array, "k*D G*H"]
    bias: Float[Array, "G*H"]


class QRNNState(NamedTuple):
    """What the layer carries from one part of a sequence to the next."""

    c: Hidden  # Cell state.
    inputs: Float[Array, "B k-1 D"]  # The last k - 1 inputs, the latest first.


class _Gates(NamedTuple):
    """Activated gates of all steps; a gate that the layer does not have is ``None``."""

    z: Outputs  # Candidate, in (-1, 1).
    f: Outputs  # Forget gate, in (0, 1).
    o: Outputs | None = None  # Output gate, in (0, 1).
    i: Outputs | None = None  # Input gate, in (0, 1).


def qrnn(
    hidden_size: int,
    window: int = 2,
    output_gate: bool = True,
    input_gate: bool = False,
    zoneout: float = 0.0,
    reverse: bool = False,
    matmul_dtype: MatmulDtype = None,
    implementation: str = "auto",
) -> Layer:
    """Quasi-recurrent network (Bradbury et al. 2016), whose gates are a convolution over the inputs.

    The gates see the inputs X_t = (x_t, x_{t-1}, …, x_{t-k+1})::

        z = tanh(X·Wz + bz)            f = σ(X·Wf + bf)
        o = σ(X·Wo + bo)               i = σ(X·Wi + bi)
        f-pooling:    c' = f ⊙ c + (1 - f) ⊙ z      y = c'
        fo-pooling:   c' = f ⊙ c + (1 - f) ⊙ z      y = o ⊙ c'
        ifo-pooling:  c' = f ⊙ c + i ⊙ z            y = o ⊙ c'

    The inputs before a sequence are zeros, as is the cell state. The paper writes no biases; they start at zero.

    Args:
      hidden_size: The number of hidden units, H.
      window: The number of inputs that a gate sees, k.
      output_gate: Whether there is an output gate.
      input_gate: Whether there is an input gate instead of 1 - f. The paper has it only beside an output gate.
      zoneout: The probability, in training, that a unit keeps its state in a step. Then f = 1 - dropout(1 - f), without
        the usual rescaling and with a new mask for every step. It acts when ``apply`` is given a key.
      reverse: Whether to read from each example's last token to its first.
      matmul_dtype: The type that operands of products are rounded to; see ``cells.base.matmul``.
      implementation: That of the ``linear_recurrence``.

    Raises:
      ConfigError: The window is empty, the rate is not in [0, 1), or the paper does not have the combination.
    """
    _check_options(window, output_gate, input_gate, zoneout)
    gate_count = 2 + output_gate + input_gate

    def init(key: Key, input_size: int) -> QRNNParams:
        kernel = input_kernel(key, window * input_size, hidden_size, gate_count)
        return QRNNParams(kernel, jnp.zeros(gate_count * hidden_size))

    def run(
        params: QRNNParams, x: Inputs, lengths: Lengths, key: ExampleKeys | None, state: QRNNState | None
    ) -> tuple[_Gates, Outputs, Bool[Array, "T B 1"], QRNNState]:
        """The gates, the cell state after each step, the steps that belong to an example, and the final state."""
        steps, batch, features = x.shape
        if state is None:
            state = QRNNState(jnp.zeros((batch, hidden_size)), jnp.zeros((batch, window - 1, features)))
        alive = (jnp.arange(steps)[:, None] < lengths[None])[:, :, None]
        # Padding may hold anything. NaN in it would reach the gradient through the product, as 0 · NaN.
        windows, inputs = _windows(jnp.where(alive, x, 0.0), jnp.minimum(lengths, steps), state.inputs, reverse)
        product = matmul(windows.reshape(steps * batch, window * features), params.convolution_kernel, matmul_dtype)
        z, *others = jnp.split((product + params.bias[None]).reshape(steps, batch, -1), gate_count, axis=-1)
        own = _Gates(jnp.tanh(z), *map(sigmoid, others))
        if key is not None and zoneout:
            kept = (1.0 - zoneout) * feature_dropout(key, 1.0 - own.f, zoneout, per_step=True)
            own = own._replace(f=1.0 - kept)
        enters = (1.0 - own.f if own.i is None else own.i) * own.z
        c, last = masked_recurrence(own.f, enters, alive, state.c, implementation, reverse)
        return own, c, alive, QRNNState(last, inputs)

    def apply(
        params: QRNNParams,
        x: Inputs,
        lengths: Lengths,
        key: ExampleKeys | None = None,
        state: QRNNState | None = None,
    ) -> tuple[Outputs, QRNNState]:
        check_inputs(x, lengths)
        own, c, alive, end = run(params, x, lengths, key, state)
        return jnp.where(alive, c if own.o is None else own.o * c, 0.0), end

    def gates(params: QRNNParams, x: Inputs, lengths: Lengths) -> dict[str, Outputs]:
        own, c, _, _ = run(params, x, lengths, None, None)
        named = {"input gate": own.i, "forget gate": own.f, "candidate": own.z, "output gate": own.o, "cell state": c}
        return {name: values for name, values in named.items() if values is not None}

    return Layer(init, apply, gates)


def _check_options(window: int, output_gate: bool, input_gate: bool, zoneout: float) -> None:
    if window < 1:
        raise ConfigError(f"the option window of the layer 'qrnn' is {window}; a gate sees at least 1 input")
    if not 0 <= zoneout < 1:
        raise ConfigError(f"the option zoneout of the layer 'qrnn' is {zoneout}; it must be at least 0 and below 1")
    if input_gate and not output_gate:
        raise ConfigError(
            "the layer 'qrnn' has f-, fo- and ifo-pooling, and none with an input gate alone; set output_gate=1 or "
            "input_gate=0"
        )
    if input_gate and zoneout:
        raise ConfigError(
            "the options zoneout and input_gate of the layer 'qrnn' cannot be combined: beside an input gate, a forget "
            "gate of 1 does not keep the state; set one of them to 0"
        )


def _windows(x: Inputs, lengths: Lengths, earlier: Any, reverse: bool) -> tuple[Any, Any]:
    """The inputs that each step sees, and those that the next part of the sequence will need.

    Args:
      x: The inputs, ``[T, B, D]``, zero in padding.
      lengths: The lengths of the examples, at most T.
      earlier: The k - 1 inputs that were read before, ``[B, k - 1, D]``, the latest first.
      reverse: Whether the steps are taken from the last to the first.

    Returns:
      The windows ``[T, B, k * D]``, each with the step's own input first, and the last k - 1 inputs of each example, as
      ``earlier``.
    """
    steps, batch, _ = x.shape
    count, own = earlier.shape[1], jnp.arange(batch)[None]
    before = jnp.swapaxes(earlier, 0, 1)
    nth = jnp.arange(count)[:, None]
    if reverse:  # What was read before an example follows its last token.
        read = jnp.concatenate([x, jnp.zeros_like(before)]).at[lengths[None] + nth, own].set(before)
        lags, last = range(count + 1), read[:count]
    else:
        read = jnp.concatenate([before[::-1], x])
        lags, last = range(count, -1, -1), read[lengths[None] + count - 1 - nth, own]
    windows = jnp.concatenate([read[lag : lag + steps] for lag in lags], axis=-1)
    return windows, jnp.swapaxes(last, 0, 1)
