"""Looking inside a trained LSTM while it reads one text."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.data import flat_corpus
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.tokenizer import tokens_of
from lstm_jax.errors import UserError
from lstm_jax.evaluation.predictions import probabilities, read_texts
from lstm_jax.models.classifier import matmul_dtype
from lstm_jax.reports import gates, plots
from lstm_jax.training.restore import Trained
from lstm_jax.types import Params


def explain(trained: Trained, text: str) -> Path:
    """Writes the picture of ``explain_figure`` into the run's folder of plots; returns its path.

    Raises:
      UserError: The layers are not LSTMs, or the text is no valid Unicode.
    """
    path = trained.workdir / "plots" / "explain.png"
    plots.save(explain_figure(trained, text), path)
    return path


def explain_figure(trained: Trained, text: str) -> Any:
    """Draws the gates and the cell state of the first layer over the tokens of a text, as a Matplotlib figure.

    With several lanes, the gates are those of the first lane, and the prediction after each token is that of all.

    Raises:
      UserError: The layers are not LSTMs, or the text is no valid Unicode.
    """
    config = trained.config.model
    if config.layer != "lstm":
        raise UserError(f"--explain draws the gates of an LSTM; the layers of this run are {config.layer!r}")
    example = read_texts(trained, [text]).examples
    variables = jax.tree.map(lambda leaf: leaf[0], trained.variables)
    embedded: Any = trained.model.apply(variables, jnp.asarray(example.tokens)[:, None], method="embed")
    first_layer = variables["params"]["layers"]["cells"][0]
    forward = first_layer.forward if config.bidirectional else first_layer
    inside = gates.record_gates(forward, embedded[:, 0], config.segment, matmul_dtype(config))
    beginnings = [example.tokens[: n + 1].tolist() for n in range(len(example.tokens))]
    predictions = gates.Predictions(
        trained.classes.names[-1],
        so_far=probabilities(trained, flat_corpus.from_ids(beginnings))[:, -1],
        by_itself=np.asarray(_every_step(trained, variables, example))[:, -1],
    )
    title = "first layer" + (", forward direction" if config.bidirectional else "")
    return gates.draw_gates(inside, tokens_of(trained.tokenizer, example.tokens), predictions, title)


def _every_step(trained: Trained, variables: Params, example: FlatCorpus) -> jax.Array:
    """Class probabilities ``[T, C]`` of every step's outputs by themselves."""
    model, tokens = trained.model.clone(every_step=True), jnp.asarray(example.tokens)[:, None]
    logits: Any = model.apply(variables, tokens, jnp.array([len(tokens)]))
    return jax.nn.softmax(logits[:, 0], axis=-1)
