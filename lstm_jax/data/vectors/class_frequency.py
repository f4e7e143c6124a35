"""Class-frequency vectors: a token's share of the tokens of each class (Glos 2021, section 3.1.2)."""

import numpy as np

from lstm_jax.config import Config
from lstm_jax.data.corpus import Corpora, join
from lstm_jax.data.vectors.base import Vectors, register
from lstm_jax.data.word_counts import class_frequencies
from lstm_jax.errors import ConfigError
from lstm_jax.types import HostArray


def class_frequency_vectors(config: Config, corpora: Corpora) -> HostArray:
    """The table ``[V, C]``, counted over the training examples, or over all if ``fit_on`` is ``all``.

    Raises:
      ConfigError: The embedding size is not the number of classes.
    """
    size, classes = config.model.embedding_size, len(corpora.classes.names)
    if size != classes:
        raise ConfigError(
            f"config.model.embedding_size is {size}, but a word's frequencies in {classes} classes are {classes} "
            "numbers; set it to that"
        )
    fit_on_all = config.data.vectors.fit_on == "all"
    counted = join([corpora.train, corpora.validation, corpora.test]) if fit_on_all else corpora.train
    return class_frequencies(counted, corpora.tokenizer.get_vocab_size(), classes).tokens.astype(np.float32)


register("class_frequency", Vectors(class_frequency_vectors))
