"""Given word vectors, read from GloVe's text format."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lstm_jax.errors import UserError
from lstm_jax.text.readers import lines
from lstm_jax.types import HostArray


def read(path: Path, ids: Mapping[str, int], size: int, seed: int) -> tuple[HostArray, int]:
    """The table of a vocabulary's vectors; the file is streamed and only known words are kept.

    Args:
      path: lines of a word and ``size`` numbers, plain, gz or bz2.
      ids: word → row of the table.
      size: D.
      seed: of the vectors of words that the file lacks: normal, with the deviation of the given ones.

    Returns:
      ``([V, D] float32, words found)``.

    Raises:
      UserError: the file is missing or damaged, holds vectors of another size, or none that is known.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; give a file of word vectors with --config.data.vectors.path")
    table = np.zeros((len(ids), size), np.float32)
    found = np.zeros(len(ids), bool)
    for number, line in lines(path):
        word, *values = line.decode(errors="replace").rstrip().split(" ")
        if word not in ids or (len(values) > size and not _is_number(values[0])):  # GloVe 840B has words with spaces
            continue
        try:
            vector = np.array(values, np.float32)
        except ValueError:
            vector = np.zeros(0, np.float32)
        if len(vector) != size:
            raise UserError(
                f"{path}, line {number}: {len(values)} fields follow {word!r}, not the {size} numbers of "
                "config.model.embedding_size; set that to the size of the vectors"
            )
        table[ids[word]] = vector
        found[ids[word]] = True
    if not found.any():
        raise UserError(f"{path} holds none of the vocabulary's {len(ids)} words; is it a file of word vectors?")
    rest = np.random.default_rng(seed).normal(size=(len(ids), size)) * table[found].std()
    return np.where(found[:, None], table, rest).astype(np.float32), int(found.sum())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
