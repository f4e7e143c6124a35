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
from lstm_jax.data.flat_corpus import flatten, join, pad_left, remove_token, take, truncate
from lstm_jax.data.sources import SPLITS, UNLABELLED
from lstm_jax.data.splits import Splits, select
from lstm_jax.data.tokenizer import (
    encode_dataset,
    learn_vocabulary,
    pretokenize_dataset,
    unknown_id,
)
from lstm_jax.errors import UserError
from lstm_jax.registry import VECTORS
from lstm_jax.types import HostArray

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


def corpora_fingerprint(corpora: Corpora) -> str:
    """A digest of the training and validation examples and the vocabulary; a run resumes only if it is the same."""
    content = hashlib.sha256(corpora.tokenizer.to_str().encode())
    for corpus in (corpora.train, corpora.validation):
        for array in corpus:
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]
