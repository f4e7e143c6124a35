"""Looking inside a trained network while it reads one review."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.data import corpus
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.tokenizer import tokens_of
from lstm_jax.errors import UserError
from lstm_jax.evaluation import figures as evaluation
from lstm_jax.models.classifier import matmul_dtype
from lstm_jax.reports import gates
from lstm_jax.types import Params


def explain(trained: evaluation.Trained, text: str) -> Path:
    """Draws the gates and the cell state of the first layer over the words of a review, into ``plots``.

    Of several lanes the first is drawn, beside the verdict of all.

    Raises:
      UserError: the network is of another kind than LSTM.
    """
    if trained.config.model.layer != "lstm":
        raise UserError(f"--explain draws the gates of an LSTM; this run's cell is {trained.config.model.layer!r}")
    review = evaluation.corpus_of(trained, [text])
    variables = jax.tree.map(lambda leaf: leaf[0], trained.variables)
    table = variables["params" if trained.config.model.train_embedding else "frozen"]["embedding"]
    first_layer = variables["params"]["layers"]["cells"][0]
    forward = first_layer.forward if trained.config.model.bidirectional else first_layer
    model = trained.config.model
    inside = gates.look_inside(forward, table[review.tokens], model.segment, matmul_dtype(model))
    parts = [review.tokens[: n + 1].tolist() for n in range(len(review.tokens))]
    verdicts = gates.Verdicts(
        trained.classes[-1],
        so_far=evaluation.probabilities(trained, corpus.from_ids(parts))[:, -1],
        by_itself=np.asarray(_every_step(trained, variables, review))[:, -1],
    )
    path = trained.workdir / "plots" / "explain.png"
    title = "first layer" + (", forward direction" if trained.config.model.bidirectional else "")
    gates.picture(inside, tokens_of(trained.tokenizer, review.tokens), verdicts, title, path)
    return path


def _every_step(trained: evaluation.Trained, variables: Params, review: FlatCorpus) -> jax.Array:
    """Class probabilities ``[T, C]`` of every step's outputs by themselves."""
    model, words = trained.model.clone(every_step=True), jnp.asarray(review.tokens)[:, None]
    logits: Any = model.apply(variables, words, jnp.array([len(words)]))
    return jax.nn.softmax(logits[:, 0], axis=-1)


def as_read(trained: evaluation.Trained, text: str) -> str:
    """A review as the network reads it: its words after tokenising and cutting, unknown ones marked."""
    return " ".join(tokens_of(trained.tokenizer, evaluation.corpus_of(trained, [text]).tokens))
