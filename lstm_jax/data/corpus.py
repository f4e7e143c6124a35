"""From a data config to corpora: the training, validation and test examples as flat arrays of token ids."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import datasets
import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from lstm_jax.config import DataConfig, TokensConfig
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.examples import EXAMPLE_COLUMNS, Examples, load_examples, log_left_out
from lstm_jax.data.flat_corpus import flatten, join, lengths, pad_left, pad_right, remove_token, take, truncate
from lstm_jax.data.labels import Classes
from lstm_jax.data.sources import SPLITS, UNLABELLED, Rows
from lstm_jax.data.splits import Splits, select
from lstm_jax.data.tokenizer import (
    PADDING,
    encode_dataset,
    index_vocabulary,
    learn_vocabulary,
    pretokenize_dataset,
    unknown_id,
)
from lstm_jax.errors import UserError
from lstm_jax.registry import VECTORS
from lstm_jax.stages import stage
from lstm_jax.types import HostArray

WHOLE = "all"  # The name of a whole source, beside the names of splits.


class Part(NamedTuple):
    """The examples of one split, or of a whole source.

    Attributes:
      examples: The examples, as the network reads them.
      digests: What identifies the text of each example, ``[N]``, uint64.
      unknown: Numbers of unknown tokens and of all tokens of each example before truncation, ``[N, 2]``.
    """

    examples: FlatCorpus
    digests: HostArray
    unknown: HostArray

    def take(self, rows: HostArray) -> "Part":
        """The examples with the given numbers."""
        return Part(take(self.examples, rows), self.digests[rows], self.unknown[rows])

    @property
    def unknown_share(self) -> float:
        """The share of tokens that are outside the vocabulary."""
        unknown, tokens = self.unknown.sum(axis=0)
        return float(unknown / max(tokens, 1))


class Corpora(NamedTuple):
    """The examples of a run.

    Attributes:
      train: Training examples, as the network reads them.
      validation: Validation examples, in the same form.
      test: Test examples, in the same form.
      tokenizer: The tokenizer, whose vocabulary has V tokens.
      classes: The C classes.
      whole: Training and unlabelled texts, untruncated, if initial vectors are learned from them; otherwise ``None``.
      digests: For each split, what identifies its texts, ``[N]``, uint64.
      unknown: For each split, the numbers of unknown tokens and of all tokens of its examples, ``[N, 2]``.
      left_out: Numbers of rows of the source that are in no split, by reason.
    """

    train: FlatCorpus
    validation: FlatCorpus
    test: FlatCorpus
    tokenizer: Tokenizer
    classes: Classes
    whole: FlatCorpus | None
    digests: dict[str, HostArray]
    unknown: dict[str, HostArray]
    left_out: dict[str, int]

    def part(self, split: str) -> Part:
        """The examples of a split."""
        return Part(getattr(self, split), self.digests[split], self.unknown[split])


def prepare(
    config: DataConfig,
    tokenizer: Tokenizer | None = None,
    classes: Classes | None = None,
    quiet: bool = False,
) -> Corpora:
    """Loads, selects, tokenizes and truncates the examples of a config.

    Args:
      config: The source, and how its texts are read.
      tokenizer: Tokenizer of a trained run. Without it a vocabulary is learned from the training examples alone,
        or from all examples if the config says so, or read from the file that the config names.
      classes: Classes of a trained run; by default those of the source.
      quiet: Whether to log nothing about rows that are left out, since that has been said.

    Raises:
      UserError: The source cannot be read or is invalid, or a split would be empty.
    """
    datasets.disable_progress_bars()
    learns_vectors = tokenizer is None and VECTORS[config.vectors.source].reads_text
    with stage("reading the examples"):
        source, classes, left_out = load_examples(config, learns_vectors, classes, quiet=quiet)
        if len(classes.names) < 2:
            raise UserError(
                f"all examples have the label {classes.names[0]!r}; a classifier needs examples of at least two classes"
            )
    splits, rest, not_selected = select(source, config)
    if not learns_vectors:
        source, splits = _used(source, splits)
    if not quiet:
        log_left_out(not_selected)
    with stage("splitting the texts into tokens"):
        texts = {split: pretokenize_dataset(own.dataset, config.tokens) for split, own in source.items()}
    if tokenizer is None:
        with stage("learning the vocabulary"):
            tokenizer = _vocabulary(texts, splits, config)
    flat = {}
    for split, own in source.items():
        with stage("encoding the texts"):
            flat[split] = flatten(encode_dataset(texts[split], tokenizer), own.classes)
    whole = None
    if learns_vectors:
        drawn_from, rows = splits["train"]
        unlabelled = [flat[UNLABELLED]] if UNLABELLED in flat else []
        texts_of_run = [take(flat[drawn_from], rows), take(flat["train"], rest), *unlabelled]
        whole = join([*texts_of_run, *_more_text(config, tokenizer)])
    taken = {split: take(flat[drawn_from], rows) for split, (drawn_from, rows) in splits.items()}
    digests = {split: source[drawn_from].column("digest")[rows] for split, (drawn_from, rows) in splits.items()}
    other = unknown_id(tokenizer)
    unknown = {split: _unknown_tokens(own, other) for split, own in taken.items()}
    train, validation, test = (prepare_examples(taken[split], config.tokens, other) for split in SPLITS)
    return Corpora(train, validation, test, tokenizer, classes, whole, digests, unknown, left_out | not_selected)


def _used(source: dict[str, Examples], splits: Splits) -> tuple[dict[str, Examples], Splits]:
    """The rows of the source that are in a split, so that no time is spent on the others."""
    rows, used = {}, {}
    for name, own in source.items():
        rows[name] = np.sort(np.concatenate([chosen for drawn_from, chosen in splits.values() if drawn_from == name]))
        # If everything is used, the dataset keeps its fingerprint, and so its tokens in the cache.
        everything = len(rows[name]) == len(own.classes)
        used[name] = own if everything else Examples(own.dataset.select(rows[name]), own.classes[rows[name]])
    return used, {split: (name, np.searchsorted(rows[name], chosen)) for split, (name, chosen) in splits.items()}


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
        found = load_examples(other, unlabelled=True, labelled=False).splits
    except UserError as error:
        where = "for config.data.vectors.more_text; set its path by --config.data.vectors.more_path"
        raise UserError(f"{error} ({where})") from None
    chosen = [found[split] for split in ("train", UNLABELLED) if split in found]
    return [
        flatten(encode_dataset(pretokenize_dataset(own.dataset, config.tokens), tokenizer), own.classes)
        for own in chosen
    ]


def prepare_part(
    config: DataConfig, split: str, tokenizer: Tokenizer, classes: Classes, given: Rows | None = None
) -> Part:
    """The examples of a split, or all labelled examples of the source if that is ``all``, as a trained run reads them.

    Args:
      config: The source, how its texts are read and, for a split, how it is split.
      split: The split, or ``all``.
      tokenizer: Tokenizer of the run.
      classes: Classes of the run.
      given: With ``all``: rows to read in place of the source's.

    Raises:
      UserError: The source cannot be read or is invalid, or has a label that the run does not know.
    """
    if split != WHOLE:
        return named_part(prepare(config, tokenizer, classes), split, config)
    splits = load_examples(config, classes=classes, whole=True, given=given).splits.values()
    encoded = [encode_dataset(pretokenize_dataset(own.dataset, config.tokens), tokenizer) for own in splits]
    flat = join([flatten(ids, own.classes) for ids, own in zip(encoded, splits, strict=True)])
    digests = np.concatenate([own.column("digest") for own in splits])
    other = unknown_id(tokenizer)
    return Part(prepare_examples(flat, config.tokens, other), digests, _unknown_tokens(flat, other))


def named_part(corpora: Corpora, split: str, config: DataConfig) -> Part:
    """The examples of a split that is to be evaluated.

    Raises:
      UserError: It has none, since ``config.data_ratio`` gives all examples to another split.
    """
    part = corpora.part(split)
    if not len(part.examples.labels):
        advice = (
            "--split=validation, or new examples with --data=FILE"
            if config.data_ratio == 1
            else "--split=test, which has all"
        )
        raise UserError(
            f"config.data.data_ratio is {config.data_ratio:g}, so the {split} split has no examples; evaluate {advice}"
        )
    return part


def _unknown_tokens(corpus: FlatCorpus, unknown: int) -> HostArray:
    """The numbers of unknown tokens and of all tokens of each example, ``[N, 2]``."""
    before = np.concatenate([[0], np.cumsum(corpus.tokens == unknown, dtype=np.int64)])
    return np.stack([np.diff(before[corpus.offsets]), lengths(corpus)], axis=1)


def rows_of(
    config: DataConfig, split: str, classes: Classes | None = None, columns: Sequence[str] = EXAMPLE_COLUMNS.names
) -> pa.Table:
    """The rows of a split, or of the whole source if that is ``all``, not tokenized.

    Returns:
      The given columns of ``EXAMPLE_COLUMNS``, and ``class``, the class numbers.
    """
    source = load_examples(config, classes=classes, whole=split == WHOLE, quiet=True).splits
    chosen = {name: np.arange(len(own.classes)) for name, own in source.items()}
    if split != WHOLE:
        drawn_from, rows = select(source, config).splits[split]
        chosen = {drawn_from: rows}
    return pa.concat_tables(
        source[name]
        .dataset.data.table.select(columns)
        .take(rows)
        .append_column("class", pa.array(source[name].classes[rows]))
        for name, rows in chosen.items()
    )


def _vocabulary(texts: dict[str, datasets.Dataset], splits: Splits, config: DataConfig) -> Tokenizer:
    if config.tokens.index_path:
        return index_vocabulary(Path(config.tokens.index_path), config.tokens)
    leaking = config.vectors.source == "class_frequency" and config.vectors.fit_on == "all"
    counted = splits.values() if leaking or config.tokens.fit_on == "all" else [splits["train"]]
    chosen = [texts[drawn_from].select(np.sort(rows)) for drawn_from, rows in counted]
    blocks = (batch["text"] for dataset in chosen for batch in dataset.iter(batch_size=1000))
    return learn_vocabulary(blocks, " ".join(dataset._fingerprint for dataset in chosen), config.tokens)


def prepare_examples(corpus: FlatCorpus, config: TokensConfig, unknown: int) -> FlatCorpus:
    """Examples as the network reads them: truncated and, if asked, padded, and with or without unknown tokens.

    Args:
      corpus: The examples.
      config: Truncation, padding, and what unknown tokens become.
      unknown: The id of tokens outside the vocabulary.
    """
    if config.remove_unknown:
        corpus = remove_token(corpus, unknown)
    if config.unknown_as_padding:
        corpus = corpus._replace(tokens=np.where(corpus.tokens == unknown, np.int32(PADDING), corpus.tokens))
    corpus = truncate(corpus, config.max_length, config.truncation)
    if config.pad_right:
        return pad_right(corpus, config.max_length)
    return pad_left(corpus, config.max_length) if config.pad_left else corpus


def corpora_fingerprint(corpora: Corpora) -> str:
    """A digest of the training and validation examples and the vocabulary; a run resumes only if it is the same."""
    content = hashlib.sha256(corpora.tokenizer.to_str().encode())
    for corpus in (corpora.train, corpora.validation):
        for array in filter(lambda each: each is not None, corpus):
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]
