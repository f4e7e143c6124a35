"""The script that reads texts without lstm_jax finds the ids that the run finds."""

import json

import numpy as np
import pytest

from lstm_jax.evaluation.predictions import read_texts
from lstm_jax.export import export
from tests.export.helpers import TEXTS, isolated, run_with_random_weights, written

READ = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from token_ids import token_ids
tokens, lengths = token_ids(json.loads(Path(sys.argv[2]).read_text()))
print(json.dumps([tokens.T.tolist(), lengths.tolist()]))
"""
KINDS = {
    "runs": {},
    "alphanumeric, tail": {"kind": "alphanumeric", "zero_digits": True, "truncation": "tail", "max_length": 9},
    "spaces, both": {"kind": "spaces", "mark_urls": True, "truncation": "both", "max_length": 7},
    "one token": {"kind": "spaces", "lower_case": False, "truncation": "both", "max_length": 1},
    "keras, padded": {"kind": "keras", "pad_left": True, "max_length": 12},
    "treebank": {"kind": "treebank", "mark_urls": True, "zero_digits": True},
    "treebank, as written": {"kind": "treebank", "lower_case": False, "max_length": 5},
    "keras, stop words": {"kind": "keras", "stop_words": ("the", "a", "it"), "pad_right": True, "max_length": 9},
    "treebank of Loye": {
        **{"kind": "treebank", "mark_urls": True, "url_rule": "loye", "keep_breaks": True},
        **{"stop_words": (".", "it", "good"), "unknown_as_padding": True},
    },
    "spaces, breaks kept": {"kind": "spaces", "mark_urls": True, "keep_breaks": True, "stop_words": ("so",)},
    "without unknown": {"remove_unknown": True, "mark_urls": True},
}
OTHERS = [*TEXTS, "zzz qqq", "  ", "a.b.com/ c..", "x" * 100_001, "y" * 200_000 + " so-so...) it's", "a\x00b\x1b[31m c"]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_the_run(kind, tmp_path):
    changes = {f"data__tokens__{name}": value for name, value in KINDS[kind].items()}
    run = run_with_random_weights(tmp_path / "run", **changes)
    export(run, ["safetensors"], tmp_path / "export")
    found = isolated(READ, tmp_path, tmp_path / "export", written(tmp_path / "texts.json", OTHERS))
    expected = read_texts(run, OTHERS).examples
    tokens, lengths = json.loads(found)
    assert lengths == np.diff(expected.offsets).tolist()
    assert [token for own, length in zip(tokens, lengths, strict=True) for token in own[:length]] == [*expected.tokens]
    assert not any(token for own, length in zip(tokens, lengths, strict=True) for token in own[length:])
