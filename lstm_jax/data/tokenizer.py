"""Words to ids and back, by the ``tokenizers`` library; tokenised reviews are cached by ``datasets``."""

import itertools
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import datasets
import numpy as np
import pyarrow as pa
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from lstm_jax.config import TokensConfig
from lstm_jax.data import treebank
from lstm_jax.errors import UserError
from lstm_jax.files import code_digest, digest, write_text
from lstm_jax.runtime import cache_dir

PADDING = 0  # its id, whatever the special words are called
SPECIAL = ("[PAD]", "[UNK]")
KERAS_SPECIAL = ("<PAD>", "<START>", "<UNK>", "<UNUSED>")  # of keras.datasets.imdb, whose words begin at id 4
KERAS_FILTERS = r"""[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~\t\n]"""  # what keras.layers' text splitting drops

URL = r"(?i)(?:https?://|www\.)\S+|\b[\w.-]+\.(?:com|org|net)\b(?:/\S*)?"
URL_SIGNS = ("http", "www.", ".com", ".org", ".net")  # no address is without one of them
ZERO_DIGITS = str.maketrans("123456789", "000000000")


def _own_code() -> str:
    return code_digest(sys.modules[__name__], treebank)


def blank(config: TokensConfig) -> Tokenizer:
    """A word tokeniser without a vocabulary. By ``config.words`` a word is

    * ``runs``: a run of word characters or of punctuation; apostrophes vanish ("don't" is one word, ``dont``);
    * ``alphanumeric``: what stands between spaces, without all that is neither letter nor digit;
    * ``spaces``: what stands between spaces;
    * ``keras``: what stands between spaces or Keras's filtered characters; every review begins with <START>;
    * ``treebank``: a Penn Treebank word of NLTK's ``NLTKWordTokenizer``.

    HTML line breaks become spaces, but for ``keras``, which knows a word ``br``.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=KERAS_SPECIAL[2] if config.words == "keras" else SPECIAL[1]))
    if config.words != "treebank":  # whose texts ``split`` has cleaned, since that comes before words are found
        tokenizer.normalizer = normalizers.Sequence(_normalising(config))
    runs = pre_tokenizers.Whitespace()
    tokenizer.pre_tokenizer = runs if config.words == "runs" else pre_tokenizers.WhitespaceSplit()
    if config.words == "keras":
        start = KERAS_SPECIAL[1]
        tokenizer.post_processor = processors.TemplateProcessing(f"{start} $A", special_tokens=[(start, 1)])
    return tokenizer


def _normalising(config: TokensConfig) -> list[Any]:
    steps: list[Any] = [normalizers.Replace("<br />", " ")] if config.words != "keras" else []
    if config.lower_case:
        steps.append(normalizers.Lowercase())
    if config.mark_urls:
        steps.append(normalizers.Replace(Regex(URL), "<url>" if config.words == "spaces" else "url"))
    if config.zero_digits:
        steps.append(normalizers.Replace(Regex("[1-9]"), "0"))
    if config.words == "runs":
        steps.append(normalizers.Replace("'", ""))
    if config.words == "alphanumeric":
        steps.append(normalizers.Replace(Regex(r"[^\p{L}\p{N}\s]"), ""))
    if config.words == "keras":
        steps.append(normalizers.Replace(Regex(KERAS_FILTERS), " "))
    if config.words == "spaces":  # elsewhere no word has brackets
        steps += [normalizers.Replace(special, special.lower()) for special in SPECIAL]
    return steps


def learn(texts: Iterable[list[str]], fingerprint: str, config: TokensConfig) -> Tokenizer:
    """The vocabulary of the given reviews: the most frequent words that occur often enough.

    Args:
      texts: reviews in blocks, training reviews only.
      fingerprint: identifies them; a vocabulary once learned is read from the cache.
      config: what a word is, size and minimum count.
    """
    name = digest(fingerprint, config.vocabulary_size, config.min_count, _how(config), _own_code())
    path = cache_dir() / "vocabularies" / f"{name}.json"
    if path.exists():
        return read(path)
    tokenizer = blank(config)
    trainer = trainers.WordLevelTrainer(
        vocab_size=config.vocabulary_size,
        min_frequency=config.min_count,
        special_tokens=list(KERAS_SPECIAL if config.words == "keras" else SPECIAL),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    write(tokenizer, path)
    return tokenizer


def _how(config: TokensConfig) -> tuple[Any, ...]:
    """What of a config decides how a text is split."""
    return config.words, config.lower_case, config.zero_digits, config.mark_urls


def read(path: Path) -> Tokenizer:
    """The tokeniser that ``write`` wrote."""
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise UserError(f"{path} is not a readable vocabulary ({error}); delete it and train again") from error


def write(tokenizer: Tokenizer, path: Path) -> None:
    """Writes a tokeniser as JSON, whole or not at all."""
    write_text(path, tokenizer.to_str(pretty=True))


def unknown(tokenizer: Tokenizer) -> int:
    """The id that words outside the vocabulary get."""
    return cast(int, tokenizer.token_to_id(tokenizer.model.unk_token))


def first_word(tokenizer: Tokenizer) -> int:
    """The first id that is a real word's; those before it are padding, unknown and the like."""
    return len(tokenizer.get_added_tokens_decoder())


def words(tokenizer: Tokenizer, ids: Any) -> list[str]:
    """The words of the given ids, special ones included."""
    return [str(tokenizer.id_to_token(int(token))) for token in ids]


def split(texts: list[str], config: TokensConfig) -> list[str]:
    """Texts with a space between any two words, where the tokeniser itself could not find them."""
    return treebank.split([_cleaned(text, config) for text in texts]) if config.words == "treebank" else texts


def _cleaned(text: str, config: TokensConfig) -> str:
    text = text.replace("<br />", " ")
    lower = text.lower()
    text = lower if config.lower_case else text
    if config.mark_urls and any(sign in lower for sign in URL_SIGNS):
        text = re.sub(URL, "<url>", text)
    return text.translate(ZERO_DIGITS) if config.zero_digits else text


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """The ids of each text, ``split`` before; a text without any word becomes one unknown word."""
    return _encoder(tokenizer)(texts)


def _encoder(tokenizer: Tokenizer) -> Callable[[list[str]], list[list[int]]]:
    other = unknown(tokenizer)
    if tokenizer.normalizer is None:  # words are found already, and a dictionary is faster than a tokeniser
        known = tokenizer.get_vocab()
        return lambda texts: [[known.get(word, other) for word in text.split()] or [other] for text in texts]
    tokenizer.encode_special_tokens = True  # a review that spells [PAD] holds no padding
    return lambda texts: [encoding.ids or [other] for encoding in tokenizer.encode_batch_fast(texts)]


def prepared(dataset: datasets.Dataset, config: TokensConfig) -> datasets.Dataset:
    """The dataset with its text ``split``, computed once and cached."""
    if config.words != "treebank":
        return dataset
    return dataset.map(
        lambda batch: {"text": split(batch["text"], config)},
        batched=True,
        batch_size=5000,
        new_fingerprint=digest(dataset._fingerprint, _how(config), _own_code()),
    )


def tokenised(dataset: datasets.Dataset, tokenizer: Tokenizer) -> datasets.Dataset:
    """The dataset with its text, ``split`` before, as a column ``ids``; computed once and cached."""
    encoder = _encoder(tokenizer)

    def ids_of(batch: pa.Table) -> pa.Table:
        ids = encoder(batch.column("text").to_pylist())
        offsets = np.concatenate([[0], np.cumsum([len(own) for own in ids])])
        flat = np.fromiter(itertools.chain.from_iterable(ids), np.int32, offsets[-1])
        return pa.table({"label": batch.column("label"), "ids": pa.LargeListArray.from_arrays(offsets, flat)})

    made = dataset.with_format("arrow").map(
        ids_of,
        batched=True,
        batch_size=2000,
        remove_columns=[name for name in dataset.column_names if name != "label"],
        features=datasets.Features(
            {"label": dataset.features["label"], "ids": datasets.LargeList(datasets.Value("int32"))}
        ),
        new_fingerprint=digest(dataset._fingerprint, tokenizer.to_str(), _own_code()),
    )
    return made.with_format(None)
