"""From a data config to corpora: the training, validation and test examples as flat arrays of token ids."""

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import datasets
import numpy as np
from tokenizers import Tokenizer

from lstm_jax.config import DataConfig, TokensConfig
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.examples import CLASS_COUNTS, load_examples, schema_of
from lstm_jax.data.sources import SPLITS, UNLABELLED
from lstm_jax.data.splits import Splits, select
from lstm_jax.data.tokenizer import (
    PADDING,
    encode_dataset,
    learn_vocabulary,
    pretokenize_dataset,
    unknown_id,
)
from lstm_jax.errors import UserError
from lstm_jax.registry import VECTORS
from lstm_jax.types import HostArray

BLOCK = 20_000  # Number of examples whose tokens are copied at a time.

Stage = Callable[[str], contextlib.AbstractContextManager]


class Corpora(NamedTuple):
    """The examples of a run.

    Attributes:
      train: Training examples, as the network reads them.
      validation: Validation examples, in the same form.
      test: Test examples, in the same form.
      tokenizer: The tokenizer, whose vocabulary has V tokens.
      classes: Number of classes, C.
      whole: Training and unlabelled texts, untruncated, if initial vectors are learned from them; otherwise ``None``.
    """

    train: FlatCorpus
    validation: FlatCorpus
    test: FlatCorpus
    tokenizer: Tokenizer
    classes: int
    whole: FlatCorpus | None


def lengths(corpus: FlatCorpus) -> HostArray:
    """The number of tokens of each example, ``[N]``."""
    return np.diff(corpus.offsets)


def prepare(config: DataConfig, tokenizer: Tokenizer | None = None, stage: Stage = contextlib.nullcontext) -> Corpora:
    """Loads, selects, tokenizes and truncates the examples of a config.

    Args:
      config: The source, and how its texts are read.
      tokenizer: Tokenizer of a trained run. Without it a vocabulary is learned from the training examples alone, or
        from all examples if the config fits class frequencies on all.
      stage: Called with the name of each stage; the context manager that it returns is open during the stage.

    Raises:
      UserError: The source cannot be read or is invalid, or a split would be empty.
    """
    datasets.disable_progress_bars()
    learns_vectors = tokenizer is None and VECTORS[config.vectors.source].reads_text
    with stage("reading"):
        source = load_examples(config, unlabelled=learns_vectors)
    with stage("selecting"):
        splits, rest = select(source, config)
        if not learns_vectors:
            source, splits = _used(source, splits)
    with stage("finding tokens"):
        source = {split: pretokenize_dataset(dataset, config.tokens) for split, dataset in source.items()}
    if tokenizer is None:
        with stage("learning the vocabulary"):
            tokenizer = _vocabulary(source, splits, config)
    flat = {}
    for split, dataset in source.items():
        with stage("encoding"):
            encoded = encode_dataset(dataset, tokenizer)
        flat[split] = flatten(encoded)
    del source, dataset, encoded  # Open datasets keep their files mapped in memory.
    classes = _class_count(np.concatenate([flat[split].labels for split in SPLITS if split in flat]), config)
    whole = None
    if learns_vectors:
        drawn_from, rows = splits["train"]
        unlabelled = [flat[UNLABELLED]] if UNLABELLED in flat else []
        own = [take(flat[drawn_from], rows), take(flat["train"], rest), *unlabelled]
        whole = join([*own, *_more_text(config, tokenizer)])
    train, validation, test = (
        prepare_examples(take(flat[drawn_from], rows), config.tokens, unknown_id(tokenizer))
        for drawn_from, rows in (splits[split] for split in SPLITS)
    )
    return Corpora(train, validation, test, tokenizer, classes, whole)


def _used(source: Any, splits: Splits) -> tuple[Any, Splits]:
    """The rows of the source that are in a split, so that no time is spent on the others."""
    rows, used = {}, {}
    for name, dataset in source.items():
        rows[name] = np.sort(np.concatenate([own for drawn_from, own in splits.values() if drawn_from == name]))
        everything = len(rows[name]) == len(dataset)  # It then keeps its fingerprint, and so its cache entry.
        used[name] = dataset if everything else dataset.select(rows[name])
    return used, {split: (name, np.searchsorted(rows[name], own)) for split, (name, own) in splits.items()}


def _more_text(config: DataConfig, tokenizer: Tokenizer) -> list[FlatCorpus]:
    """Training and unlabelled texts of an additional source that vectors are learned from."""
    asked = config.vectors
    if not asked.more_text:
        return []
    other = DataConfig(
        source=asked.more_text,
        path=asked.more_path,
        category=config.category,
        titles=config.titles,
        bad_rows=config.bad_rows,
    )
    try:
        found = load_examples(other, unlabelled=True)
    except UserError as error:
        where = "for config.data.vectors.more_text; set its path by --config.data.vectors.more_path"
        raise UserError(f"{error} ({where})") from None
    chosen = [found[split] for split in ("train", UNLABELLED) if split in found]
    return [flatten(encode_dataset(pretokenize_dataset(each, config.tokens), tokenizer)) for each in chosen]


def texts(config: DataConfig, split: str) -> tuple[list[str], HostArray]:
    """The texts of a split, not tokenized, and their labels ``[N]``."""
    source = load_examples(config)
    source_split, rows = select(source, config).splits[split]
    table = source[source_split].data.table.take(rows)
    return table.column("text").to_pylist(), np.asarray(table.column("label"), np.int32)


def _vocabulary(source: Any, splits: Splits, config: DataConfig) -> Tokenizer:
    leaking = config.vectors.source == "class_frequency" and config.vectors.fit_on == "all"
    counted = splits.values() if leaking else [splits["train"]]
    chosen = [source[drawn_from].select(np.sort(rows)) for drawn_from, rows in counted]
    blocks = (batch["text"] for dataset in chosen for batch in dataset.iter(batch_size=1000))
    return learn_vocabulary(blocks, " ".join(dataset._fingerprint for dataset in chosen), config.tokens)


def _class_count(labels: HostArray, config: DataConfig) -> int:
    by_map = CLASS_COUNTS.get(schema_of(config).classes)
    classes = by_map or int(labels.max()) + 1
    if classes < 2:
        raise UserError("all reviews have the label 0; a classifier needs reviews of at least two classes")
    missing = np.setdiff1d(np.arange(min(classes, len(labels) + 1)), labels)
    if not by_map and len(missing):
        raise UserError(
            f"labels go up to {labels.max()}, but none is {missing[0]}; number the classes 0, 1, 2, … without gaps"
        )
    return classes


def flatten(dataset: datasets.Dataset) -> FlatCorpus:
    """The columns ``ids`` and ``label`` as flat arrays, taken directly from Arrow's buffers."""
    column = dataset.data.column("ids").combine_chunks()
    return FlatCorpus(
        tokens=np.asarray(column.flatten(), np.int32),
        offsets=np.concatenate([[0], np.cumsum(np.asarray(column.value_lengths(), np.int64))]),
        labels=np.asarray(dataset.data.column("label"), np.int32),
    )


def join(corpora: list[FlatCorpus]) -> FlatCorpus:
    """The examples of several corpora, one corpus after the other."""
    counts = np.concatenate([lengths(corpus) for corpus in corpora])
    return FlatCorpus(
        tokens=np.concatenate([corpus.tokens for corpus in corpora]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        labels=np.concatenate([corpus.labels for corpus in corpora]),
    )


def from_ids(ids: list[list[int]]) -> FlatCorpus:
    """A corpus of unlabelled texts given as token ids."""
    return FlatCorpus(
        tokens=np.concatenate([np.asarray(text, np.int32) for text in ids]),
        offsets=np.concatenate([[0], np.cumsum([len(text) for text in ids])]),
        labels=np.zeros(len(ids), np.int32),
    )


def take(corpus: FlatCorpus, rows: HostArray) -> FlatCorpus:
    """The examples with the given numbers, in the order of the numbers."""
    starts = corpus.offsets[:-1][rows]
    return _slices(corpus, starts, lengths(corpus)[rows], corpus.labels[rows])


def prepare_examples(corpus: FlatCorpus, config: TokensConfig, unknown: int) -> FlatCorpus:
    """Examples as the network reads them: truncated and, if asked, without unknown tokens or padded on the left.

    Args:
      corpus: The examples.
      config: Truncation, padding and removal of unknown tokens.
      unknown: The id of tokens outside the vocabulary.
    """
    if config.remove_unknown:
        corpus = remove_token(corpus, unknown)
    corpus = truncate(corpus, config.max_length, config.truncation)
    return pad_left(corpus, config.max_length) if config.pad_left else corpus


def remove_token(corpus: FlatCorpus, token: int) -> FlatCorpus:
    """Removes a token from all examples. An example that holds no other token keeps it once."""
    kept = corpus.tokens != token
    counts = np.add.reduceat(kept, corpus.offsets[:-1], dtype=np.int64)
    kept[corpus.offsets[:-1][counts == 0]] = True
    return FlatCorpus(corpus.tokens[kept], np.concatenate([[0], np.cumsum(np.maximum(counts, 1))]), corpus.labels)


def truncate(corpus: FlatCorpus, length: int, keep: str) -> FlatCorpus:
    """Examples of at most ``length`` tokens.

    Args:
      corpus: The examples.
      length: The maximum number of tokens that an example keeps.
      keep: Which tokens a longer example keeps: the first (``head``), the last (``tail``), or half of each (``both``).
    """
    full = lengths(corpus)
    if full.max(initial=0) <= length:
        return corpus
    short = np.minimum(full, length)
    starts = corpus.offsets[:-1]
    if keep == "both":
        return _slices(corpus, starts, short, corpus.labels, skip_after=length // 2, skip=full - short)
    return _slices(corpus, starts + (full - short) * (keep == "tail"), short, corpus.labels)


def pad_left(corpus: FlatCorpus, length: int) -> FlatCorpus:
    """Pads examples on the left to exactly ``length`` tokens; none may be longer."""
    full = lengths(corpus)
    last = np.cumsum(np.full(len(full), length))
    table = np.full(len(full) * length, PADDING, np.int32)
    table[np.repeat(last - full, full) + (np.arange(len(corpus.tokens)) - np.repeat(corpus.offsets[:-1], full))] = (
        corpus.tokens
    )
    return FlatCorpus(table, np.concatenate([[0], last]), corpus.labels)


def _slices(
    corpus: FlatCorpus, starts: Any, counts: Any, labels: Any, skip_after: int = 0, skip: Any = 0
) -> FlatCorpus:
    """Examples of ``counts`` tokens from ``starts`` on; ``skip`` tokens are left out after ``skip_after``."""
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    tokens = np.empty(offsets[-1], np.int32)
    skip = np.broadcast_to(skip, counts.shape)
    for first in range(0, len(counts), BLOCK):  # The positions of all tokens at once would take too much memory.
        block = slice(first, first + BLOCK)
        begin, own = offsets[:-1][block], counts[block]
        end = begin[-1] + own[-1]
        positions = np.arange(begin[0], end) + np.repeat(starts[block] - begin, own)
        if skip_after:
            within = np.arange(begin[0], end) - np.repeat(begin, own)
            positions += np.where(within >= skip_after, np.repeat(skip[block], own), 0)
        tokens[begin[0] : end] = corpus.tokens[positions]
    return FlatCorpus(tokens, offsets, np.asarray(labels, np.int32))


def corpora_fingerprint(corpora: Corpora) -> str:
    """A digest of the training and validation examples and the vocabulary; a run resumes only if it is the same."""
    content = hashlib.sha256(corpora.tokenizer.to_str().encode())
    for corpus in (corpora.train, corpora.validation):
        for array in corpus:
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]
