"""Texts to token ids and back, by the ``tokenizers`` library; encoded datasets are cached by ``datasets``."""

import itertools
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import datasets
import numpy as np
import pyarrow as pa
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from lstm_jax import characters
from lstm_jax.config import TokensConfig
from lstm_jax.data import treebank
from lstm_jax.data.cache import Facts, cached_file, cached_table
from lstm_jax.errors import UserError
from lstm_jax.files import code_digest, digest, write_text

PADDING = 0  # The id of padding in every vocabulary.
SPECIAL = ("[PAD]", "[UNK]")
KERAS_SPECIAL = ("<PAD>", "<START>", "<UNK>", "<UNUSED>")  # As in keras.datasets.imdb, where words begin at id 4.
KERAS_FILTERS = r"""[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~\t\n]"""  # Characters that Keras's text splitting drops.

# A web address: its scheme or www and everything up to the next space, or a name such as a-shop.com with its path.
_WITH_SCHEME = r"(?i:https?://|www\.)\S+"
_BY_NAME = r"\b[\w.-]+\.(?i:com|org|net)\b(?:/\S*)?"
# In a run of the characters of names, only the first word is tried: if no name begins there, none begins at a later
# word either, and trying them all would take time that grows with the square of the run's length.
_RUN_BEGINS = r"(?<![\w.-])[.-]*"
URL = rf"({_RUN_BEGINS})(?:{_WITH_SCHEME}|{_BY_NAME})|{_WITH_SCHEME}"  # The group is what stands before the address.
URL_IN_LIBRARY = rf"{_RUN_BEGINS}\K(?:{_WITH_SCHEME}|{_BY_NAME})|{_WITH_SCHEME}"  # \K: the match begins here.
# The rule of Loye 2019, for texts with one of the signs: every piece up to its last dot with three letters. The
# article's ``([^ ]+(?<=\.[a-z]{3}))`` takes time that grows with the square of a piece's length; this finds the same.
LOYE_URL, LOYE_URL_SIGNS = r"(?<![^ ])[^ ]*\.[a-z]{3}", ("www.", "http:", "https:")
URL_SIGNS = ("http", "www.", ".com", ".org", ".net")  # Every address contains one of these.
ZERO_DIGITS = str.maketrans("123456789", "000000000")


def _own_code() -> str:
    return code_digest(sys.modules[__name__], treebank, characters)


def blank_tokenizer(config: TokensConfig) -> Tokenizer:
    """A tokenizer without a vocabulary. ``config.kind`` says what a token is:

    * ``runs``: a run of word characters or of punctuation; apostrophes are removed ("don't" becomes ``dont``);
    * ``alphanumeric``: a piece of text between spaces, with everything but letters and digits removed;
    * ``spaces``: a piece of text between spaces;
    * ``keras``: a piece of text between spaces or characters that Keras filters; every text begins with <START>;
    * ``treebank``: a Penn Treebank token of NLTK's ``NLTKWordTokenizer``.

    HTML line breaks become spaces, except for ``keras``, which has a token ``br``.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=KERAS_SPECIAL[2] if config.kind == "keras" else SPECIAL[1]))
    if config.kind != "treebank":  # ``pretokenize`` has cleaned those texts already.
        tokenizer.normalizer = normalizers.Sequence(_normalising(config))
    runs = pre_tokenizers.Whitespace()
    tokenizer.pre_tokenizer = runs if config.kind == "runs" else pre_tokenizers.WhitespaceSplit()
    if config.kind == "keras":
        start = KERAS_SPECIAL[1]
        tokenizer.post_processor = processors.TemplateProcessing(f"{start} $A", special_tokens=[(start, 1)])
    return tokenizer


def _normalising(config: TokensConfig) -> list[Any]:
    keeps_breaks = config.kind == "keras" or config.keep_breaks
    steps: list[Any] = [] if keeps_breaks else [normalizers.Replace("<br />", " ")]
    if config.lower_case:
        steps.append(normalizers.Lowercase())
    if config.mark_urls:
        steps.append(normalizers.Replace(Regex(URL_IN_LIBRARY), "<url>" if config.kind == "spaces" else "url"))
    if config.zero_digits:
        steps.append(normalizers.Replace(Regex("[1-9]"), "0"))
    if config.kind == "runs":
        steps.append(normalizers.Replace("'", ""))
    if config.kind == "alphanumeric":
        steps.append(normalizers.Replace(Regex(r"[^\p{L}\p{N}\s]"), ""))
    if config.kind == "keras":
        steps.append(normalizers.Replace(Regex(KERAS_FILTERS), " "))
    if config.kind == "spaces":  # The other kinds have no token with brackets.
        steps += [normalizers.Replace(special, special.lower()) for special in SPECIAL]
    return steps


def learn_vocabulary(texts: Iterable[list[str]], fingerprint: str, config: TokensConfig) -> Tokenizer:
    """A tokenizer whose vocabulary is the most frequent tokens that occur at least ``min_count`` times.

    Args:
      texts: Pretokenized texts in blocks.
      fingerprint: Identifies the texts. A vocabulary that was learned before is read from the cache.
      config: How texts are split into tokens, the maximum size and the minimum count.
    """
    name = digest(fingerprint, config.vocabulary_size, config.min_count, _how(config), _own_code())

    def write(part: Path) -> Facts:
        tokenizer = blank_tokenizer(config)
        trainer = trainers.WordLevelTrainer(
            vocab_size=config.vocabulary_size,
            min_frequency=config.min_count,
            special_tokens=list(KERAS_SPECIAL if config.kind == "keras" else SPECIAL),
            show_progress=False,
        )
        tokenizer.train_from_iterator(([*map(characters.divide_pieces, block)] for block in texts), trainer)
        write_tokenizer(tokenizer, part)
        return {}

    path, _ = cached_file(f"vocabularies/{name}.json", write)
    return read_tokenizer(path)


def _how(config: TokensConfig) -> tuple[Any, ...]:
    """The fields that decide how a text is split into tokens."""
    how = config.kind, config.lower_case, config.zero_digits, config.mark_urls
    return (*how, config.url_rule, config.keep_breaks, config.stop_words)


def index_vocabulary(path: Path, config: TokensConfig) -> Tokenizer:
    """A tokenizer with the vocabulary of Keras's ``imdb_word_index.json``.

    As by ``keras.datasets.imdb.load_data(num_words=vocabulary_size)``, a word has its rank + 3 as its id, and words
    with ids from ``vocabulary_size`` on are unknown.

    Args:
      path: A JSON object of words and their ranks from 1.
      config: How texts are split into tokens, and the size of the vocabulary.

    Raises:
      UserError: The file is missing, or has another form.
    """
    where, hint = f"{path} (config.data.tokens.index_path)", "give Keras's imdb_word_index.json"
    try:
        ranks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{where} cannot be read as JSON ({error}); {hint}") from error
    if not isinstance(ranks, dict) or not ranks or any(type(rank) is not int for rank in ranks.values()):
        raise UserError(f'{where} holds no object of words and their ranks, such as {{"the": 1}}; {hint}')
    if sorted(ranks.values()) != list(range(1, len(ranks) + 1)):
        raise UserError(f"{where}: the {len(ranks):,} ranks are not 1 to {len(ranks):,}, each once; {hint}")
    if special := [word for word in KERAS_SPECIAL if word in ranks]:
        raise UserError(f"{where} holds the word {special[0]!r}, which stands for an id below 4; remove it")
    first = len(KERAS_SPECIAL) - 1
    ids = {word: number for number, word in enumerate(KERAS_SPECIAL)}
    ids |= {word: first + rank for word, rank in ranks.items() if first + rank < config.vocabulary_size}
    tokenizer = blank_tokenizer(config)
    tokenizer.model = models.WordLevel(ids, unk_token=KERAS_SPECIAL[2])
    tokenizer.add_special_tokens(list(KERAS_SPECIAL))
    return tokenizer


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer that ``write_tokenizer`` wrote.

    Raises:
      UserError: The file is missing or damaged.
    """
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # The library raises plain Exception.
        raise UserError(f"{path} is not a readable vocabulary ({error}); delete it and train again") from error


def write_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Writes a tokenizer atomically, as JSON."""
    write_text(path, tokenizer.to_str(pretty=True))


def unknown_id(tokenizer: Tokenizer) -> int:
    """The id of tokens outside the vocabulary."""
    return cast(int, tokenizer.token_to_id(tokenizer.model.unk_token))


def first_token_id(tokenizer: Tokenizer) -> int:
    """The lowest id of an ordinary token; special tokens such as padding have lower ids."""
    return len(tokenizer.get_added_tokens_decoder())


def tokens_of(tokenizer: Tokenizer, ids: Iterable[Any]) -> list[str]:
    """The tokens of the given ids, special ones included."""
    return [str(tokenizer.id_to_token(int(token))) for token in ids]


def pretokenize(texts: list[str], config: TokensConfig) -> list[str]:
    """Texts with a space between any two tokens, if ``tokenizers`` alone cannot read them; else the texts unchanged.

    Raises:
      UserError: A stop word is not one token.
    """
    if not config.stop_words:
        return _separated(texts, config) if config.kind == "treebank" else texts
    separated = _separated([*config.stop_words, *texts], config)
    words = [text.split() for text in separated[: len(config.stop_words)]]
    for word, tokens in zip(config.stop_words, words, strict=True):
        if len(tokens) != 1:
            found = f"{len(tokens)} tokens {' '.join(tokens)}" if tokens else "no token"
            raise UserError(f"config.data.tokens.stop_words holds {word!r}, which is {found}; leave it out")
    stop = {token for (token,) in words}
    texts = separated[len(config.stop_words) :]
    return [" ".join([token for token in text.split() if token not in stop]) for text in texts]


def _separated(texts: list[str], config: TokensConfig) -> list[str]:
    """Each text as its tokens with single spaces between them."""
    if config.kind == "treebank":
        separated = treebank.separate_tokens([_cleaned(text, config) for text in texts])
        # The article's tokenizer makes three tokens of its own ``<url>``.
        return [text.replace("<url>", "< url >") for text in separated] if config.url_rule == "loye" else separated
    tokenizer = blank_tokenizer(config)
    normalized = [tokenizer.normalizer.normalize_str(characters.divide_pieces(text)) for text in texts]
    return [" ".join(token for token, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)) for text in normalized]


def split_text(tokenizer: Tokenizer, text: str, config: TokensConfig) -> list[str]:
    """The tokens of a text, also those outside the vocabulary, without special ones."""
    (text,) = pretokenize([text], config)
    text = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
    return [token for token, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def _cleaned(text: str, config: TokensConfig) -> str:
    text = text if config.keep_breaks else text.replace("<br />", " ")
    lower = text.lower()
    text = lower if config.lower_case else text
    if config.mark_urls and config.url_rule == "loye":
        text = re.sub(LOYE_URL, "<url>", text) if any(sign in text for sign in LOYE_URL_SIGNS) else text
    elif config.mark_urls and any(sign in lower for sign in URL_SIGNS):
        text = re.sub(URL, r"\1<url>", text)
    return text.translate(ZERO_DIGITS) if config.zero_digits else text


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """The ids of each pretokenized text; a text without any token becomes one unknown token."""
    return _encoder(tokenizer)(texts)


def _encoder(tokenizer: Tokenizer) -> Callable[[list[str]], list[list[int]]]:
    other = unknown_id(tokenizer)
    if tokenizer.normalizer is None:  # The texts are split already, and a dictionary is faster than the library.
        known = tokenizer.get_vocab()
        return lambda texts: [[known.get(token, other) for token in text.split()] or [other] for text in texts]
    tokenizer.encode_special_tokens = True  # The string [PAD] in a text must not become padding.

    def encode_by_library(texts: list[str]) -> list[list[int]]:
        divided = [characters.divide_pieces(text) for text in texts]
        return [encoding.ids or [other] for encoding in tokenizer.encode_batch_fast(divided)]

    return encode_by_library


def pretokenize_dataset(dataset: datasets.Dataset, config: TokensConfig) -> datasets.Dataset:
    """The dataset with its column ``text`` pretokenized, computed once and cached."""
    if config.kind != "treebank" and not config.stop_words:
        return dataset
    schema = pa.schema([("text", pa.large_string())])

    def make(_: Facts) -> Iterator[pa.RecordBatch]:
        for batch in dataset.select_columns("text").with_format("arrow").iter(batch_size=5000):
            tokens = pretokenize(batch.column("text").to_pylist(), config)
            yield pa.RecordBatch.from_pydict({"text": tokens}, schema=schema)

    return cached_table(f"pretokenized/{digest(dataset._fingerprint, _how(config), _own_code())}", schema, make)[0]


def encode_dataset(dataset: datasets.Dataset, tokenizer: Tokenizer) -> datasets.Dataset:
    """The column ``ids`` of a pretokenized dataset, computed once and cached."""
    encoder = _encoder(tokenizer)
    schema = pa.schema([("ids", pa.large_list(pa.int32()))])

    def make(_: Facts) -> Iterator[pa.RecordBatch]:
        for batch in dataset.select_columns("text").with_format("arrow").iter(batch_size=2000):
            ids = encoder(batch.column("text").to_pylist())
            offsets = np.concatenate([[0], np.cumsum([len(own) for own in ids])])
            flat = np.fromiter(itertools.chain.from_iterable(ids), np.int32, offsets[-1])
            column = pa.LargeListArray.from_arrays(offsets, flat)
            yield pa.RecordBatch.from_arrays([column], schema=schema)

    return cached_table(f"ids/{digest(dataset._fingerprint, tokenizer.to_str(), _own_code())}", schema, make)[0]
