import json
import re

import numpy as np
import pytest

from lstm_jax.config import to_json
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.evaluation.side_by_side import notes_of, read_runs, write_side_by_side
from lstm_jax.files import listed_folders
from lstm_jax.reports import plots
from lstm_jax.reports.run_curves import differing_fields, draw_runs, run_labels
from lstm_jax.reports.tables import turned_table
from lstm_jax.training.workdir import write_digests
from tests.browser import needs_browser, opened
from tests.reports.helpers import check_readable
from tests.training.tiny import tiny_config

SUMMARY = {"best_validation_accuracy": 0.75, "best_step": 20, "train_seconds": 3.25, "parameters": 1234}


def row(step: int, split: str, accuracy: float, lane: int = 0, loss: float | None = 0.5) -> dict:
    return {"step": step, "split": split, "accuracy": accuracy, "loss": loss, "lane": lane, "seconds": step / 10}


def invented(folder, status: str | None = "done", rows: list[dict] | None = None, texts: int = 3, **changes):
    """A folder as a run leaves it, without weights."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(to_json(tiny_config(**changes)), encoding="utf-8")
    write_digests(folder, {split: np.arange(texts, dtype=np.uint64) for split in ("train", "validation", "test")})
    if rows is None:
        rows = [row(step, split, step / 40) for step in (10, 20, 30) for split in ("train", "validation")]
    if rows:
        (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    if status:
        (folder / "summary.json").write_text(json.dumps({**SUMMARY, "steps": 30, "status": status}))
    return folder


def lines_of(table) -> dict[str, list[str]]:
    lines = [re.split(r"\s{2,}", line, maxsplit=1) for line in turned_table(table).splitlines()]
    return {line[0]: line[-1].split() if len(line) > 1 else [] for line in lines}


def test_runs_are_told_apart_by_what_differs_in_their_configs(tmp_path):
    folders = [
        invented(tmp_path / "first"),
        invented(tmp_path / "second", optimizer__learning_rate=0.02, train__log_every=7),
        invented(tmp_path / "<i>third", model__hidden_size=16),
    ]
    runs = read_runs(folders)
    assert differing_fields(runs) == {
        "optimizer.learning_rate": [0.005, 0.02, 0.005],
        "model.hidden_size": [8, 8, 16],
    }
    assert run_labels(runs) == [
        "first: learning_rate 0.005, hidden_size 8",
        "second: learning_rate 0.02, hidden_size 8",
        "<i>third: learning_rate 0.005, hidden_size 16",
    ]
    table = write_side_by_side(folders, tmp_path / "out" / "curves.html")
    lines = lines_of(table)
    assert lines["validation accuracy"] == ["75.00%"] * 3
    assert lines["at step"] == ["30"] * 3
    assert lines["parameters"] == ["1,234"] * 3
    assert lines["optimizer.learning_rate"] == ["0.005", "0.02", "0.005"]
    text = (tmp_path / "out" / "curves.html").read_text(encoding="utf-8")
    assert "&lt;i&gt;third" in text
    assert "<i>third" not in text
    assert 'class="note"' not in text


def test_runs_that_have_not_ended_or_diverged_are_shown_as_far_as_they_are(tmp_path):
    diverged = [row(10, "train", 0.5), row(10, "validation", 0.625), row(15, "train", 0.5, loss=None)]
    lanes = [row(step, "validation", (step + lane) / 100, lane) for step in (7, 14) for lane in (0, 1)]
    folders = [
        invented(tmp_path / "done"),
        invented(tmp_path / "diverged", "diverged", diverged),
        invented(tmp_path / "running", None, lanes),
        invented(tmp_path / "begun", None, []),
        invented(tmp_path / "interrupted", "interrupted"),
    ]
    runs = read_runs(folders)
    table = write_side_by_side(folders, tmp_path / "curves.html")
    cells = [[cell.text for cell in each] for each in table.rows]
    assert cells[1][1:6] == ["diverged at step 30", "62.50%", "10", "30", "3.2"]
    assert cells[2][1:7] == ["not finished", "15.00%", "14", "14", "1.4", "–"]
    assert cells[3][1:7] == ["not finished", *"–––––"]
    assert cells[4][1:7] == ["not finished", "75.00%", "30", "30", "3.0", "1,234"]
    assert notes_of(folders, runs) == ["No metrics have been logged yet by begun."]
    draw_runs(runs[3:4], tmp_path / "empty.png")
    assert (tmp_path / "empty.png").exists()


def test_ticks_between_whole_percents_say_so(tmp_path, monkeypatch):
    rows = [row(1000 * n, "validation", 0.99 + 0.001 * n) for n in range(1, 5)]
    figures = []
    monkeypatch.setattr(plots, "save", lambda drawn, path: figures.append(drawn))
    draw_runs(read_runs([invented(tmp_path / "run", rows=rows)]), tmp_path / "curves.png")
    check_readable(figures[0])
    labels = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert len(set(labels)) == len(labels)
    assert "99.2%" in " ".join(labels) or "99.20%" in labels
    assert "2,000" in [label.get_text() for label in figures[0].axes[0].get_xticklabels()]


def test_other_validation_examples_and_missing_digests_are_told(tmp_path):
    folders = [invented(tmp_path / "a"), invented(tmp_path / "b", texts=4)]
    (note,) = notes_of(folders, read_runs(folders))
    assert note == "The runs were validated on different examples, so their accuracies are not comparable."
    (tmp_path / "b" / "examples.npz").unlink()
    (note,) = notes_of(folders, read_runs(folders))
    assert "examples.npz is missing" in note


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path):
    folders = [invented(tmp_path / name / "run") for name in ("x", "y")]
    assert run_labels(read_runs(folders)) == ["x/run", "y/run"]


def test_a_run_named_twice_or_missing_is_refused(tmp_path):
    one = invented(tmp_path / "one")
    with pytest.raises(ConfigError, match=r"names the run .* more than once"):
        read_runs([one, tmp_path / "one" / ".." / "one"])
    with pytest.raises(UserError, match=r"holds no config\.json"):
        read_runs([one, tmp_path / "two"])


def test_a_folder_may_have_commas_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "a,b", "x,y,z"):
        (tmp_path / name).mkdir()
    names = lambda given: [str(folder) for folder in listed_folders(given)]
    assert names("a,b") == ["a,b"]
    assert names("b,a") == ["b", "a"]
    assert names("b,x,y,z,a,b") == ["b", "x,y,z", "a,b"]
    assert names("missing,a") == ["missing", "a"]
    assert names("a") == ["a"]


@needs_browser
def test_the_page_works_in_a_browser_without_a_network(tmp_path):
    folders = [invented(tmp_path / f"run{n}", optimizer__learning_rate=0.01 * (n + 1)) for n in range(3)]
    write_side_by_side(folders, tmp_path / "curves.html")
    found = opened((tmp_path / "curves.html").read_text(encoding="utf-8"), tmp_path)
    assert found["width"] <= 400
    assert (found["requests"], found["pictures"]) == ([], [True])
