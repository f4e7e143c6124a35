"""Texts to the token ids that the network reads: python token_ids.py "a text".

Needs numpy, tokenizers and, if config.json has the tokens ``treebank``, nltk.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
_SCHEME, _NAME, _BORDER = r"(?i:https?://|www\.)\S+", r"\b[\w.-]+\.(?i:com|org|net)\b(?:/\S*)?", "\ue000"
_URL = rf"((?<![\w.-])[.-]*)(?:{_SCHEME}|{_NAME})|{_SCHEME}"


def token_ids(texts, folder=FOLDER):
    """Token ids ``[T, B]``, padded with 0 at the end, and lengths ``[B]``, both int32, of B texts."""
    how = json.loads((folder / "config.json").read_text("utf-8"))["data"]["tokens"]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True  # The string [PAD] in a text is no padding.
    unknown = int(tokenizer.token_to_id(tokenizer.model.unk_token) or 0)
    stop = {token for word in how.get("stop_words", ()) for token in _pieces(word, tokenizer, how)}
    if how["kind"] == "treebank":
        known = tokenizer.get_vocab()
        left = [[token for token in _treebank(text, how) if token not in stop] for text in texts]
        read = [[known.get(token, unknown) for token in own] for own in left]
    else:
        if stop:
            left = [[token for token in _pieces(text, tokenizer, how) if token not in stop] for text in texts]
            texts = [*map(" ".join, left)]
        read = [encoding.ids for encoding in tokenizer.encode_batch_fast([*map(_divided, texts)])]
    read = [_shortened(ids, how, unknown) for ids in read]
    tokens = np.zeros((max(map(len, read), default=0), len(read)), np.int32)
    for column, ids in enumerate(read):
        tokens[: len(ids), column] = ids
    return tokens, np.array([len(ids) for ids in read], np.int32)


def _shortened(ids, how, unknown):
    if how["remove_unknown"]:
        ids = [token for token in ids if token != unknown]
    ids, most = ids or [unknown], how["max_length"]
    head = {"head": most, "tail": 0, "both": most // 2 or 1}[how["truncation"]]
    if len(ids) > most:
        ids = ids[:head] + ids[len(ids) - (most - head) :]
    if how.get("unknown_as_padding"):
        ids = [0 if token == unknown else token for token in ids]
    padding = [0] * (most - len(ids))
    return ids + padding if how.get("pad_right") else padding + ids if how["pad_left"] else ids


def _pieces(text, tokenizer, how):
    if how["kind"] == "treebank":
        return _treebank(text, how)
    text = tokenizer.normalizer.normalize_str(_divided(text))
    return [token for token, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def _divided(text):
    """Tokenizers give up on much longer pieces."""
    return re.sub(r"\S{100000}(?=\S)", r"\g<0> ", text)


def _treebank(text, how):
    from nltk.tokenize import NLTKWordTokenizer

    text = text if how.get("keep_breaks") else text.replace("<br />", " ")
    text = text.lower() if how["lower_case"] else text
    loye = how.get("url_rule") == "loye"
    if how["mark_urls"] and loye and any(sign in text for sign in ("www.", "http:", "https:")):
        text = re.sub(r"(?<![^ ])[^ ]*\.[a-z]{3}", "<url>", text)
    elif how["mark_urls"] and not loye:
        text = re.sub(_URL, r"\1<url>", text)
    text = re.sub("[1-9]", "0", text) if how["zero_digits"] else text
    pieces = [
        re.sub(r"([^.])(\.)([\])}>\"'»”’]*)$", r"\1 \2\3", each)
        for each in _divided(text.replace(_BORDER, " ")).split()
    ]
    found = [NLTKWordTokenizer().tokenize(f"{_BORDER} {piece} {_BORDER}") for piece in pieces]
    text = " ".join(" ".join(own).replace(_BORDER, "") for own in found)
    return (text if loye else text.replace("< url >", "<url>")).split()


if __name__ == "__main__":
    print(token_ids(sys.argv[1:])[0].T.tolist())
