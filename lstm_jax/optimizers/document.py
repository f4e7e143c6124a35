"""Prints the table of all optimizers in docs/optimizers.md: ``python -m lstm_jax.optimizers.document``."""

from lstm_jax.optimizers import OPTIMIZERS


def optimizers_table() -> str:
    """One row per optimizer: its name, learning rate, hyper-parameters, and the source of the learning rate."""
    lines = ["| name | learning rate | hyper-parameters | source of the learning rate |", "|---|---|---|---|"]
    for name, row in OPTIMIZERS.items():
        hparams = ", ".join(f"`{own}` {value:g}" for own, value in row.hparams.items()) or "–"
        lines.append(f"| `{name}` | {row.learning_rate:g} | {hparams} | {row.source} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(optimizers_table(), end="")
