"""Examples in files. Every source can be read from files: ``config.data.path`` names a file or a folder."""

from collections.abc import Iterator
from pathlib import Path

from lstm_jax.data import readers
from lstm_jax.data.readers import Row
from lstm_jax.data.sources.base import Rows, Source, register
from lstm_jax.errors import UserError
from lstm_jax.files import file_digest


def rows_of_path(path: Path, splits: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of a file, all in the split ``train``, or of a folder whose files are named after the splits.

    Raises:
      UserError: The path does not exist, or the folder holds no training examples.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or a folder of reviews with --config.data.path")
    if path.is_file():
        return {"train": rows_of_files([path])}
    named = {
        split: sorted(file for file in path.iterdir() if file.name.startswith(split) and readers.file_kind(file))
        for split in splits
    }
    if not named["train"]:
        raise UserError(f"{path} holds no file whose name begins with 'train'; it may also hold validation* and test*")
    return {split: rows_of_files(files) for split, files in named.items() if files}


def rows_of_files(files: list[Path]) -> Rows:
    """The rows of files, one after the other.

    The digests of their contents are arguments too, so that an edited file is read again. A symbolic link keeps its own
    name, whose suffix names the format.

    Raises:
      UserError: A file is missing or empty, or its format is unknown.
    """
    for file in files:
        readers.check_file(file)
    return Rows(_read, {"files": [(str(file.absolute()), file_digest(file)) for file in files]})


def _read(files: list[tuple[str, str]]) -> Iterator[Row]:
    for path, _ in files:
        yield from readers.read_rows(Path(path))


register("files", Source())
