"""A training run: its pure functions, lanes, loop, checkpoints and what it writes."""
