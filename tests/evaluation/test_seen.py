"""An evaluation on examples that the run was trained or validated on is refused, whatever brought them there."""

import shutil
import unicodedata

import numpy as np
import pytest

from lstm_jax.config import from_json, to_json, validate
from lstm_jax.data import corpus
from lstm_jax.data.corpus import Part
from lstm_jax.data.flat_corpus import from_ids
from lstm_jax.errors import UserError
from lstm_jax.evaluation.seen import unseen_part
from lstm_jax.training import run
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import read_digests, write_digests
from tests.reviews import write
from tests.training.tiny import tiny_config

ROWS = [{"text": f"{'good' if n % 2 else 'bad'} film no. {n} café", "label": n % 2} for n in range(120)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seen")
    write(folder / "a.csv", ROWS)
    config = tiny_config(data__source="files", data__path=str(folder / "a.csv"), train__epochs=1)
    run.train_lanes(config, folder / "run")
    return load_run(folder / "run", config)


def part_of(trained, split="test", **data):
    config = from_json(to_json(trained.config))
    for name, value in data.items():
        setattr(config.data, name, value)
    part = corpus.prepare_part(validate(config).data, split, trained.tokenizer, trained.classes)
    return config, part


def evaluated(trained, split="test", leave_out=False, **data):
    config, part = part_of(trained, split, **data)
    return unseen_part(trained.workdir, config, split, part, leave_out)


def test_the_runs_own_splits_are_evaluated_whole(trained):
    for split, digests in read_digests(trained.workdir).items():
        part, rows = evaluated(trained, split)
        np.testing.assert_array_equal(part.digests, digests)
        assert len(part.examples.labels) == len(rows) == len(digests)


CHANGES = {
    "eval_entries": {"eval_entries": 100},
    "seed": {"seed": 1},
    "test_fraction": {"test_fraction": 0.5},
    "data_ratio": {"data_ratio": 0.5},
    "min_characters": {"min_characters": 20},
    "split_block": {"split_block": 5},
    "one_class_size": {"one_class_size": 30},
    "validation_from": {"test_fraction": 0.5, "validation_from": "test"},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_split_drawn_anew_is_refused_or_reduced_to_what_is_new(trained, changes):
    with pytest.raises(UserError) as caught:
        evaluated(trained, **changes)
    config, part = part_of(trained, **changes)
    known = read_digests(trained.workdir)
    own = set(known["test"].tolist())
    new = [n for n, digest in enumerate(part.digests.tolist()) if digest in own]
    assert str(caught.value).startswith(
        f"the run in {trained.workdir} was trained or validated on {len(part.digests) - len(new)} of these "
        f"{len(part.digests)} examples (changed since the training: config.data.{next(iter(changes))}"
    )
    assert "--leave_out_seen" in str(caught.value)
    left, rows = unseen_part(trained.workdir, config, "test", part, leave_out=True)
    assert rows.tolist() == new
    np.testing.assert_array_equal(left.examples.labels, part.examples.labels[new])
    np.testing.assert_array_equal(left.digests, part.digests[new])


def test_another_column_of_the_same_rows_does_not_hide_them(trained, tmp_path):
    path = write(tmp_path / "a.csv", [{**row, "title": f"title {n}"} for n, row in enumerate(ROWS)])
    for split in ("validation", "test"):
        with pytest.raises(UserError, match="its texts do not tell which examples were trained on; give data that are"):
            evaluated(trained, split, text_column="title", seed=1, path=str(path))


@pytest.mark.parametrize("name", ["b.csv", "b.jsonl", "b.parquet", "b.tsv.gz"])
@pytest.mark.parametrize("position", [0, 60, 120])
def test_a_changed_file_in_any_format_is_recognised_by_its_texts(trained, tmp_path, name, position):
    rows = [*ROWS[:position], {"text": "a new one", "label": 1}, *ROWS[position:]]
    path = write(tmp_path / name, rows)
    known = read_digests(trained.workdir)
    training = len(known["train"]) + len(known["validation"])
    with pytest.raises(UserError, match=f"was trained or validated on {training} of these 121 examples"):
        evaluated(trained, "all", path=str(path))
    _, rows_left = evaluated(trained, "all", leave_out=True, path=str(path))
    assert len(rows_left) == 121 - training


def test_other_data_are_evaluated_whole(trained, tmp_path):
    path = write(tmp_path / "new.csv", [{"text": f"a good one {n}", "label": n % 2} for n in range(7)])
    part, rows = evaluated(trained, "all", path=str(path))
    assert (len(part.digests), rows.tolist()) == (7, list(range(7)))
    only_seen = write(tmp_path / "seen.csv", [row for row in ROWS if row["text"] in training_texts(trained)])
    with pytest.raises(UserError, match=r"was trained or validated on all \d+ examples; give others"):
        evaluated(trained, "all", leave_out=True, path=str(only_seen))


def training_texts(trained):
    return set(corpus.rows_of(trained.config.data, "train")["text"].to_pylist())


def numbered(digests) -> Part:
    """Examples with the given digests."""
    flat = from_ids([[5]] * len(digests))
    return Part(flat, np.array(digests, np.uint64), np.tile([0, 1], (len(digests), 1)))


@pytest.fixture
def overlapping(trained, tmp_path):
    """A run whose validation and test splits share texts with the training split."""
    shutil.copy(trained.workdir / "config.json", tmp_path)
    digests = {"train": [1, 2, 3], "validation": [3, 4], "test": [2, 5, 5]}
    write_digests(tmp_path, {split: np.array(own, np.uint64) for split, own in digests.items()})
    return tmp_path


@pytest.mark.parametrize(("split", "digests", "new"), [("test", [5, 2, 5], [0, 2]), ("validation", [3, 4], [1])])
def test_texts_of_the_runs_own_split_that_were_trained_on_are_said_or_left_out(
    trained, overlapping, caplog, split, digests, new
):
    part = numbered(digests)
    _, rows = unseen_part(overlapping, trained.config, split, part, leave_out=False)
    assert rows.tolist() == list(range(len(digests)))
    assert caplog.messages == [f"1 of the {len(digests)} texts are also among those that the run was trained on"]
    left, rows = unseen_part(overlapping, trained.config, split, part, leave_out=True)
    assert (rows.tolist(), len(left.examples.labels)) == (new, len(new))
    assert caplog.messages[1] == f"left out 1 of {len(digests)} examples, which the run was trained or validated on"


@pytest.mark.parametrize(("split", "digests"), [("test", [2, 5]), ("all", [2, 6]), ("validation", [2, 4])])
def test_the_same_texts_among_other_examples_are_refused(trained, overlapping, split, digests):
    with pytest.raises(UserError, match=r"was trained or validated on 1 of these 2 examples"):
        unseen_part(overlapping, trained.config, split, numbered(digests), leave_out=False)


def test_a_training_split_must_be_the_runs_own(trained, overlapping):
    assert len(unseen_part(overlapping, trained.config, "train", numbered([3, 1, 2]), leave_out=False)[1]) == 3
    for digests, new in (([1, 2, 9], 1), ([1, 2], 0), ([1, 2, 2, 3], 0)):
        with pytest.raises(UserError, match=f"^{new} of the {len(digests)} examples of the train split are not among"):
            unseen_part(overlapping, trained.config, "train", numbered(digests), leave_out=True)


@pytest.mark.parametrize("change", ["case", "spaces", "composed"])
def test_a_text_is_known_whatever_its_case_spaces_and_encoding(trained, tmp_path, change):
    changed = {
        "case": str.upper,
        "spaces": lambda text: f" {text.replace(' ', '  ')}\n",
        "composed": lambda text: unicodedata.normalize("NFD", text),
    }[change]
    rows = [{**row, "text": changed(row["text"])} for row in ROWS[::-1]]
    with pytest.raises(UserError, match=r"was trained or validated on \d+ of these 120 examples"):
        evaluated(trained, "all", path=str(write(tmp_path / "b.jsonl", rows)))


def test_a_run_that_does_not_know_its_examples_says_so(trained, tmp_path):
    write_digests(tmp_path, {"train": np.zeros(1, np.uint64)})  # The other splits are missing.
    for content in (None, b"", b"damage"):
        if content is not None:
            (tmp_path / "examples.npz").write_bytes(content)
        with pytest.raises(UserError, match=r"examples\.npz is damaged, so it is not known what the run was"):
            read_digests(tmp_path)
    (tmp_path / "examples.npz").unlink()
    with pytest.raises(UserError, match=r"examples\.npz is missing, so it is not known what the run was trained on"):
        read_digests(tmp_path)
