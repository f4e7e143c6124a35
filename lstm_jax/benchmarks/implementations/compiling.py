"""What the implementations on JAX share: compiling apart, and waiting for results."""

import time
from collections.abc import Callable
from typing import Any

import jax


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[[], Any], float]:
    """The function compiled for these arguments, to be called without any, and the seconds that compiling took."""
    start = time.perf_counter()
    ready = jax.jit(function).lower(*arguments).compile()
    seconds = time.perf_counter() - start
    return lambda: jax.block_until_ready(ready(*arguments)), seconds
