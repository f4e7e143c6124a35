"""Optimizers by name, each a function of its rate and its hyper-parameters; one's own are registered beside them."""

from lstm_jax.optimizers import table  # noqa: F401, registers them
from lstm_jax.optimizers.spec import NAMES, OPTIMIZERS, Optimizer, Range, Space, identity, register
from lstm_jax.optimizers.special import evaluated

__all__ = ["NAMES", "OPTIMIZERS", "Optimizer", "Range", "Space", "evaluated", "identity", "register"]
