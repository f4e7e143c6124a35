"""What a run says about its splits before their figures are trusted."""

from lstm_jax.data import corpus
from lstm_jax.data.summary import summarize, warnings
from lstm_jax.reports import tables
from tests.reviews import files, write


def folder(path, train, validation, test):
    for split, rows in {"train": train, "validation": validation, "test": test}.items():
        write(path / f"{split}.csv", [{"text": text, "label": label} for text, label in rows])
    return corpus.prepare(files(path))


KNOWN = [("good film", "pos"), ("bad film", "neg")] * 3


def test_classes_unknown_tokens_and_repeated_texts_of_every_split(tmp_path):
    test = [("good film", "pos"), ("new words here", "neg"), ("other", "odd"), ("bad film .", "neg")]
    summary = summarize(folder(tmp_path, KNOWN, [("bad film", "neg"), ("film", "neg")], test))
    assert {split: own.examples for split, own in summary.items()} == {"train": 6, "validation": 2, "test": 4}
    assert summary["test"].classes == {"neg": 2, "odd": 1, "pos": 1}
    assert summary["train"].classes == {"neg": 3, "odd": 0, "pos": 3}
    assert [summary[split].mean_length for split in summary] == [2, 1.5, 2.25]
    assert [summary[split].unknown_tokens for split in summary] == [0, 0, 5 / 9]
    assert summary["test"].repeated == {"train": 1, "validation": 0}
    assert warnings(summary) == [
        "the train split has no example of the class 'odd'",
        "the validation split has no example of the class 'odd', 'pos'",
        "1 of 2 validation texts are also in the train split",
        "1 of 4 test texts are also in the train split",
        "55.6% of the tokens of the test split are unknown; raise config.data.tokens.vocabulary_size or lower "
        "min_count",
    ]
    table = tables.splits({split: own._asdict() for split, own in summary.items()})
    assert table.splitlines()[0].split() == [
        "split",
        "examples",
        "neg",
        "odd",
        "pos",
        "mean",
        "length",
        "unknown",
        "tokens",
    ]
    assert table.splitlines()[3].split() == ["test", "4", "50.0%", "25.0%", "25.0%", "2.2", "55.6%"]


def test_nothing_is_said_of_splits_without_a_fault(tmp_path):
    other = [("good", "pos"), ("bad", "neg")]
    assert warnings(summarize(folder(tmp_path, KNOWN, other, [("film good", "pos"), ("film bad", "neg")]))) == []


def test_many_classes_are_summed_up(tmp_path):
    rows = [(f"word{n % 9}", f"class {n % 9}") for n in range(30)]
    summary = summarize(folder(tmp_path, rows, rows[:-1], rows[1:]))
    table = tables.splits({split: own._asdict() for split, own in summary.items()})
    assert table.splitlines()[2] == "    9 classes, the rarest 'class 3' (3), the most frequent 'class 0' (4)"
