"""Flax modules: the text classifier and the optional linear part beside its network."""
