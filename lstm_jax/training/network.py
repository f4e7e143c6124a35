"""The network of a run: its module, the first values of its embedding, and how large a checkpoint of a lane is."""

import logging
from pathlib import Path

import jax
import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.data import corpus
from lstm_jax.data import tokenizer as tokens
from lstm_jax.data import word_counts as counting
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.vectors import cooccurrence, word2vec
from lstm_jax.data.vectors import files as vectors
from lstm_jax.errors import ConfigError
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.training.experiment import evaluated_params, experiment
from lstm_jax.types import HostArray

log = logging.getLogger(__name__)


def classifier(config: Config, corpora: Corpora) -> TextClassifier:
    """The module of a config for the vocabulary and the classes of its reviews."""
    words, rows = corpora.tokenizer.get_vocab_size(), config.model.embedding_rows
    if config.model.output == "sigmoid" and corpora.classes != 2:
        raise ConfigError(f"config.model.output is 'sigmoid', one unit, but there are {corpora.classes} classes")
    if rows and rows < words:
        raise ConfigError(f"config.model.embedding_rows is {rows}, but there are {words} words; raise it to that")
    return TextClassifier(
        config.model, words, corpora.classes, tokens.unknown(corpora.tokenizer), first_vectors(config, corpora)
    )


def first_vectors(config: Config, corpora: Corpora) -> HostArray | None:
    """The first values ``[V, D]`` of the embedding that a config asks for; ``None``: random ones."""
    asked, size, tokenizer = config.data.vectors, config.model.embedding_size, corpora.tokenizer
    words, first = tokenizer.get_vocab_size(), tokens.first_word(tokenizer)
    if asked.source == "file":
        given, found = vectors.read(Path(asked.path), tokenizer.get_vocab(), size, asked.missing, config.data.seed)
        log.info("word vectors for %d of %d words; %d are out of vocabulary", found, words, words - found)
        return given
    if asked.source == "class_frequency":
        if size != corpora.classes:
            raise ConfigError(
                f"config.model.embedding_size is {size}, but a word's frequencies in {corpora.classes} classes "
                f"are {corpora.classes} numbers; set it to that"
            )
        counted = corpora.train if asked.fit_on == "train" else corpus.join([*corpora[:3]])
        return counting.class_frequencies(counted, words, size).words.astype(np.float32)
    if corpora.whole is None:
        return None
    if asked.source == "word2vec":
        return word2vec.learn(corpora.whole, words, first, size, asked.window, config.data.seed)
    return cooccurrence.learn(corpora.whole, words, first, size, asked.window)


def checkpoint_bytes(config: Config, corpora: Corpora) -> int:
    """Bytes of one lane's checkpoint: its state and its best weights."""
    functions = experiment(config, classifier(config, corpora), total_steps=1)
    state = jax.eval_shape(functions.init, np.uint32(0), {k: np.float32(v) for k, v in configs.hparams(config).items()})
    kept = (state, jax.eval_shape(evaluated_params, state), state.frozen)  # the frozen weights once with each
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(kept))
