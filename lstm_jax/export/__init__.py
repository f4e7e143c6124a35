"""Trained runs in formats that other programs read.

``FORMATS`` maps the name of a format to a function ``(trained) -> files`` that makes the content of its files, without
those that all formats share.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from lstm_jax.export.common import common_files, run_digest
from lstm_jax.export.folder import Files, read_manifest, write_files
from lstm_jax.export.onnx import onnx_files
from lstm_jax.export.safetensors import safetensors_files
from lstm_jax.export.stablehlo import stablehlo_files
from lstm_jax.export.torch import torch_files
from lstm_jax.export.vectors import vectors_files
from lstm_jax.training.restore import Trained

__all__ = ["FORMATS", "export", "export_safetensors"]

FORMATS: dict[str, Callable[[Trained], Files]] = {
    "safetensors": safetensors_files,
    "torch": torch_files,
    "stablehlo": stablehlo_files,
    "onnx": onnx_files,
    "vectors": vectors_files,
}


def export(trained: Trained, formats: Sequence[str], folder: Path) -> list[Path]:
    """Writes a run in some formats into one folder and returns the paths of the files.

    All contents are made before the first file is written, so an error leaves the folder as it was.

    Args:
      trained: The run.
      formats: Names of ``FORMATS``.
      folder: The folder. Files of other formats of the same run stay there.

    Raises:
      ConfigError: A format cannot express the run, or a file would be replaced that is no export's.
      UserError: A package that the format needs is missing.
    """
    files: Files = {}
    for name in formats:
        files |= FORMATS[name](trained)
    run, manifest = run_digest(trained), read_manifest(folder)
    earlier = manifest["files"] if manifest["run"] == run else {}
    return write_files(folder, {**files, **common_files(trained, [*files, *earlier])}, run)


def export_safetensors(trained: Trained, folder: Path) -> Path:
    """Writes everything that ``lstm_jax.load(folder)`` needs; returns the folder."""
    export(trained, ["safetensors"], folder)
    return folder
