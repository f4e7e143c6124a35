"""Strings that come from data: how they are shown, how long ones are read, and whether bytes are UTF-8 at all."""

import codecs
import re

# Control characters, line and paragraph separators, marks that reverse the direction of text, and lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")

LONGEST_PIECE = 100_000  # Number of characters between two spaces; ordinary text has fewer, in any language.

WIDE_MARKS = (  # The mark of UTF-32 begins with that of UTF-16, so it comes first.
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def half_character(text: str) -> int | None:
    """The position of the first lone surrogate in a text, which UTF-8 cannot hold; ``None`` if there is none."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def printable(text: str) -> str:
    r"""A string in one line that a terminal shows as it is: ``\x1b`` stands for an escape character.

    Emoji, combining marks and the letters of all scripts stay as they are.
    """
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def printable_lines(text: str) -> str:
    """A text whose lines are each made printable."""
    return "\n".join(map(printable, text.split("\n")))


def divide_pieces(text: str) -> str:
    """A text with a space after every ``LONGEST_PIECE`` characters of a piece that is longer than that.

    Tokenizers give up on pieces that are much longer: Oniguruma after ten million steps, NLTK after five seconds.
    """
    if len(text) <= LONGEST_PIECE:
        return text
    return re.sub(r"\S+", lambda found: " ".join(_parts(found[0])), text)


def _parts(piece: str) -> list[str]:
    return [piece[n : n + LONGEST_PIECE] for n in range(0, len(piece), LONGEST_PIECE)]


def wide_encoding(content: bytes) -> str:
    """``UTF-16`` or ``UTF-32`` if bytes are text in that encoding, as far as their beginning shows; otherwise empty."""
    for mark, name in WIDE_MARKS:
        if content.startswith(mark):
            return name
    start = content[:1000]
    zeros = max(start[0::2].count(0), start[1::2].count(0))  # Half of the bytes of Latin letters in UTF-16.
    return "UTF-16" if len(start) >= 4 and zeros > 0.4 * len(start) else ""
