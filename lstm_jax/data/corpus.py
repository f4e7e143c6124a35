"""From a data config to corpora: the training, validation and test reviews as flat arrays of word ids."""

import hashlib
from typing import Any, NamedTuple

import datasets
import numpy as np
from tokenizers import Tokenizer

from lstm_jax.config import LEARNED_FROM_TEXT, DataConfig, TokensConfig
from lstm_jax.data import tokenizer as tokens
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.sources import load as sources
from lstm_jax.data.splits import Parts, select
from lstm_jax.errors import UserError
from lstm_jax.types import HostArray

BLOCK = 20_000  # reviews whose words are copied at a time


class Corpora(NamedTuple):
    """The reviews of a run."""

    train: FlatCorpus
    validation: FlatCorpus
    test: FlatCorpus
    tokenizer: Tokenizer
    classes: int  # C
    whole: FlatCorpus | None  # training and unlabelled reviews, uncut, where word vectors are learned from them


def lengths(corpus: FlatCorpus) -> HostArray:
    """``[N]`` words of each review."""
    return np.diff(corpus.offsets)


def prepare(config: DataConfig, tokenizer: Tokenizer | None = None) -> Corpora:
    """Loads, selects, tokenises and cuts the reviews of a config.

    The vocabulary is learned from the training part alone, unless a tokeniser is given or the word vectors are
    counted over all reviews.

    Raises:
      UserError: something about the source is at fault, or a part would be empty.
    """
    datasets.disable_progress_bars()
    learn_vectors = tokenizer is None and config.vectors.source in LEARNED_FROM_TEXT
    source = sources.load(config, unlabelled=learn_vectors)
    parts, rest = select(source, config)
    if not learn_vectors:
        source, parts = _used(source, parts)
    source = datasets.DatasetDict({split: tokens.prepared(part, config.tokens) for split, part in source.items()})
    if tokenizer is None:
        leaking = config.vectors.source == "class_frequency" and config.vectors.fit_on == "all"
        counted = parts if leaking else {"train": parts["train"]}
        tokenizer = _vocabulary(source, counted, config)
    flat = {split: flatten(tokens.tokenised(part, tokenizer)) for split, part in source.items()}
    del source  # the text, whose files lie in memory while they are open
    labels = np.concatenate([corpus.labels for split, corpus in flat.items() if split in sources.SPLITS])
    classes = _class_count(labels, config)
    shown = {
        part: shaped(take(flat[split], own), config.tokens, tokens.unknown(tokenizer))
        for part, (split, own) in parts.items()
    }
    whole = None
    if learn_vectors:
        split, own = parts["train"]
        unlabelled = [flat[name] for name in (sources.UNLABELLED,) if name in flat]
        whole = join([take(flat[split], own), take(flat["train"], rest), *unlabelled, *_more_text(config, tokenizer)])
    return Corpora(shown["train"], shown["validation"], shown["test"], tokenizer, classes, whole)


def _used(source: Any, parts: Parts) -> tuple[Any, Parts]:
    """The rows of the source that are in a part, so that nothing is done to the others."""
    rows, used = {}, {}
    for split, dataset in source.items():
        rows[split] = np.sort(np.concatenate([own for name, own in parts.values() if name == split]))
        everything = len(rows[split]) == len(dataset)  # then it keeps its fingerprint, and so its place in the cache
        used[split] = dataset if everything else dataset.select(rows[split])
    return used, {part: (split, np.searchsorted(rows[split], own)) for part, (split, own) in parts.items()}


def _more_text(config: DataConfig, tokenizer: Tokenizer) -> list[FlatCorpus]:
    """Reviews of another source, of which word vectors are learned too; none of the test part that it may bring."""
    asked = config.vectors
    if not asked.more_text:
        return []
    other = DataConfig(asked.more_text, asked.more_path, config.category, config.titles, bad_rows=config.bad_rows)
    try:
        found = sources.load(other, unlabelled=True)
    except UserError as error:
        where = "of config.data.vectors.more_text; its path is --config.data.vectors.more_path"
        raise UserError(f"{error} ({where})") from None
    parts = [tokens.prepared(found[split], config.tokens) for split in ("train", sources.UNLABELLED) if split in found]
    return [flatten(tokens.tokenised(part, tokenizer)) for part in parts]


def texts(config: DataConfig, part: str) -> tuple[list[str], HostArray]:
    """The reviews of a part as text, before any tokenising, and their labels ``[N]``."""
    source = sources.load(config)
    split, own = select(source, config).parts[part]
    rows = source[split].data.table.take(own)
    return rows.column("text").to_pylist(), np.asarray(rows.column("label"), np.int32)


def _vocabulary(source: Any, counted: Parts, config: DataConfig) -> Tokenizer:
    chosen = [source[split].select(np.sort(own)) for split, own in counted.values()]
    blocks = (batch["text"] for part in chosen for batch in part.iter(batch_size=1000))
    return tokens.learn(blocks, " ".join(part._fingerprint for part in chosen), config.tokens)


def _class_count(labels: HostArray, config: DataConfig) -> int:
    class_map = config.classes or sources.SCHEMAS[config.source].classes
    by_label = class_map not in sources.CLASS_COUNTS
    classes = int(labels.max()) + 1 if by_label else sources.CLASS_COUNTS[class_map]
    if classes < 2:
        raise UserError("all reviews have the label 0; a classifier needs reviews of two classes at least")
    missing = np.setdiff1d(np.arange(min(classes, len(labels) + 1)), labels)
    if by_label and len(missing):
        raise UserError(
            f"labels go up to {labels.max()}, but none is {missing[0]}; number the classes 0, 1, 2, … without gaps"
        )
    return classes


def flatten(dataset: datasets.Dataset) -> FlatCorpus:
    """The columns ``ids`` and ``label`` as flat arrays, straight from Arrow's own buffers."""
    column = dataset.data.column("ids").combine_chunks()
    return FlatCorpus(
        tokens=np.asarray(column.flatten(), np.int32),
        offsets=np.concatenate([[0], np.cumsum(np.asarray(column.value_lengths(), np.int64))]),
        labels=np.asarray(dataset.data.column("label"), np.int32),
    )


def join(corpora: list[FlatCorpus]) -> FlatCorpus:
    """The reviews of several corpora, one corpus after the other."""
    counts = np.concatenate([lengths(corpus) for corpus in corpora])
    return FlatCorpus(
        tokens=np.concatenate([corpus.tokens for corpus in corpora]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        labels=np.concatenate([corpus.labels for corpus in corpora]),
    )


def from_ids(ids: list[list[int]]) -> FlatCorpus:
    """A corpus of unlabelled reviews given as word ids."""
    return FlatCorpus(
        tokens=np.concatenate([np.asarray(review, np.int32) for review in ids]),
        offsets=np.concatenate([[0], np.cumsum([len(review) for review in ids])]),
        labels=np.zeros(len(ids), np.int32),
    )


def take(corpus: FlatCorpus, rows: HostArray) -> FlatCorpus:
    """The reviews of the given numbers, in their order."""
    starts = corpus.offsets[:-1][rows]
    return _slices(corpus, starts, lengths(corpus)[rows], corpus.labels[rows])


def shaped(corpus: FlatCorpus, config: TokensConfig, unknown: int) -> FlatCorpus:
    """Reviews as the network reads them: without unknown words or padded in front where asked, and cut."""
    if config.remove_unknown:
        corpus = without(corpus, unknown)
    corpus = cut(corpus, config.max_length, config.truncation)
    return pad_left(corpus, config.max_length) if config.pad_left else corpus


def without(corpus: FlatCorpus, word: int) -> FlatCorpus:
    """Reviews without one word; a review that holds nothing else keeps it once."""
    kept = corpus.tokens != word
    counts = np.add.reduceat(kept, corpus.offsets[:-1], dtype=np.int64)
    kept[corpus.offsets[:-1][counts == 0]] = True
    return FlatCorpus(corpus.tokens[kept], np.concatenate([[0], np.cumsum(np.maximum(counts, 1))]), corpus.labels)


def cut(corpus: FlatCorpus, length: int, keep: str) -> FlatCorpus:
    """Shortens reviews to ``length`` words.

    Args:
      corpus: any reviews.
      length: the most words a review keeps.
      keep: ``head``, ``tail``, or ``both``: the first and the last half of ``length``.
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
    """Reviews of exactly ``length`` words, shorter ones filled in front with padding."""
    full = lengths(corpus)
    last = np.cumsum(np.full(len(full), length))
    table = np.full(len(full) * length, tokens.PADDING, np.int32)
    table[np.repeat(last - full, full) + (np.arange(len(corpus.tokens)) - np.repeat(corpus.offsets[:-1], full))] = (
        corpus.tokens
    )
    return FlatCorpus(table, np.concatenate([[0], last]), corpus.labels)


def _slices(
    corpus: FlatCorpus, starts: Any, counts: Any, labels: Any, skip_after: int = 0, skip: Any = 0
) -> FlatCorpus:
    """Reviews of ``counts`` words from ``starts`` on, passing over ``skip`` words after ``skip_after`` of them."""
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    words = np.empty(offsets[-1], np.int32)
    skip = np.broadcast_to(skip, counts.shape)
    for first in range(0, len(counts), BLOCK):  # the positions of all words together would fill the memory
        block = slice(first, first + BLOCK)
        begin, own = offsets[:-1][block], counts[block]
        end = begin[-1] + own[-1]
        positions = np.arange(begin[0], end) + np.repeat(starts[block] - begin, own)
        if skip_after:
            within = np.arange(begin[0], end) - np.repeat(begin, own)
            positions += np.where(within >= skip_after, np.repeat(skip[block], own), 0)
        words[begin[0] : end] = corpus.tokens[positions]
    return FlatCorpus(words, offsets, np.asarray(labels, np.int32))


def fingerprint(corpora: Corpora) -> str:
    """A digest of the training and validation reviews and the vocabulary, equal where a run may go on with them."""
    content = hashlib.sha256(corpora.tokenizer.to_str().encode())
    for part in (corpora.train, corpora.validation):
        for array in part:
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]
