"""A process of its own for one implementation of an epoch; see ``turns.Worker``. Those in PyTorch run no JAX."""

import importlib
import sys
from typing import Any

from lstm_jax.benchmarks.implementations import EPOCHS
from lstm_jax.benchmarks.serving import serve


def main() -> None:
    """Answers until the input ends."""
    name = sys.argv[1]
    made: list[Any] = []

    def answer(do: str, **arguments: Any) -> dict[str, Any]:
        if not made:  # within an answer, so that a package that is missing is told as one
            if name == "ours":
                from lstm_jax import runtime as devices

                devices.configure()
            made.append(importlib.import_module(f"lstm_jax.benchmarks.implementations.{EPOCHS[name].module}").Epochs(name))
        return getattr(made[0], do)(**arguments)

    serve(answer)


if __name__ == "__main__":
    main()
