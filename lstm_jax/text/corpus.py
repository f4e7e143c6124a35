"""From a data config to corpora: the training, validation and test reviews as flat arrays of word ids."""

import hashlib
from typing import Any, NamedTuple

import datasets
import numpy as np
from tokenizers import Tokenizer

from lstm_jax.config import DataConfig
from lstm_jax.errors import UserError
from lstm_jax.text import sources, tokens
from lstm_jax.text.batches import FlatCorpus
from lstm_jax.types import HostArray


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
    """Loads, splits, tokenises and cuts the reviews of a config.

    The vocabulary is learned from the training part alone, unless a tokeniser is given.

    Raises:
      UserError: something about the source is at fault, or a part would be empty.
    """
    datasets.disable_progress_bars()
    learn_vectors = tokenizer is None and config.vectors.source == "cooccurrence"
    source = sources.load(config, unlabelled=learn_vectors)
    rows = split_rows({split: len(part) for split, part in source.items() if split in sources.SPLITS}, config)
    if tokenizer is None:
        split, own = rows["train"]
        part = source[split]
        texts = part.data.column("text").combine_chunks().take(own)
        chosen = hashlib.sha256(own.astype(np.int64).tobytes()).hexdigest()
        tokenizer = tokens.learn(texts, f"{part._fingerprint} {chosen}", config.tokens)
    flat = {split: flatten(tokens.tokenised(part, tokenizer)) for split, part in source.items()}
    labels = np.concatenate([corpus.labels for split, corpus in flat.items() if split in sources.SPLITS])
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
    parts = {
        part: cut(take(flat[split], own), config.tokens.max_length, config.tokens.cut)
        for part, (split, own) in rows.items()
    }
    whole = None
    if learn_vectors:
        split, own = rows["train"]
        unlabelled = [flat[sources.UNLABELLED]] if sources.UNLABELLED in flat else []
        whole = join([take(flat[split], own), *unlabelled])
    return Corpora(parts["train"], parts["validation"], parts["test"], tokenizer, classes, whole)


def split_rows(sizes: dict[str, int], config: DataConfig) -> dict[str, tuple[str, HostArray]]:
    """Which rows of which split of the source make the training, validation and test parts.

    A part that the source lacks is drawn at random from ``train``, by ``config.seed``, in blocks of
    ``config.split_block`` neighbours: where those tell of the same thing, a part drawn review by review would
    share it with the training reviews and look easier than new reviews are.

    Args:
      sizes: reviews of each split that the source has.
      config: fractions, limit and seed.

    Returns:
      For each part the source's split and the row numbers in it.
    """
    starts = np.arange(0, sizes["train"], config.split_block)
    left = np.random.default_rng(config.seed).permutation(starts)
    parts = {split: (split, np.arange(size)) for split, size in sizes.items()}

    def reviews(starts: HostArray) -> HostArray:
        rows = starts[:, None] + np.arange(config.split_block)
        return rows[rows < sizes["train"]]

    for part, fraction in (("test", config.test_fraction), ("validation", config.validation_fraction)):
        if part not in sizes:
            count = round(fraction * len(left))
            parts[part], left = ("train", reviews(left[:count])), left[count:]
    left = reviews(left)
    parts["train"] = ("train", left[: config.limit or None])
    for part, (_, own) in parts.items():
        if len(own) == 0:
            raise UserError(
                f"of {sizes['train']} reviews none is left for {part}; give more reviews or change "
                f"config.data.validation_fraction ({config.validation_fraction}) and test_fraction "
                f"({config.test_fraction})"
            )
    return parts


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


def cut(corpus: FlatCorpus, length: int, keep: str) -> FlatCorpus:
    """Shortens reviews to ``length`` words.

    Args:
      corpus: any reviews.
      length: the most words a review keeps.
      keep: ``head``, ``tail``, or ``both``: the first and the last half of ``length``.
    """
    full = lengths(corpus)
    short = np.minimum(full, length)
    starts = corpus.offsets[:-1]
    if keep == "both":
        return _slices(corpus, starts, short, corpus.labels, skip_after=length // 2, skip=full - short)
    return _slices(corpus, starts + (full - short) * (keep == "tail"), short, corpus.labels)


def _slices(
    corpus: FlatCorpus, starts: Any, counts: Any, labels: Any, skip_after: int = 0, skip: Any = 0
) -> FlatCorpus:
    """Reviews of ``counts`` words from ``starts`` on, passing over ``skip`` words after ``skip_after`` of them."""
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    positions = np.repeat(starts, counts) + within
    if skip_after:
        positions += np.where(within >= skip_after, np.repeat(skip, counts), 0)
    return FlatCorpus(corpus.tokens[positions], offsets, np.asarray(labels, np.int32))


def fingerprint(corpora: Corpora) -> str:
    """A digest of the training and validation reviews and the vocabulary, equal where a run may go on with them."""
    content = hashlib.sha256(corpora.tokenizer.to_str().encode())
    for part in (corpora.train, corpora.validation):
        for array in part:
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]
