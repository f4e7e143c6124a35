"""Measures the best rates of a device under XLA: matrix products, memory copies and loop steps."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

SIDES = (1024, 2048, 3072)  # Sides of the square matrices that each device multiplies.
COPY_BYTES = 2**26  # Bytes that each device copies.
LIMIT_STEPS = 10_000  # Number of steps of the loop.
LIMIT_ROUNDS = 7


class Limits(NamedTuple):
    """The best rates of all devices together."""

    float32_gflops: float
    bfloat16_gflops: float
    copy_gbps: float  # 1e9 bytes per second, reading and writing counted together.
    shortest_step_us: float  # Duration of a step of an XLA loop of a tiny matrix product and a tanh.

    def gflops(self, dtype: str) -> float:
        """The rate of matrix products. Operands in bfloat16 may also be multiplied as float32."""
        return max(self.float32_gflops, self.bfloat16_gflops) if dtype == "bfloat16" else self.float32_gflops

    def best(self, other: "Limits") -> "Limits":
        """The better of two measurements, field by field."""
        highest = [max(pair) for pair in zip(self, other, strict=True)]
        return Limits(*highest)._replace(shortest_step_us=min(self.shortest_step_us, other.shortest_step_us))


def measure_limits() -> Limits:
    """The best round at the best size, with all devices busy. Other libraries may multiply faster than XLA."""
    mesh = Mesh(np.array(jax.devices()), ("device",))
    products = {kind: max(_product(mesh, side, kind) for side in SIDES) for kind in (jnp.float32, jnp.bfloat16)}
    return Limits(products[jnp.float32] / 1e9, products[jnp.bfloat16] / 1e9, _copy(mesh) / 1e9, 1e6 * _step())


def _product(mesh: Mesh, side: int, kind: Any) -> float:
    """Operations per second, with a product of square matrices on every device."""
    a = _spread(mesh, (mesh.size, side, side), kind)
    product = jax.shard_map(
        lambda a: jnp.matmul(a, a, preferred_element_type=jnp.float32),
        mesh=mesh,
        in_specs=P("device"),
        out_specs=P("device"),
    )
    return 2.0 * side**3 * mesh.size / _best(partial(jax.jit(product).lower(a).compile(), a))


def _copy(mesh: Mesh) -> float:
    """Bytes read and written per second. The copy is in place, because a new array would also cause page faults."""
    a = _spread(mesh, (mesh.size, COPY_BYTES // 4), jnp.float32)
    add = jax.shard_map(lambda a: a + 1.0, mesh=mesh, in_specs=P("device"), out_specs=P("device"))
    ready = jax.jit(add, donate_argnums=0).lower(a).compile()

    def again() -> jax.Array:
        nonlocal a
        a = ready(a)
        return a

    return 2.0 * COPY_BYTES * mesh.size / _best(again)


def _step() -> float:
    """Seconds per step of a plain recurrent network of 8 units on a batch of 8."""
    loop = lambda h, u: jax.lax.fori_loop(0, LIMIT_STEPS, lambda _, h: jnp.tanh(h @ u), h)
    h = jnp.ones((8, 8))
    return _best(partial(jax.jit(loop).lower(h, h).compile(), h, h)) / LIMIT_STEPS


def _spread(mesh: Mesh, shape: tuple[int, ...], kind: Any) -> jax.Array:
    values = np.random.default_rng(0).standard_normal(shape).astype(kind)
    return jax.device_put(values, NamedSharding(mesh, P("device")))


def _best(call: Callable[[], Any]) -> float:
    """Seconds of the fastest call, after a warm-up call."""
    seconds = []
    for _ in range(LIMIT_ROUNDS + 1):
        start = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
