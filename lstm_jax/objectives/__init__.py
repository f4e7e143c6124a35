"""What a training step minimises. Each objective is a file that registers itself; your own may stand anywhere."""

from lstm_jax.objectives import adversarial, classification, label_smoothing  # noqa: F401 - registered by import
from lstm_jax.objectives.base import LABELLED, Objective, Sums, register

__all__ = ["LABELLED", "Objective", "Sums", "register"]
