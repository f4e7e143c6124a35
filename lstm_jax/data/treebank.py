"""Fast Penn Treebank tokens by NLTK: each distinct piece of text between spaces is tokenized once.

NLTK's ``word_tokenize`` finds sentences and tokenizes each with ``NLTKWordTokenizer``. Its rules do not look
beyond the spaces around a piece, with two exceptions: a period is split off only at the end of a sentence, and some
quotes are treated differently at its ends. Here a sentence ends wherever a space follows a period, as in NLTK's
sentence splitter without a model of abbreviations, and quotes are treated alike everywhere. So each piece can be
tokenized by itself, and the new pieces of many texts in one call.

NLTK gives up on a text after some seconds, so a call gets a limited number of characters, and longer pieces are divided
by ``divide_pieces``.
"""

import re
from collections.abc import Iterable, Iterator

from lstm_jax.characters import divide_pieces

CACHE_SIZE = 2_000_000  # Number of pieces; they take about 300 MB.
BORDER = "\ue000"  # A private-use character, which no rule of the tokenizer matches.
PIECES_PER_CALL = 2_000
CHARACTERS_PER_CALL = 100_000

# The tokenizer's rule for the last period of a sentence, applied to every piece.
_PERIOD = re.compile(r"([^.])(\.)([\])}>\"'»”’]*)$")
_URL = "< url >"  # What the tokenizer makes of ``<url>``, the token of web addresses.

_known: dict[str, str] = {}


def separate_tokens(texts: list[str]) -> list[str]:
    """Each text as its tokens with single spaces between them; ``<url>`` counts as one token."""
    if len(_known) > CACHE_SIZE:
        _known.clear()
    pieces = [divide_pieces(text.replace(BORDER, " ")).split() for text in texts]
    for batch in _batches(dict.fromkeys(piece for own in pieces for piece in own if piece not in _known)):
        _tokenize(batch)
    return [" ".join([_known[piece] for piece in own]).replace(_URL, "<url>") for own in pieces]


def _batches(pieces: Iterable[str]) -> Iterator[list[str]]:
    """Groups of pieces, each for one call of the tokenizer."""
    batch: list[str] = []
    characters = 0
    for piece in pieces:
        if batch and (len(batch) == PIECES_PER_CALL or characters + len(piece) > CHARACTERS_PER_CALL):
            yield batch
            batch, characters = [], 0
        batch.append(piece)
        characters += len(piece)
    if batch:
        yield batch


def _tokenize(pieces: list[str]) -> None:
    from nltk.tokenize import NLTKWordTokenizer  # A slow import, which a run on cached tokens does not need.

    ended = (_PERIOD.sub(r"\1 \2\3", piece) for piece in pieces)
    tokens = NLTKWordTokenizer().tokenize(f" {BORDER} ".join([BORDER, *ended, BORDER]))
    by_piece = " ".join(tokens).split(BORDER)[2:-2]
    for piece, own in zip(pieces, by_piece, strict=True):
        _known[piece] = own.strip()
