"""Looking inside trained recurrent layers while they read one text."""

import dataclasses
from collections.abc import Iterator, Sequence
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
from lstm_jax.layers import segmented
from lstm_jax.layers.make import layers_with_gates
from lstm_jax.models.classifier import directions, recurrent_layers
from lstm_jax.reports import gates, plots
from lstm_jax.training.restore import Trained
from lstm_jax.types import HostArray


def explain(trained: Trained, text: str) -> list[Path]:
    """Writes a picture of each layer, by ``explain_figure``, into the run's folder of plots; returns their paths.

    Raises:
      UserError: The layers have no gates, or the text is no valid Unicode.
    """
    numbers = range(1, trained.config.model.layers + 1)
    name = trained.named("explain")
    paths = [trained.workdir / "plots" / (f"{name}.png" if n == 1 else f"{name}-{n}.png") for n in numbers]
    for path, figure in zip(paths, _figures(trained, text, numbers), strict=True):
        plots.save(figure, path)
    return paths


def explain_figure(trained: Trained, text: str, layer: int = 1) -> Any:
    """Draws what a layer has in ``Layer.gates`` over the tokens of a text, and the prediction while they are read.

    All tokens that the network reads are drawn, and both directions of a bidirectional layer. With several lanes, the
    gates are those of the first lane, and the predictions are means over the lanes. With two classes, the probability
    is that of the second one, otherwise that of the class that is predicted.

    Args:
      trained: The trained network.
      text: The text.
      layer: The number of the layer, from 1, which reads the embedded tokens.

    Returns:
      A Matplotlib figure.

    Raises:
      UserError: There is no such layer, or it has no gates, or the text is no valid Unicode.
    """
    if not 1 <= layer <= trained.config.model.layers:
        raise UserError(f"there is no layer {layer}; this run has layers 1 to {trained.config.model.layers}")
    return next(_figures(trained, text, [layer]))


def _figures(trained: Trained, text: str, numbers: Sequence[int]) -> Iterator[Any]:
    """The figure of each layer of these numbers. They share the predictions, which take longest."""
    config = trained.config.model
    if any(layer.gates is None for layer in directions(config).values()):
        raise UserError(
            f"gates are drawn over a text, and the layer {config.layer!r} of this run has none; layers with gates: "
            f"{', '.join(map(repr, layers_with_gates()))}"
        )
    read = read_texts(trained, [text])
    so_far = _every_beginning(trained, read.examples)
    names = trained.classes.names
    shown = int(so_far[-1].argmax()) if len(names) > 2 else len(names) - 1
    alone = _every_token(trained, read.examples)
    for number in numbers:
        yield gates.draw_gates(
            _traces(trained, read.examples, number),
            tokens_of(trained.tokenizer, read.examples.tokens),
            gates.Predictions(names[shown], so_far[:, shown], alone[:, shown]),
            _heading(trained, read, so_far[-1], number),
            trained.tokenizer.model.unk_token,
        )


def _traces(trained: Trained, example: FlatCorpus, number: int) -> dict[str, gates.Trace]:
    """What a layer of the first lane shows of a text, by direction."""
    config = trained.config.model
    variables = jax.tree.map(lambda leaf: leaf[0], trained.variables)
    x: Any = trained.model.apply(variables, jnp.asarray(example.tokens)[:, None], method="embed")
    lengths, weights = jnp.array([len(x)]), variables["params"]["layers"]["cells"]
    if number > 1:
        below = recurrent_layers(dataclasses.replace(config, layers=number - 1))
        x, _ = below.apply(weights[: number - 1], x, lengths)
    own = weights[number - 1]
    found: dict[str, gates.Trace] = {}
    for direction, layer in directions(config).items():
        layer = segmented(layer, config.segment) if config.segment else layer
        assert layer.gates is not None
        seen = layer.gates(getattr(own, direction) if config.bidirectional else own, x, lengths)
        found[direction] = {name: np.asarray(array)[:, 0] for name, array in seen.items()}
    return found


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


def _heading(trained: Trained, read: TextsRead, found: HostArray, number: int) -> list[str]:
    """What is predicted, what is drawn, and what of the text is read."""
    config, lanes, best = trained.config.model, trained.lanes, int(found.argmax())
    mean = f" (mean of {lanes} lanes)" if lanes > 1 else ""
    kind = printable(config.layer)
    layer = f"the {kind} layer" if config.layers == 1 else f"{kind} layer {number} of {config.layers}"
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
