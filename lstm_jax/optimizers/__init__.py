"""Optimizers by name, each a function of its learning rate and hyper-parameters. You can register your own."""

from lstm_jax.optimizers import table  # noqa: F401 - the import registers the project's own
from lstm_jax.optimizers.base import Optimizer, Range, Space, identity, register
from lstm_jax.optimizers.special import eval_params
from lstm_jax.registry import OPTIMIZERS

__all__ = ["OPTIMIZERS", "Optimizer", "Range", "Space", "eval_params", "identity", "register"]
