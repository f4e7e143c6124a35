import json
import os
import re
import shutil
import sys

import numpy as np
import pytest

from lstm_jax.data import corpus
from lstm_jax.evaluation import attribution
from lstm_jax.evaluation.figures import evaluation_figures
from lstm_jax.evaluation.predictions import lane_probabilities
from lstm_jax.evaluation.report import PLACE_COLUMNS, Evaluated, write_report, write_run_report
from lstm_jax.reports import calibration, evaluation_tables, run_tables, shaded
from lstm_jax.reports.page import html_table
from lstm_jax.training import run
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import command_line
from tests import reviews
from tests.browser import needs_browser, opened
from tests.training.tiny import tiny_config

# Names and words that a page must show and not obey: markup, an entity, right-to-left letters, marks of direction.
NAMES = ("<b>bad</b>", 'a & "b"', "\u0639\u0631\u0628\u064a \u202e")
WORDS = ("<script>alert(1)</script>", "&lt;", "\u05e9\u05dc\u05d5\u05dd", "\u202eturned", "\x1b[31m", "fine", "$body")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on texts full of markup, with its report on the validation split."""
    place, rng = tmp_path_factory.mktemp("report"), np.random.default_rng(0)
    rows = [
        {"text": " ".join(rng.choice(WORDS, n % 9 + 1)) + f" {NAMES[n % 3][:3]} no{n}", "label": NAMES[n % 3]}
        for n in range(150)
    ]
    path = reviews.write(place / "<i>rows.csv", rows)
    config = tiny_config(
        data__source="files",
        data__path=str(path),
        data__tokens__kind="spaces",
        data__tokens__min_count=1,
        model__wide=32,
        train__epochs=1,
        reference_accuracy=0.875,
    )
    run.train_lanes(config, place / "run")
    write_run_report(place / "run")
    return place / "run"


def page(folder) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def evaluated(folder, split: str) -> tuple:
    trained = load_run(folder, run.configs.from_json((folder / "config.json").read_text(encoding="utf-8")))
    part = corpus.prepare(trained.config.data, trained.tokenizer, trained.classes, quiet=True).part(split)
    rows = corpus.rows_of(trained.config.data, split, trained.classes, PLACE_COLUMNS)
    return trained, Evaluated(f"{split} split", part, rows, lane_probabilities(trained, part.examples))


@pytest.mark.long
def test_figures_are_those_of_the_validation_split(folder):
    trained, own = evaluated(folder, "validation")
    figures = evaluation_figures(own.by_lane, own.part.examples.labels, trained.step)
    text = page(folder)
    assert "<h1>run: validation split</h1>" in text
    assert f"{figures.n:,} examples, weights of step {trained.step}" in text
    assert f"{figures.accuracy:.2%} [" in text
    assert f"{figures.loss:.4f} [" in text
    summary = json.loads((folder / "summary.json").read_text())
    assert f"{summary['best_validation_accuracy']:.2%} at step {summary['best_step']}" in text
    assert f"{figures.accuracy:.2%}" == f"{summary['best_validation_accuracy']:.2%}"
    for fact in ("87.50%", f"{summary['parameters']:,}", summary["versions"]["jax"], "trained on"):
        assert fact in text
    assert text.count('class="example"') == 10 + min(10, round(figures.n * (1 - figures.accuracy)))


@pytest.mark.slow
def test_texts_of_the_data_are_shown_and_not_obeyed(folder):
    text = page(folder)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<b>bad" not in text
    assert "&lt;b&gt;bad&lt;/b&gt;" in text
    assert "a &amp; &quot;b&quot;" in text
    assert "&lt;i&gt;rows.csv" in text
    assert not set(text) & {"\u202e", "\x1b"}
    assert r"\u202eturned" in text
    assert "\u05e9\u05dc\u05d5\u05dd" in text
    assert "$body" in text


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_fits_a_screen_and_needs_no_network(folder, tmp_path, width):
    script = 'found.shaded = page.querySelectorAll(".tokens span").length; found.alerts = page.scripts.length;'
    script += 'found.cut = [...page.querySelectorAll(".pair .wide")].some(own => own.scrollWidth > own.clientWidth);'
    found = opened(page(folder), tmp_path, script, width)
    assert found["width"] <= width
    assert found["requests"] == []
    assert found["pictures"] == [True] * 3
    assert found["shaded"] >= page(folder).count('class="example"'), "every example has a strongest token"
    assert not found["cut"] or width < 1200, "on a wide screen no table scrolls"
    assert found["alerts"] == 1
    assert not re.search(r"(src|href)=\"(?!data:)", page(folder))


@pytest.mark.long
def test_a_report_is_replaced_by_that_of_a_newer_evaluation_and_not_by_an_older_one(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "run")
    written = write_report(*evaluated(place, "test"))
    assert written == place / "report.html"
    newer = page(place)
    assert "<h1>run: test split</h1>" in newer
    assert "validation split" not in newer
    assert write_run_report(place) == written
    assert page(place) == newer
    os.utime(written, ns=(0, 0))  # Older than the summary: the run has gone on since.
    write_run_report(place)
    assert "<h1>run: validation split</h1>" in page(place)


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "note"),
    [
        ("diverged", "Status of the run: diverged at step "),
        ("interrupted", "Status of the run: not finished."),
        (None, "Status of the run: not finished."),
    ],
    ids=str,
)
def test_a_run_that_is_not_done_is_marked(folder, tmp_path, status, note):
    place = shutil.copytree(folder, tmp_path / "run")
    file = place / "summary.json"
    if status is None:
        file.unlink()
    else:
        file.write_text(json.dumps(json.loads(file.read_text()) | {"status": status}))
    (place / "environments.json").unlink()
    write_report(*evaluated(place, "validation"))
    assert f'<p class="note">{note}' in page(place)


@pytest.mark.slow
def test_scores_that_do_not_add_up_are_marked(folder, tmp_path, monkeypatch):
    place = shutil.copytree(folder, tmp_path / "run")
    monkeypatch.setattr(attribution, "SUM_TOLERANCE", 0.0)
    monkeypatch.setattr(attribution, "MOST_POINTS", 0)
    write_report(*evaluated(place, "validation"))
    assert re.search(r"The scores of \d+ of these \d+ examples do not add up\.", page(place))
    assert "With 80 points; this is above the tolerance" in page(place)


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["train.py", "--workdir=my run"], "python train.py '--workdir=my run'"),
        (["/bin/lstm-train", "--workdir=a"], "/bin/lstm-train --workdir=a"),
        (["/lib/ipykernel_launcher.py", "-f", "kernel.json"], ""),
        (["-c"], ""),
        ([""], ""),
    ],
    ids=["script", "installed command", "notebook", "code", "interactive"],
)
def test_the_command_of_a_run_is_shown(monkeypatch, argv, command):
    monkeypatch.setattr(sys, "argv", argv)
    assert command_line() == command
    environment = {"step": 0, "devices": "2 × cpu", "jax": "0.10.1", "command": command_line()}
    table = run_tables.run_table(None, [environment], {})
    assert {row[0].text: row[1].text for row in table.rows} == {
        "status": "not finished",
        "trained on": "2 × cpu",
        "versions": "jax 0.10.1",
        "command": command or "not recorded",
    }


def test_a_confusion_of_fifty_classes_has_numbered_columns_and_a_list_of_mistakes():
    names = tuple(f"class <{n}>" for n in range(50))
    matrix = np.diag(np.full(50, 100))
    matrix[3, 7], matrix[8, 9] = 12, 30
    table = evaluation_tables.confusion_table(matrix, names)
    assert table.columns[:3] == ("true / predicted", "1", "2")
    assert [cell.text for cell in table.rows[3]][:9] == ["4 class <3>", "", "", "", "100", "", "", "", "12"]
    assert html_table(table).count("<td") == 2500
    first, second = evaluation_tables.confused_pairs(matrix, names).rows
    assert [cell.text for cell in first] == ["class <8>", "class <9>", "30", "23.1%"]
    assert [cell.text for cell in second][:3] == ["class <3>", "class <7>", "12"]


def test_the_head_of_a_column_of_texts_is_aligned_with_them():
    text = html_table(evaluation_tables.confused_pairs(np.array([[1, 2], [0, 1]]), ("no", "yes")))
    assert '<th scope="col" class="text"><button type="button">predicted</button></th>' in text
    assert '<th scope="col"><button type="button">examples</button></th>' in text


def test_classes_without_examples_or_predictions_have_no_precision():
    table = evaluation_tables.class_table(np.array([[3, 0, 1], [0, 0, 0], [2, 0, 2]]), ("a", "b", "c"))
    assert [cell.text for cell in table.rows[0]] == ["1 a", "60.00%", "75.00%", "66.67%", "4", "5"]
    assert [cell.text for cell in table.rows[1]] == ["2 b", "–", "–", "–", "0", "0"]


def test_the_columns_of_the_calibration_are_those_of_their_heads():
    probabilities = np.array([[0.98, 0.02], [0.03, 0.97], [0.05, 0.95], [0.4, 0.6]])
    table = evaluation_tables.calibration_table(calibration.bins(probabilities, np.array([0, 1, 0, 1])), 4, 2)
    rows = [dict(zip(table.columns, [cell.text for cell in row], strict=True)) for row in table.rows]
    assert rows[0] == {"probability": "50%–55%", "examples": "0", "mean": "–", "accuracy": "–"}
    assert (rows[9]["examples"], rows[9]["mean"], rows[9]["accuracy"][:8]) == ("3", "96.7%", "66.67% [")


def example(tokens, scores) -> shaded.ShownExample:
    scores = np.array(scores)
    return shaded.ShownExample("row 3", "no", "yes", 0.75, tokens, scores, float(scores.sum()), 0.0, 16, True)


def test_tokens_are_shaded_by_their_share_of_the_strongest():
    text = shaded.shaded_example(example(["fine", "so", "bad", "<i>"], [0.8, 0.01, -0.5, 0.1]))
    assert '<span class="f4" title="+0.800">fine</span> so <span class="a3" title="-0.500">bad</span>' in text
    assert '<span class="f1" title="+0.100">&lt;i&gt;</span>' in text
    assert (
        "for: <bdi>fine</bdi> +0.80, <bdi>&lt;i&gt;</bdi> +0.10, <bdi>so</bdi> +0.01; against: <bdi>bad</bdi>" in text
    )
    assert "wrong: the label is <b>no</b>" in text


def test_the_share_of_each_token_in_the_pooling_is_told():
    shown = example(["[PAD]"] * 3 + ["<i>", "good"], [0.0] * 3 + [0.5, -0.25])
    text = shaded.shaded_example(shown._replace(shares=np.array([0.1, 0.1, 0.05, 0.25, 0.5])))
    assert '<span class="f4" title="+0.500; 25.0% of the pooling">&lt;i&gt;</span>' in text
    assert "Most of the pooling: <bdi>good</bdi> 50.0%, <bdi>[PAD] × 3</bdi> 25.0%, <bdi>&lt;i&gt;</bdi> 25.0%." in text
    assert "pooling" not in shaded.shaded_example(shown)


def test_padding_before_a_text_is_one_token():
    text = shaded.shaded_example(example(["[PAD]"] * 40 + ["good"], [0.01] * 40 + [0.2]))
    assert '<span class="f4" title="+0.400">[PAD] × 40</span> <span class="f3" title="+0.200">good</span>' in text
    assert "title" not in shaded.shaded_example(example(["a", "b"], [0.0, 0.0]))
