"""Helpers for several tests: random arrays, a scalar to differentiate, comparison of trees, shapes of NamedTuples."""

from typing import get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import jaxtyped


def random(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=scale, size=shape).astype(np.float32)


def randomised(tree, seed: int, scale: float = 0.5):
    """A tree of the same shapes with all entries random, so that no bias is zero."""
    leaves, structure = jax.tree.flatten(tree)
    return structure.unflatten(random(seed + n, *leaf.shape, scale=scale) for n, leaf in enumerate(leaves))


def random_weights(part, input_size: int, seed: int):
    """Weights of a Cell or a Layer, all of them random."""
    return randomised(jax.eval_shape(lambda: part.init(jax.random.key(0), input_size)), seed)


def weighted_sum(tree) -> jax.Array:
    """A scalar: the sum of all entries of the tree, each with its own weight."""
    leaves = jax.tree.leaves(tree)
    return sum(jnp.sum(leaf * random(1000 + n, *leaf.shape)) for n, leaf in enumerate(leaves))


def assert_close(actual, expected, atol: float = 1e-6, rtol: float = 1e-6) -> None:
    """Asserts that two trees have the same structure and shapes, and nearly the same entries."""

    def compare(path, a, b):
        assert np.shape(a) == np.shape(b), jax.tree_util.keystr(path)
        np.testing.assert_allclose(a, b, atol=atol, rtol=rtol, err_msg=jax.tree_util.keystr(path))

    jax.tree_util.tree_map_with_path(compare, actual, expected)


def assert_equal(actual, expected) -> None:
    assert_close(actual, expected, atol=0, rtol=0)


def difference(a, b) -> float:
    """The largest difference between two arrays' entries."""
    return float(np.max(np.abs(np.asarray(a) - np.asarray(b))))


def assert_fields_fit(*records) -> None:
    """Asserts that every array in these NamedTuples fits its annotation, with one size per letter in all of them."""
    fields = [
        (name, getattr(record, name), annotation)
        for record in records
        for name, annotation in get_type_hints(type(record)).items()
    ]
    with jaxtyped("context"):
        # Fields that begin with H come first: sizes like 4*H can be checked once H has a size.
        for name, value, annotation in sorted(fields, key=lambda field: not field[2].dim_str.startswith("H")):
            assert isinstance(value, annotation), (name, value.shape, annotation)


def slow_but(values, *quick):
    """Parameters of a test of which only ``quick`` are run by ``make test``."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]
