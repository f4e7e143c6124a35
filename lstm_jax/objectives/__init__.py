"""What a training step minimises. Each objective is a module that registers itself; your own may be in any file."""

from lstm_jax.objectives import adversarial, classification, label_smoothing  # noqa: F401 - registered by import
from lstm_jax.objectives.base import LABELLED, Objective, Sums, register

__all__ = ["LABELLED", "Objective", "Sums", "register"]
