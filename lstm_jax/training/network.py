"""The network of a run, its parts, and the size of a lane's checkpoint."""

import jax
import numpy as np

from lstm_jax import config as configs
from lstm_jax.config import Config, ModelConfig
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.ngram_weights import ngram_weights
from lstm_jax.data.ngrams import NgramTables
from lstm_jax.data.tokenizer import unknown_id
from lstm_jax.data.vectors import first_vectors
from lstm_jax.errors import ConfigError
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.models.parts import NetworkPart, network_parts
from lstm_jax.stages import stage
from lstm_jax.training.experiment import evaluated_variables, experiment
from lstm_jax.types import Params


def classifier(config: Config, corpora: Corpora) -> TextClassifier:
    """The network of a config, for the vocabulary and the classes of its corpora.

    Raises:
      ConfigError: The network does not fit the number of classes or the size of the vocabulary.
    """
    words, rows = corpora.tokenizer.get_vocab_size(), config.model.embedding_rows
    classes = len(corpora.classes.names)
    if config.model.output == "sigmoid" and classes != 2:
        raise ConfigError(f"config.model.output is 'sigmoid', one unit, but there are {classes} classes")
    if rows and rows < words:
        raise ConfigError(f"config.model.embedding_rows is {rows}, but there are {words} words; raise it")
    with stage("making the initial word vectors"):
        vectors = first_vectors(config, corpora)
    unknown = unknown_id(corpora.tokenizer)
    ngrams = _linear_part(config.model, corpora, words, classes, unknown) if config.model.wide else None
    return TextClassifier(config.model, words, classes, unknown, vectors, ngrams=ngrams)


def _linear_part(config: ModelConfig, corpora: Corpora, words: int, classes: int, unknown: int) -> NgramTables:
    """The weights of the linear part, fitted on the training examples, by logit."""
    with stage("fitting the linear part"):
        found = ngram_weights(corpora.train, words, classes, unknown, config.wide)
    if config.output == "sigmoid":
        return NgramTables(*(table[..., 1:] - table[..., :1] for table in found))
    return found


def parts_of(config: Config, corpora: Corpora, params: Params, frozen: Params) -> list[NetworkPart]:
    """The parts of a run's network.

    Args:
      config: The config of the run.
      corpora: Its vocabulary and classes.
      params: The trained weights, with a leading axis L, the lanes.
      frozen: The weights that are not trained, in the same layout.
    """
    words, classes = corpora.tokenizer.get_vocab_size(), len(corpora.classes.names)
    model = TextClassifier(config.model, words, classes, unknown_id(corpora.tokenizer))
    of_lane = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), {"params": params, "frozen": frozen}
    )
    return network_parts(model, of_lane)


def checkpoint_bytes(config: Config, corpora: Corpora) -> int:
    """Bytes of one lane's checkpoint: its state and its best weights."""
    functions = experiment(config, classifier(config, corpora), total_steps=1)
    state = jax.eval_shape(functions.init, np.uint32(0), {k: np.float32(v) for k, v in configs.hparams(config).items()})
    kept = (state, jax.eval_shape(evaluated_variables, state))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(kept))
