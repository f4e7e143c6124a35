"""Penn Treebank words by NLTK, fast: a piece of text between spaces is tokenised once and remembered.

NLTK's ``word_tokenize`` finds sentences and tokenises each with ``NLTKWordTokenizer``, whose rules look no
further than the spaces around a piece, but for a period, which is split off only at the end of a sentence, and
some quotes that begin or end one. Here a sentence ends wherever a space follows a period, as in NLTK's sentence
splitter without a model of abbreviations, and quotes are treated alike everywhere. So the pieces can be tokenised
apart, and all new pieces of many reviews in one call.
"""

import re

MOST_REMEMBERED = 2_000_000  # pieces, about 300 MB
BORDER = "\ue000"  # of the private use area: no rule of the tokeniser knows it
CALL = 2_000  # pieces a call of the tokeniser

# The tokeniser's rule for the last period of a sentence, applied to every piece.
_PERIOD = re.compile(r"([^.])(\.)([\])}>\"'»”’]*)$")
_URL = "< url >"  # what the tokeniser makes of the mark for web addresses

_known: dict[str, str] = {}


def split(texts: list[str]) -> list[str]:
    """Each text as its words with single spaces between them.

    Args:
      texts: any; ``<url>`` counts as one word.
    """
    if len(_known) > MOST_REMEMBERED:
        _known.clear()
    pieces = [text.replace(BORDER, " ").split() for text in texts]
    new = list(dict.fromkeys(piece for own in pieces for piece in own if piece not in _known))
    for start in range(0, len(new), CALL):
        _learn(new[start : start + CALL])
    return [" ".join([_known[piece] for piece in own]).replace(_URL, "<url>") for own in pieces]


def _learn(pieces: list[str]) -> None:
    from nltk.tokenize import NLTKWordTokenizer  # seconds to import, which a run on cached words need not wait for

    ended = (_PERIOD.sub(r"\1 \2\3", piece) for piece in pieces)
    words = NLTKWordTokenizer().tokenize(f" {BORDER} ".join([BORDER, *ended, BORDER]))
    tokenised = " ".join(words).split(BORDER)[2:-2]
    for piece, own in zip(pieces, tokenised, strict=True):
        _known[piece] = own.strip()
