"""A walk through a config without training: its data, one example, one layer, and the network with its outputs."""

import dataclasses
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import runtime
from lstm_jax.characters import printable
from lstm_jax.config import Config
from lstm_jax.data import corpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.flat_corpus import take
from lstm_jax.data.sources import SPLITS
from lstm_jax.data.summary import summarize
from lstm_jax.data.tokenizer import PADDING, first_token_id, split_text, tokens_of
from lstm_jax.layers import Layer, make_layer
from lstm_jax.models.classifier import TextClassifier, recurrent_layers
from lstm_jax.models.parts import network_parts
from lstm_jax.objectives.classification import last_logits
from lstm_jax.reports import tables
from lstm_jax.reports.plots import shortened
from lstm_jax.training.experiment import experiment, network_params
from lstm_jax.training.network import classifier
from lstm_jax.types import HostArray, Params

TOUR_WIDTH = 100  # Maximum number of columns of a line.
FEATURES, UNITS, STEPS = 5, 10, 3  # Sizes of the layer whose values are printed.
LONGEST_WORD = 40  # The number of characters from which a word loses its middle.
SHOWN_TOKENS = 30  # The example that is shown has about so many tokens; of a longer one, twice as many are shown.
PERCENTILES = (0, 10, 25, 50, 75, 90, 100)
_STATES = {"c": "cell state", "h": "hidden state", "": "state"}


class ShownReview(NamedTuple):
    """A training example.

    Attributes:
      number: Its number among the training examples, from 0.
      ids: Its token ids as the network reads them, ``[T]``.
      label: The name of its class.
    """

    number: int
    ids: HostArray
    label: str


def tour(config: Config) -> Iterator[str]:
    """Yields the sections of the walk as text of at most 100 columns. Nothing is trained or written.

    Args:
      config: The config, validated.

    Raises:
      UserError: The data are invalid or cannot be read.
    """
    corpora = corpus.prepare(config.data)
    review = _shown_review(corpora)
    yield _section("The data", _data(config, corpora))
    yield _section("One example", _example(config, corpora, review))
    yield _section("One layer", _layer(config))
    model = classifier(config, corpora)
    weights = jax.jit(experiment(config, model, total_steps=1).weights)(config.seed)
    variables = {"params": weights["params"], "frozen": weights.get("frozen", {})}
    yield _section("The network", _network(config, model, variables))
    yield _section("Many-to-many and many-to-one", _outputs(config, corpora, model, variables, review))


def _section(title: str, lines: Iterator[str]) -> str:
    return "\n".join([title, "=" * len(title), *lines, ""])


def _data(config: Config, corpora: Corpora) -> Iterator[str]:
    tokens, first = config.data.tokens, first_token_id(corpora.tokenizer)
    size = corpora.tokenizer.get_vocab_size()
    yield from _said("Examples of each split with the shares of their classes, and of tokens outside the vocabulary.")
    yield tables.splits({split: own._asdict() for split, own in summarize(corpora).items()})
    yield from _said(
        f"Lengths of the examples in tokens, the share of examples that are truncated to {tokens.max_length:,} tokens, "
        "and the numbers of all tokens and of unknown ones.",
        blank=True,
    )
    heads = [{0: "least", 100: "most"}.get(q, f"{q} %") for q in PERCENTILES]
    yield f"{'split':<12}" + "".join(f"{head:>7}" for head in heads) + f"{'truncated':>11}{'tokens':>14}{'unknown':>14}"
    for split in SPLITS:
        (unknown, whole), counts = corpora.unknown[split].sum(axis=0), corpora.unknown[split][:, 1]
        found = np.percentile(counts, PERCENTILES, method="inverted_cdf").astype(int)
        longer = (counts > tokens.max_length).mean()
        numbers = f"{longer:>11.1%}{whole:>14,}{unknown:>14,}"
        yield f"{split:<12}" + "".join(f"{each:>7,}" for each in found) + numbers
    yield from _said(
        "Every token has an id: special tokens first, then words from the most frequent to the rarest.", blank=True
    )
    ids = [*range(min(first + 5, size)), *range(max(size - 2, first + 5), size)]
    shown = [f"{n} {token!r}" for n, token in zip(ids, tokens_of(corpora.tokenizer, ids), strict=True)]
    yield from _said(f"{size:,} tokens: {', '.join(shown)}")


def _shown_review(corpora: Corpora) -> ShownReview:
    """The training example whose length is nearest to ``SHOWN_TOKENS``."""
    number = int(np.abs(corpora.unknown["train"][:, 1] - SHOWN_TOKENS).argmin())
    one = take(corpora.train, np.array([number]))
    return ShownReview(number, one.tokens, corpora.classes.names[one.labels[0]])


def _example(config: Config, corpora: Corpora, review: ShownReview) -> Iterator[str]:
    text = corpus.rows_of(config.data, "train", corpora.classes, ("text",))["text"][review.number].as_py()
    pieces = split_text(corpora.tokenizer, text, config.data.tokens)
    most = 2 * SHOWN_TOKENS
    yield from _said(f"Training example {review.number:,}, of class {review.label!r}, as it is in the data.")
    yield from _said(textwrap.shorten(text, 5 * TOUR_WIDTH, placeholder=" …"), indent=4)
    yield from _said(f"Split into {len(pieces):,} tokens.", blank=True)
    yield from _said(" | ".join(pieces[:most]) + (" | …" if len(pieces) > most else ""), indent=4)
    padding = int((review.ids == PADDING).sum())
    ids = review.ids[review.ids != PADDING]
    front = f", after {padding:,} of padding," if padding else ""
    yield from _said(
        f"The {len(ids):,} ids that the network reads{front} and the words that they stand for.", blank=True
    )
    yield from _aligned([str(n) for n in ids[:most]], tokens_of(corpora.tokenizer, ids[:most]))
    if len(ids) > most:
        yield f"    … and {len(ids) - most:,} more"


def _layer(config: Config) -> Iterator[str]:
    """Shapes of a small layer and of the config's first layer, and values of the small one."""
    own, own_batch = config.model, config.train.batch_size
    small = make_layer(own.layer, UNITS)
    first = recurrent_layers(dataclasses.replace(own, layers=1))
    walks = [
        _walk(layer, features, batch, steps)
        for layer, features, batch in ((small, FEATURES, 1), (first, own.embedding_size, own_batch))
        for steps in (1, STEPS)
    ]
    yield from _said(
        f"Shapes when a layer {own.layer!r} reads one step and {STEPS} steps, for T steps of B examples: one with "
        f"D = {FEATURES} features and H = {UNITS} units, then the first layer of this config with its batches. The "
        "state goes from step to step; there is an output at every step, and the last one is taken for a whole text."
    )
    letters = {"input": "[T, B, D]", "output": "[T, B, H]"}
    names = ["input", *dict.fromkeys(name for each in walks for name in each.state), "output", "last output"]
    yield f"{'':<36}{f'D = {FEATURES}, H = {UNITS}':<32}of this config"
    yield f"{'':<36}" + "".join(f"{head:<16}" for head in ["one step", f"{STEPS} steps"] * 2).rstrip()
    for name in names:
        shapes = [each.shapes.get(name) for each in walks]
        matrices = {len(shape) for shape in shapes if shape} == {2}
        shown = "".join(f"{shape or '–'!s:<16}" for shape in shapes)
        yield f"{name:<24}{letters.get(name, '[B, H]' if matrices else '[B, …]'):<12}{shown.rstrip()}"
    y, one_by_one = jax.jit(lambda: _read(small))()
    far = float(jnp.abs(one_by_one - y).max())
    yield from _said(
        f"The last output of the small layer, with random weights and inputs. Reading one step after the other, each "
        f"from the state of the step before, gives the same outputs; the largest difference is {far:.1g}.",
        blank=True,
    )
    yield "    " + "  ".join(f"{value:.4f}" for value in y[-1, 0])


class Walk(NamedTuple):
    """What a layer reads and returns."""

    state: list[str]  # The names of the arrays of its state.
    shapes: dict[str, list[int]]


def _walk(layer: Layer, features: int, batch: int, steps: int) -> Walk:
    """The shapes of a layer's inputs, outputs and final state, which the layer gives when it is traced."""
    key, x = jax.eval_shape(lambda: (jax.random.key(0), jnp.zeros((steps, batch, features))))
    params = jax.eval_shape(lambda key: layer.init(key, features), key)
    y, state = jax.eval_shape(layer.apply, params, x, jax.ShapeDtypeStruct((batch,), jnp.int32))
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        keys = jax.tree_util.keystr(path, simple=True, separator=".").split(".")
        words = [_STATES.get(key, key) for key in keys if not key.isdigit()]
        found[" ".join(words) or "state"] = leaf.shape
    last = jax.eval_shape(lambda y: y[-1], y)
    shapes = {"input": x.shape, **found, "output": y.shape, "last output": last.shape}
    return Walk(list(found), {name: list(shape) for name, shape in shapes.items()})


def _read(layer: Layer) -> tuple[jax.Array, jax.Array]:
    """The outputs of a layer for random steps, ``[T, 1, H]``: read at once, and one after the other."""
    params, x = layer.init(jax.random.key(0), FEATURES), jax.random.normal(jax.random.key(1), (STEPS, 1, FEATURES))
    y, _ = layer.apply(params, x, jnp.full(1, STEPS))
    state, outputs = None, []
    for step in range(STEPS):
        alone, state = layer.apply(params, x[step : step + 1], jnp.ones(1, jnp.int32), None, state)
        outputs.append(alone)
    return y, jnp.concatenate(outputs)


def _network(config: Config, model: TextClassifier, variables: Params) -> Iterator[str]:
    yield from _said(f"It computes on {runtime.machine()}.")
    yield from _said(
        "Its parts, from token ids to logits, with what each returns and the weights to train.", blank=True
    )
    yield tables.summary(network_parts(model, variables))


def _outputs(
    config: Config, corpora: Corpora, model: TextClassifier, variables: Params, review: ShownReview
) -> Iterator[str]:
    tokens, lengths_ = jnp.asarray(review.ids)[:, None], jnp.array([len(review.ids)])
    network = {"params": network_params(variables["params"]), "frozen": variables["frozen"]}
    models = model.clone(every_step=True), model
    every, one = jax.jit(lambda *given: [each.apply(*given) for each in models])(network, tokens, lengths_)
    yield from _said("Logits of the example above, for [T, B, C] steps, examples and classes, before any training.")
    yield f"{list(every.shape)!s:<14}many-to-many: at every step from its output alone, as for text generation"
    decided = f"from the outputs by the pooling {config.model.pooling!r}"
    if config.model.pooling == "every":
        decided = "the last of those that every step gives"
        one = last_logits(one, lengths_)
    yield f"{list(one.shape)!s:<14}many-to-one: one for the whole text, {decided}"
    names = corpora.classes.names
    shares = np.asarray(jax.nn.softmax(one[0]))
    best = int(shares.argmax())
    yield from _said(
        f"With random weights it predicts {names[best]!r}, {shares[best]:.1%}; the class is {review.label!r}. The same "
        "command without --tour trains the network.",
        blank=True,
    )


def _said(text: str, indent: int = 0, blank: bool = False) -> list[str]:
    """A text in lines of at most ``TOUR_WIDTH`` columns, after an empty line if ``blank``."""
    space = " " * indent
    lines = textwrap.wrap(
        printable(text), TOUR_WIDTH, initial_indent=space, subsequent_indent=space, break_on_hyphens=False
    )
    return [""] * blank + lines


def _aligned(*rows: Sequence[str]) -> Iterator[str]:
    """Rows of words in columns, in as many blocks of lines as they need."""
    blocks: list[list[tuple[list[str], int]]] = [[]]
    used = 0
    for each in zip(*rows, strict=True):
        words = [shortened(printable(word), LONGEST_WORD) for word in each]
        width = max(map(_columns, words)) + 1
        if used + width > TOUR_WIDTH - 4:
            blocks.append([])
            used = 0
        blocks[-1].append((words, width))
        used += width
    for block in blocks:
        for n in range(len(rows)):
            yield "    " + "".join(words[n] + " " * (width - _columns(words[n])) for words, width in block).rstrip()


def _columns(text: str) -> int:
    """The number of columns of a text on a terminal."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)
