"""Masks over the parameters of a TextClassifier, for optimizers that treat some of them differently."""

from typing import Any

import jax


def matrices(params: Any) -> Any:
    """Marks everything but biases and other vectors."""
    return jax.tree.map(lambda p: p.ndim > 1, params)


def embedding(params: Any) -> Any:
    """Marks the embedding, whose learning rate may differ (Howard & Ruder 2018, discriminative fine-tuning)."""
    return {name: jax.tree.map(lambda _, own=name == "embedding": own, part) for name, part in params.items()}


def hidden_matrices(params: Any) -> Any:
    """Marks the kernels of recurrent and dense layers; not embedding, output, or weights of objectives."""
    outside = ("embedding", "output", "objectives")
    return {
        name: jax.tree.map(lambda p, inside=name not in outside: inside and p.ndim == 2, part)
        for name, part in params.items()
    }
