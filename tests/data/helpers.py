"""Helpers for the tests of the corpus: texts that contain their own numbers, and the tokens of each split."""

import numpy as np
from tokenizers import Tokenizer, models

from lstm_jax.config import DataConfig, TokensConfig
from lstm_jax.data import corpus
from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.examples import load_examples
from lstm_jax.data.tokenizer import blank_tokenizer
from tests.reviews import files


def unpack(flat: FlatCorpus) -> list[list[int]]:
    return [flat.tokens[a:b].tolist() for a, b in zip(flat.offsets[:-1], flat.offsets[1:], strict=True)]


def tokens_in(corpora: corpus.Corpora, split: str) -> list[list[str]]:
    return [[corpora.tokenizer.id_to_token(n) for n in ids] for ids in unpack(getattr(corpora, split))]


def rows_of(numbers: range) -> list[dict]:
    """Rows, each with a token that is its number, and one of ten tokens that all rows share."""
    return [{"text": f"common{n % 10} number{n}", "label": n % 2} for n in numbers]


def numbers(corpora: corpus.Corpora, split: str) -> list[int]:
    """The numbers of the examples in a split. Their tokens must be in the vocabulary."""
    return [int(text[1].removeprefix("number")) for text in tokens_in(corpora, split)]


def all_known() -> Tokenizer:
    """A tokenizer that knows every token of the numbered examples."""
    names = ["[PAD]", "[UNK]", *(f"common{n}" for n in range(10)), *(f"number{n}" for n in range(100))]
    tokenizer = blank_tokenizer(TokensConfig())
    tokenizer.model = models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="[UNK]")
    return tokenizer


def prepare(path, **options) -> corpus.Corpora:
    return corpus.prepare(files(path, **options), all_known())


def training_rows(config: DataConfig) -> list[tuple[str, str]]:
    """Text and label of every example of the source's split ``train``."""
    dataset = load_examples(config).splits["train"].dataset
    return list(zip(dataset["text"], dataset["label"], strict=True))


def texts_and_labels(config: DataConfig, split: str) -> tuple[list[str], np.ndarray]:
    """The texts and the class numbers of a split."""
    rows = corpus.rows_of(config, split)
    return rows["text"].to_pylist(), rows["class"].to_numpy()
