"""The embedding of a trained run as a dictionary: a token's vector, its counts by class, and the nearest tokens."""

from typing import NamedTuple

import numpy as np

from lstm_jax.data import corpus
from lstm_jax.data.tokenizer import PADDING, encode, first_token_id, pretokenize, tokens_of, unknown_id
from lstm_jax.errors import UserError
from lstm_jax.training.restore import Trained
from lstm_jax.types import HostArray

NEAREST = 10  # Number of nearest tokens that are shown.


class Word(NamedTuple):
    """What is known about a token.

    Attributes:
      token: The token as the vocabulary has it.
      vector: Its row of the embedding of the first lane, ``[D]``.
      counts: Its number of occurrences in the training examples, by name of the class.
      nearest: The tokens with the most similar vectors, and the cosines of the angles between.
    """

    token: str
    vector: HostArray
    counts: dict[str, int]
    nearest: list[tuple[str, float]]


def embedding_table(trained: Trained, lane: int = 0) -> HostArray:
    """The embedding of a lane for the vocabulary's V tokens in the order of their ids, ``[V, D]``."""
    table = {**trained.variables["frozen"], **trained.variables["params"]}["embedding"]
    return np.asarray(table[lane])[: trained.tokenizer.get_vocab_size()]


def look_up(trained: Trained, word: str) -> Word:
    """The dictionary's entry for a word, which is read like a text: in lower case if the run reads so.

    Raises:
      UserError: The word is no single token, or the vocabulary lacks it, or the training examples cannot be read.
    """
    config, tokenizer = trained.config.data, trained.tokenizer
    ids = [id_ for id_ in encode(tokenizer, pretokenize([word], config.tokens))[0] if id_ >= first_token_id(tokenizer)]
    if unknown_id(tokenizer) in encode(tokenizer, pretokenize([word], config.tokens))[0]:
        raise UserError(
            f"the vocabulary of the run in {trained.workdir} lacks {word!r}; its tokens are in tokenizer.json"
        )
    if len(ids) != 1:
        raise UserError(
            f"{word!r} is read as {len(ids)} tokens, {' '.join(tokens_of(tokenizer, ids))}; give one of them"
        )
    table, own = embedding_table(trained), ids[0]
    train = corpus.prepare(config, tokenizer, trained.classes, quiet=True).train
    labels = np.repeat(train.labels, np.diff(train.offsets))[train.tokens == own]
    counts = np.bincount(labels, minlength=len(trained.classes.names)).tolist()
    cosines = (table @ table[own]) / np.maximum(np.linalg.norm(table, axis=1) * np.linalg.norm(table[own]), 1e-30)
    cosines[[own, PADDING, unknown_id(tokenizer)]] = -np.inf
    order = np.argsort(-cosines, kind="stable")[: min(NEAREST, np.isfinite(cosines).sum())]
    nearest = list(zip(tokens_of(tokenizer, order), cosines[order].tolist(), strict=True))
    token = tokens_of(tokenizer, [own])[0]
    return Word(token, table[own], dict(zip(trained.classes.names, counts, strict=True)), nearest)
