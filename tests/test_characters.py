"""Strings that come from data."""

import codecs

import pytest

from lstm_jax.characters import printable, printable_lines, wide_encoding


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m\x7f\0\a\b", r"\x9b31m\x7f\x00\x07\x08"),
        ("over\rwritten\nnext\tcolumn", r"over\rwritten\nnext\tcolumn"),
        ("a\u202eb\u2066c\u2069d\u2028e\u2029f", r"a\u202eb\u2066c\u2069d\u2028e\u2029f"),
        ("half \ud83d", r"half \ud83d"),
    ],
)
def test_characters_that_control_a_terminal_are_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text", ["plain $x$ \\n", "👩\u200d👩\u200d👧", "e\u0301 ü", "映画", "עברית \u200f", "می\u200cشود", "a\u00a0b"]
)
def test_other_characters_stay_as_they_are(text):
    assert printable(text) == text


def test_lines_stay_lines():
    assert printable_lines("a\n\x1b[2J\r\nb\n") == "a\n\\x1b[2J\\r\nb\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("good".encode("utf-16"), "UTF-16"),
        ("good".encode("utf-16-le"), "UTF-16"),
        ("good".encode("utf-16-be"), "UTF-16"),
        ("good".encode("utf-32"), "UTF-32"),
        (codecs.BOM_UTF8 + b"good", ""),
        (b"a\0b\n", ""),
        (b"", ""),
    ],
)
def test_encodings_of_wide_characters(content, name):
    assert wide_encoding(content) == name
