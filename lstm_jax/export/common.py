"""The files that every export has: config, classes, tokenizer, model card, and a script that reads texts."""

from collections.abc import Sequence
from pathlib import Path

from lstm_jax.export.card import model_card
from lstm_jax.export.folder import Files
from lstm_jax.files import digest
from lstm_jax.training.restore import Trained

STANDALONE = Path(__file__).with_name("standalone")  # Scripts that are copied into exports.

COPIED = ("config.json", "data.json", "tokenizer.json")


def common_files(trained: Trained, names: Sequence[str]) -> Files:
    """The files that every export has.

    Args:
      trained: The run.
      names: Names of the folder's other files, whose use the model card describes.
    """
    copied = {name: (trained.workdir / name).read_bytes() for name in COPIED}
    return {**copied, "token_ids.py": standalone("token_ids"), "README.md": model_card(trained, names).encode()}


def standalone(name: str) -> bytes:
    """The source of a script that needs no lstm_jax."""
    return (STANDALONE / f"{name}.py").read_bytes()


def run_digest(trained: Trained) -> str:
    """Identifies the run and the step of its weights."""
    return digest(*((trained.workdir / name).read_bytes() for name in COPIED), trained.step)
