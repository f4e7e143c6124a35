"""Flax modules: the text classifier and the linear part that may stand beside its network."""
