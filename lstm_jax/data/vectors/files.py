"""Pretrained vectors, read from the text format of GloVe, fastText and word2vec."""

import logging
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lstm_jax.config import Config
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.readers import lines, numbered
from lstm_jax.data.vectors.base import Vectors, register
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)


def read_vectors(path: Path, ids: Mapping[str, int], size: int, missing: str, seed: int) -> tuple[HostArray, int]:
    """Reads the vectors of a vocabulary. The file is streamed, and only vectors of the vocabulary are kept.

    Args:
      path: File with a token and ``size`` numbers per line, plain, gz, bz2 or zip. The first line may be fastText's
        header. Of several files in a zip, the one named ``…{size}d…`` is read.
      ids: The row of the table for each token.
      size: Size of the vectors, D.
      missing: Vectors of tokens that the file lacks: ``zeros``, or ``random`` for normal values with the standard
        deviation of the file's vectors.
      seed: Seed of the random values.

    Returns:
      The table ``[V, D]``, float32, and the number of tokens found.

    Raises:
      UserError: The file is missing or damaged, holds vectors of another size, or no known token.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; give a file of word vectors with --config.data.vectors.path")
    table = np.zeros((len(ids), size), np.float32)
    found = np.zeros(len(ids), bool)
    for number, line in _zip_lines(path, size) if path.suffix == ".zip" else lines(path):
        token, *values = line.decode(errors="replace").rstrip().split(" ")
        if number == 1 and len(values) == 1 and token.isdecimal() and values[0].isdecimal():
            continue
        if token not in ids or (len(values) > size and not _is_number(values[0])):
            continue  # GloVe 840B has tokens with spaces.
        try:
            vector = np.array(values, np.float32)
        except ValueError:
            vector = np.zeros(0, np.float32)
        if len(vector) != size:
            raise UserError(
                f"{path}, line {number}: {len(values)} fields follow {token!r}, not the {size} numbers of "
                "config.model.embedding_size; set that to the size of the vectors"
            )
        table[ids[token]] = vector
        found[ids[token]] = True
    if not found.any():
        raise UserError(f"{path} holds none of the vocabulary's {len(ids)} words; is it a file of word vectors?")
    if missing == "random":
        rest = np.random.default_rng(seed).normal(size=(len(ids), size)) * table[found].std()
        table = np.where(found[:, None], table, rest).astype(np.float32)
    return table, int(found.sum())


def _zip_lines(path: Path, size: int) -> Iterator[tuple[int, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            fitting = [name for name in names if re.search(rf"(?<!\d){size}d", name)] if len(names) > 1 else names
            if len(fitting) != 1:
                raise UserError(f"{path} holds {', '.join(names) or 'no file'}; unpack it and give the file itself")
            with archive.open(fitting[0]) as file:
                yield from numbered(file, f"{path}/{fitting[0]}")
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is not a readable zip file ({error}); fetch it again") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _make(config: Config, corpora: Corpora) -> HostArray:
    asked, vocabulary = config.data.vectors, corpora.tokenizer.get_vocab()
    size, seed = config.model.embedding_size, config.data.seed
    table, found = read_vectors(Path(asked.path), vocabulary, size, asked.missing, seed)
    lacking = len(vocabulary) - found
    _log.info("word vectors for %d of %d words; %d are not in the file", found, len(vocabulary), lacking)
    return table


register("file", Vectors(_make, reads_file=True))
