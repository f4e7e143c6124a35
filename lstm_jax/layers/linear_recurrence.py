"""The elementwise linear recurrence h_t = a_t ⊙ h_{t-1} + b_t, whose steps need not wait for one another.

Two steps are one step of the same form: applying (a, b), then (a', b'), is applying (a' ⊙ a, a' ⊙ b + b'). This
composition is associative, so all T states follow in about 2 log₂ T parallel rounds (Blelloch 1990; Martin & Cundy
2018) instead of T sequential steps.

The states solve the bidiagonal linear system h_t - a_t ⊙ h_{t-1} = b_t. ``jax.lax.custom_linear_solve`` derives its
gradients from that: the gradient of b is the same recurrence, read from the other end. Differentiating through the
computation instead would keep every intermediate of every round.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from lstm_jax.errors import ConfigError
from lstm_jax.registry import nearest
from lstm_jax.types import Hidden, Outputs

IMPLEMENTATIONS = ("auto", "loop", "associative_scan")


def linear_recurrence(
    a: Outputs, b: Outputs, first: Hidden, implementation: str = "auto", reverse: bool = False
) -> Outputs:
    """The states ``[T, B, H]`` after each step of h_t = a_t ⊙ h_{t-1} + b_t.

    It can be differentiated any number of times, in forward and reverse mode. A step with a = 1 and b = 0 keeps the
    state, so that is what callers write into padding, whose values would otherwise reach the states after it.

    Args:
      a: The factors of each step, ``[T, B, H]``.
      b: The terms of each step, ``[T, B, H]``.
      first: The state before the first step that is taken, ``[B, H]``.
      implementation: ``loop`` takes one step after the other; ``associative_scan`` composes steps in parallel rounds.
        ``auto`` is the loop on CPUs and the associative scan elsewhere. It is resolved for the platform that a program
        is lowered for. The loop does T multiplications for each feature where the rounds do about three times as many,
        and a CPU gains nothing from the rounds; ``bench.py --suite=parallel`` measures both. Accelerators were not
        measured.
      reverse: Whether the steps are taken from T - 1 down: h_t = a_t ⊙ h_{t+1} + b_t.

    Raises:
      ConfigError: There is no such implementation.
    """
    if implementation not in IMPLEMENTATIONS:
        known = nearest(implementation, IMPLEMENTATIONS)
        raise ConfigError(f"a linear recurrence has no implementation {implementation!r}; {known}")
    if a.shape[0] == 0:
        return b
    start = -1 if reverse else 0
    b = b.at[start].add(a[start] * first)
    solve, transposed = partial(_solve, implementation, reverse), partial(_solve, implementation, not reverse)
    return jax.lax.custom_linear_solve(
        lambda h: h - a * _shifted(h, reverse),
        b,
        lambda _, b: solve(a, b),
        lambda _, d: transposed(_shifted(a, not reverse), d),
    )


def _shifted(x: Outputs, reverse: bool) -> Outputs:
    """``x[t - 1]`` at every t, or ``x[t + 1]`` if ``reverse``, and zero where there is none."""
    edge = jnp.zeros_like(x[:1])
    return jnp.concatenate([x[1:], edge] if reverse else [edge, x[:-1]])


def _solve(implementation: str, reverse: bool, a: Outputs, b: Outputs) -> Outputs:
    """The states from a state of zeros."""
    loop: Callable[..., Outputs] = partial(_loop, reverse)
    rounds: Callable[..., Outputs] = partial(_rounds, reverse)
    # The number of rounds depends on T, which a program that is exported for any T does not know.
    if implementation == "auto" and isinstance(a.shape[0], int):
        return jax.lax.platform_dependent(a, b, cpu=loop, default=rounds)
    return (rounds if implementation == "associative_scan" else loop)(a, b)


def _loop(reverse: bool, a: Outputs, b: Outputs) -> Outputs:
    def step(h: Hidden, inputs: tuple[Hidden, Hidden]) -> tuple[Hidden, Hidden]:
        h = inputs[0] * h + inputs[1]
        return h, h

    return jax.lax.scan(step, jnp.zeros_like(b[0]), (a, b), reverse=reverse)[1]


def _rounds(reverse: bool, a: Outputs, b: Outputs) -> Outputs:
    def compose(earlier: tuple[Outputs, Outputs], later: tuple[Outputs, Outputs]) -> tuple[Outputs, Outputs]:
        return later[0] * earlier[0], later[0] * earlier[1] + later[1]

    return jax.lax.associative_scan(compose, (a, b), reverse=reverse)[1]


def masked_recurrence(
    a: Outputs, b: Outputs, alive: Bool[Array, "T B 1"], first: Hidden, implementation: str, reverse: bool
) -> tuple[Outputs, Hidden]:
    """The states of ``linear_recurrence`` where padding keeps the state, and the state after an example's last step.

    ``alive`` marks the steps that belong to an example; ``a`` and ``b`` must be finite in the others too.
    """
    h = linear_recurrence(jnp.where(alive, a, 1.0), jnp.where(alive, b, 0.0), first, implementation, reverse)
    return h, (h[0 if reverse else -1] if h.shape[0] else first)
