"""Looking inside a trained LSTM or GRU while it reads one text."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.characters import printable
from lstm_jax.data import flat_corpus
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.tokenizer import PADDING, tokens_of
from lstm_jax.errors import UserError
from lstm_jax.evaluation.predictions import TextsRead, probabilities, read_texts
from lstm_jax.models.classifier import matmul_dtype
from lstm_jax.reports import gates, plots
from lstm_jax.training.restore import Trained
from lstm_jax.types import HostArray


def explain(trained: Trained, text: str) -> Path:
    """Writes the picture of ``explain_figure`` into the run's folder of plots; returns its path.

    Raises:
      UserError: The layers are neither LSTMs nor GRUs, or the text is no valid Unicode.
    """
    path = trained.workdir / "plots" / f"{trained.named('explain')}.png"
    plots.save(explain_figure(trained, text), path)
    return path


def explain_figure(trained: Trained, text: str) -> Any:
    """Draws gates and state of the first layer over the tokens of a text, and the prediction while they are read.

    All tokens that the network reads are drawn, and both directions of a bidirectional layer. With several lanes, the
    gates are those of the first lane, and the predictions are means over the lanes. With two classes, the probability
    is that of the second one, otherwise that of the class that is predicted.

    Returns:
      A Matplotlib figure.

    Raises:
      UserError: The layers are neither LSTMs nor GRUs, or the text is no valid Unicode.
    """
    config = trained.config.model
    if config.layer not in ("lstm", "gru"):
        raise UserError(f"--explain draws the gates of an LSTM or a GRU; the layers of this run are {config.layer!r}")
    read = read_texts(trained, [text])
    so_far = _every_beginning(trained, read.examples)
    names = trained.classes.names
    shown = int(so_far[-1].argmax()) if len(names) > 2 else len(names) - 1
    alone = _every_token(trained, read.examples)
    return gates.draw_gates(
        _directions(trained, read.examples),
        tokens_of(trained.tokenizer, read.examples.tokens),
        gates.Predictions(names[shown], so_far[:, shown], alone[:, shown]),
        _heading(trained, read, so_far[-1]),
        trained.tokenizer.model.unk_token,
    )


def _directions(trained: Trained, example: FlatCorpus) -> dict[str, gates.GateTrace | gates.GRUTrace]:
    """Gates and state of the first layer of the first lane, by direction."""
    config = trained.config.model
    variables = jax.tree.map(lambda leaf: leaf[0], trained.variables)
    embedded: Any = trained.model.apply(variables, jnp.asarray(example.tokens)[:, None], method="embed")
    layer = variables["params"]["layers"]["cells"][0]
    directions = layer._asdict() if config.bidirectional else {"forward": layer}
    return {
        name: gates.record_gates(
            params, embedded[:, 0], config.segment, matmul_dtype(config), reverse=name == "backward"
        )
        for name, params in directions.items()
    }


def _every_beginning(trained: Trained, example: FlatCorpus) -> HostArray:
    """Class probabilities ``[T, C]`` of the example's first token, its first two tokens, and so on."""
    tokens = example.tokens.tolist()
    # Compiling takes longer than the forward passes, so one program serves all lengths. It does one step in a call,
    # since a call is filled up with empty batches.
    train = dataclasses.replace(trained.config.train, buckets=1, steps_per_call=1)
    once = trained._replace(config=dataclasses.replace(trained.config, train=train))
    return probabilities(once, flat_corpus.from_ids([tokens[: n + 1] for n in range(len(tokens))]))


def _every_token(trained: Trained, example: FlatCorpus) -> HostArray:
    """Class probabilities ``[T, C]`` from every token's outputs by themselves; means over the lanes."""
    model, tokens = trained.model.clone(every_step=True), jnp.asarray(example.tokens)[:, None]

    def of_lane(variables: Any) -> jax.Array:
        logits: Any = model.apply(variables, tokens, jnp.array([len(tokens)]))
        return jax.nn.softmax(logits[:, 0], axis=-1)

    return np.asarray(jax.lax.map(of_lane, trained.variables)).mean(axis=0)


def _heading(trained: Trained, read: TextsRead, found: HostArray) -> list[str]:
    """What is predicted, what is drawn, and what of the text is read."""
    config, lanes, best = trained.config.model, trained.lanes, int(found.argmax())
    mean = f" (mean of {lanes} lanes)" if lanes > 1 else ""
    layer = f"the {config.layer.upper()} layer" if config.layers == 1 else f"the first of {config.layers} layers"
    lane = f", in the first of {lanes} lanes" if lanes > 1 else ""
    restart = f"; it restarts every {config.segment:,} tokens" if config.segment else ""
    return [
        f"prediction: {printable(trained.classes.names[best])}, {found[best]:.1%}{mean}",
        f"gates and state of {layer}{lane}, each line a unit{restart}",
        _tokens_read(trained, read),
    ]


def _tokens_read(trained: Trained, read: TextsRead) -> str:
    """How many tokens are read, which ones if the text is truncated, and how many are unknown or padding."""
    config, ids = trained.config.data.tokens, read.examples.tokens
    padding = int((ids == PADDING).sum())
    kept = len(ids) - padding
    text = f"{kept:,} token{'s' * (kept != 1)}"
    if truncated := int(read.truncated[0]):
        first = {"head": kept, "tail": 0, "both": kept // 2}[config.truncation]
        ends = [f"the {end} {count:,}" for end, count in (("first", first), ("last", kept - first)) if count]
        text = f"{' and '.join(ends)} of {kept + truncated:,} tokens, {truncated:,} truncated"
    unknown = trained.tokenizer.model.unk_token
    if count := tokens_of(trained.tokenizer, ids).count(unknown):
        text += f"; {count:,} unknown ({unknown}, in red)"
    removed = int(read.tokens[0] - read.truncated[0]) - kept
    text += f"; {removed:,} unknown removed" if removed > 0 else ""
    return text + (f"; {padding:,} of padding before them" if padding else "")
