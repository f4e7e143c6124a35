"""What the tests of the corpus share: reviews that tell their numbers, and the words of its parts."""

from tokenizers import Tokenizer, models

from lstm_jax.config import TokensConfig
from lstm_jax.data import corpus
from lstm_jax.data import tokenizer as tokens
from lstm_jax.data.batching import FlatCorpus
from tests.reviews import files

PARTS = ("train", "validation", "test")


def unpack(flat: FlatCorpus) -> list[list[int]]:
    return [flat.tokens[a:b].tolist() for a, b in zip(flat.offsets[:-1], flat.offsets[1:], strict=True)]


def words(corpora: corpus.Corpora, part: str) -> list[list[str]]:
    return [[corpora.tokenizer.id_to_token(n) for n in ids] for ids in unpack(getattr(corpora, part))]


def rows_of(numbers: range) -> list[dict]:
    """Reviews, each with a word of its own that tells its number, and one of ten words that all have."""
    return [{"text": f"common{n % 10} number{n}", "label": n % 2} for n in numbers]


def numbers(corpora: corpus.Corpora, part: str) -> list[int]:
    """Which of the numbered reviews a part holds; their words must be known."""
    return [int(review[1].removeprefix("number")) for review in words(corpora, part)]


def all_known() -> Tokenizer:
    """A tokeniser that knows every word of the numbered reviews."""
    names = ["[PAD]", "[UNK]", *(f"common{n}" for n in range(10)), *(f"number{n}" for n in range(100))]
    tokenizer = tokens.blank(TokensConfig())
    tokenizer.model = models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="[UNK]")
    return tokenizer


def prepare(path, **options) -> corpus.Corpora:
    return corpus.prepare(files(path, **options), all_known())
