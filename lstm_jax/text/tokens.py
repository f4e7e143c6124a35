"""Words to ids and back, by the ``tokenizers`` library; tokenised reviews are cached by ``datasets``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from lstm_jax.config import TokensConfig
from lstm_jax.devices import cache_dir
from lstm_jax.errors import UserError
from lstm_jax.files import code_digest, digest, write_text

SPECIAL = ("[PAD]", "[UNK]")
PADDING, UNKNOWN = range(2)  # their ids


def _own_code() -> str:
    return code_digest(sys.modules[__name__])


def blank(config: TokensConfig) -> Tokenizer:
    """A word tokeniser without a vocabulary.

    HTML line breaks become spaces, apostrophes vanish ("don't" is one word, ``dont``), every run of word
    characters is a word and so is every run of punctuation.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIAL[1]))
    steps: list[Any] = [normalizers.Replace("<br />", " "), normalizers.Replace("'", "")]
    if config.lower_case:
        steps.append(normalizers.Lowercase())
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def learn(texts: Any, fingerprint: str, config: TokensConfig) -> Tokenizer:
    """The vocabulary of the given reviews: the most frequent words that occur often enough.

    Args:
      texts: an Arrow column of reviews, training reviews only.
      fingerprint: identifies them; a vocabulary once learned is read from the cache.
      config: size and minimum count.
    """
    name = digest(fingerprint, config.lower_case, config.vocabulary_size, config.min_count, _own_code())
    path = cache_dir() / "vocabularies" / f"{name}.json"
    if path.exists():
        return read(path)
    tokenizer = blank(config)
    trainer = trainers.WordLevelTrainer(
        vocab_size=config.vocabulary_size,
        min_frequency=config.min_count,
        special_tokens=list(SPECIAL),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_blocks(texts), trainer, length=len(texts))
    write(tokenizer, path)
    return tokenizer


def _blocks(texts: Any, size: int = 1000) -> Iterator[list[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size].to_pylist()


def read(path: Path) -> Tokenizer:
    """The tokeniser that ``write`` wrote."""
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise UserError(f"{path} is not a readable vocabulary ({error}); delete it and train again") from error


def write(tokenizer: Tokenizer, path: Path) -> None:
    """Writes a tokeniser as JSON, whole or not at all."""
    write_text(path, tokenizer.to_str(pretty=True))


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """The ids of each text; a text without any word becomes one unknown word."""
    unknown = [UNKNOWN]
    tokenizer.encode_special_tokens = True  # a review that spells [PAD] holds no padding
    return [encoding.ids or unknown for encoding in tokenizer.encode_batch_fast(texts)]


def tokenised(dataset: datasets.Dataset, tokenizer: Tokenizer) -> datasets.Dataset:
    """The dataset with its text as a column ``ids``, labels beside it, computed once and cached."""
    return dataset.map(
        lambda batch: {"ids": encode(tokenizer, batch["text"])},
        batched=True,
        batch_size=2000,
        remove_columns="text",
        features=datasets.Features(
            {"label": dataset.features["label"], "ids": datasets.LargeList(datasets.Value("int32"))}
        ),
        new_fingerprint=digest(dataset._fingerprint, tokenizer.to_str(), _own_code()),
    )
