"""The Vectors contract, and the initial values of the embedding that a config asks for."""

from collections.abc import Callable
from typing import NamedTuple

from lstm_jax.config import Config
from lstm_jax.data.corpus import Corpora
from lstm_jax.registry import VECTORS
from lstm_jax.types import HostArray


class Vectors(NamedTuple):
    """A source of initial values of the embedding.

    Attributes:
      make: ``(config, corpora) -> table[V, D]``, float32, with rows in the order of the vocabulary's ids, or ``None``
        for random values. It raises ``UserError`` if the config is invalid.
      reads_text: Whether it reads ``corpora.whole``, the untruncated training and unlabelled texts, which are loaded
        only for such sources.
      reads_file: Whether it reads the file ``config.data.vectors.path``, which other sources refuse. Studies take the
        file's content as part of the data.
    """

    make: Callable[[Config, Corpora], HostArray | None]
    reads_text: bool = False
    reads_file: bool = False


def register(name: str, vectors: Vectors) -> Vectors:
    """Registers a source of vectors under a name for ``config.data.vectors.source``, and returns it.

    Raises:
      ConfigError: The name is taken.
    """
    return VECTORS.register(name, vectors)


def first_vectors(config: Config, corpora: Corpora) -> HostArray | None:
    """The initial embedding ``[V, D]`` that a config asks for; ``None`` if it is random.

    Raises:
      UserError: The config or a file that it names is invalid.
      ValueError: The source returns a table of another shape.
    """
    vectors = VECTORS[config.data.vectors.source]
    if vectors.reads_text and corpora.whole is None:
        return None  # The corpora were prepared for a trained vocabulary, whose embedding is restored.
    table = vectors.make(config, corpora)
    wanted = corpora.tokenizer.get_vocab_size(), config.model.embedding_size
    if table is not None and table.shape != wanted:
        source = config.data.vectors.source
        raise ValueError(f"the vectors {source!r} have the shape {table.shape}, but the embedding has {wanted}")
    return table


register("random", Vectors(lambda config, corpora: None))
