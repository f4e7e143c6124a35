"""Scripts that are copied into exports. They import nothing of lstm_jax."""
