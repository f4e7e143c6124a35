import importlib

import pytest

from lstm_jax.files import code_digest, digest, write_text


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "new" / "a.txt"
    write_text(file, "ü")
    assert file.read_text(encoding="utf-8") == "ü"
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "\ud800")
    assert file.read_text(encoding="utf-8") == "ü"
    assert [path.name for path in file.parent.iterdir()] == ["a.txt"]


def test_edited_code_has_another_digest(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "some_grammar.py").write_text("WORDS = 1\n")
    module = importlib.import_module("some_grammar")
    before = code_digest(module)
    assert code_digest(module) == before
    (tmp_path / "some_grammar.py").write_text("WORDS = 2\n")
    assert code_digest(module) != before
    assert digest(1, "2") != digest("1", 2)
