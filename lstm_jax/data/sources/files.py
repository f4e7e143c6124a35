"""Examples in files. Every source can be read from files: ``config.data.path`` names a file or a folder."""

import itertools
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from lstm_jax.config import DataConfig
from lstm_jax.data import readers
from lstm_jax.data.readers import Options, Row
from lstm_jax.data.sources.base import UNLABELLED, Rows, Source, register
from lstm_jax.errors import UserError
from lstm_jax.files import file_digest

_log = logging.getLogger(__name__)

SPLIT_WORDS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "unsupervised": UNLABELLED,
    "unlabelled": UNLABELLED,
    "unlabeled": UNLABELLED,
}
UNCLEAR_WORDS = ("eval", "evaluation")  # Some name the validation split so, others the test split.
MOST_NAMES = 10  # Number of files that a message names.
COMPARED_FIRST = 2**16  # Number of bytes by which files are compared first.


def rows_of_path(path: Path, splits: tuple[str, ...], config: DataConfig, whole: bool = False) -> dict[str, Rows]:
    """The rows of a file, all in the split ``train``, or of a folder whose files are named after the splits.

    A file belongs to a split if its name holds one of ``SPLIT_WORDS`` as a whole word. Files whose names begin with a
    dot are not looked at.

    Args:
      path: The file or the folder.
      splits: The splits that are asked for.
      config: How the files are read.
      whole: Whether the folder may lack training examples. If no file names a split, all files are read as one.

    Raises:
      UserError: The path does not exist, the folder holds no training examples, or it is unclear what a file is for.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or a folder of reviews with --config.data.path")
    if path.is_file():
        return {"train": rows_of_files([path], config)}
    named, unused = _files_by_split(path)
    if whole and not named and unused:
        named, unused = {"train": unused}, []
    elif "train" not in named and not (whole and named):
        raise UserError(
            f"{path} holds no file of reviews with 'train' as a word of its name, such as train.csv; it holds "
            f"{_listed(sorted(path.iterdir()))}. Rename the training examples, or give the file itself"
        )
    used = {split: named[split] for split in splits if split in named}
    _check_copies([file for files in used.values() for file in files])
    if unused:
        _log.warning("%s: not used, since no split is named: %s", path, _listed(unused))
    return {split: rows_of_files(files, config) for split, files in used.items()}


def _files_by_split(folder: Path) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files of a folder that name a split, by split, and other files of reviews."""
    named: dict[str, list[Path]] = defaultdict(list)
    unused = []
    for file in sorted(file for file in folder.iterdir() if not file.name.startswith(".")):
        split = _split_of(file)
        if split:
            named[split].append(file)
        elif (not file.is_dir() and any(readers.split_name(file.name)[1:])) or _words(file.name) & SPLIT_WORDS.keys():
            unused.append(file)
    for split, files in named.items():
        _check_one_name(folder, split, files)
    return dict(named), unused


def rows_of_files(files: list[Path], config: DataConfig) -> Rows:
    """The rows of files, one after the other.

    The digests of their contents are arguments too, so that an edited file is read again. A symbolic link keeps its own
    name, whose ending names the format.

    Raises:
      UserError: A file is missing or empty, or its format is unknown.
    """
    options = Options(config.encoding, tuple(config.columns), config.quoting)
    for file in files:
        readers.check_file(file, options)
    digests = [(str(file.absolute()), file_digest(file)) for file in files]
    return Rows(_read, {"files": digests, "options": tuple(options)})


def _read(files: list[tuple[str, str]], options: tuple[str, tuple[str, ...], str]) -> Iterator[Row]:
    for path, _ in files:
        yield from readers.read_rows(Path(path), Options(*options))


def _words(name: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", name.lower()))


def _split_of(file: Path) -> str:
    """The split that a file of reviews belongs to; empty if its name tells none.

    Raises:
      UserError: Its name tells several, or one that may be either of two.
    """
    words = _words(file.name)
    splits = sorted({split for word, split in SPLIT_WORDS.items() if word in words})
    unclear = [word for word in UNCLEAR_WORDS if word in words]
    if not (splits or unclear) or file.is_dir():
        return ""
    kind = readers.split_name(file.name)[1]
    if not kind and not (file.suffix.lower() == ".zip" and readers.file_kind(file)):
        return ""
    if len(splits) > 1:
        raise UserError(f"{file} names the splits {' and '.join(splits)}; rename it so that it names one, or move it")
    if unclear and not splits:
        raise UserError(
            f"{file} may be for validation or for testing; rename it so that its name holds 'validation' or 'test', or "
            "move it"
        )
    return splits[0]


def _check_one_name(folder: Path, split: str, files: list[Path]) -> None:
    """Raises an error if files name one split in two ways, such as valid.csv and dev.csv."""
    names: dict[str, str] = {}
    for file in files:
        (word,) = sorted(word for word in _words(file.name) if SPLIT_WORDS.get(word) == split)[:1]
        names.setdefault(word, file.name)
    if len(names) > 1:
        first, second = list(names.values())[:2]
        raise UserError(
            f"{folder} holds {first} and {second}, which both name the split {split}; remove or rename {second}, or "
            "give both the same word if they belong together"
        )


def _check_copies(files: list[Path]) -> None:
    """Raises an error if two files seem to hold the same reviews: by their names, or by their decompressed contents."""
    stems: dict[str, Path] = {}
    for file in files:
        other = stems.setdefault(readers.split_name(file.name)[0].lower(), file)
        if other is not file:
            raise UserError(
                f"{other.parent} holds {other.name} and {file.name}, which may be the same reviews in two forms; "
                "remove one, or rename it if it holds others"
            )
    heads: dict[bytes, list[Path]] = defaultdict(list)
    for file in files if len(files) > 1 else []:
        if file.is_file() and file.stat().st_size:
            heads[readers.head_of(file, COMPARED_FIRST)].append(file)
    for alike in heads.values():
        for one, other in itertools.combinations(alike, 2):
            if readers.content_digest(one) == readers.content_digest(other):
                raise UserError(f"{one} and {other} have the same content; remove one of them")


def _listed(files: list[Path]) -> str:
    names = [f"{file.name}/" if file.is_dir() else file.name for file in files if not file.name.startswith(".")]
    listed = ", ".join(names[:MOST_NAMES]) or "no files"
    return f"{listed} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else listed


register("files", Source())
